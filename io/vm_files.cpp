// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vm_files.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/disk/memory_file.hpp"
#include "crosvisor/io/disk/open_file.hpp"
#include "crosvisor/io/tap_interface.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace crosvisor::io {

namespace {

// What a descriptor is for.
enum class use { file, written_file, disk, written_disk, output };

bool is_written(use of) {
  return of == use::written_file || of == use::written_disk;
}

std::optional<std::string> use_problem(int fd, int flags, use of) {
  auto problem = of == use::output ? std::nullopt : access_problem(flags, is_written(of));
  if (of == use::output && !writes(flags))
    problem = "is not open for writing";
  if (!problem && is_written(of) && is_sealed(fd))
    problem = "is sealed against writing";
  return problem;
}

std::optional<std::string> type_problem(int fd, const struct stat& is, use of) {
  if (S_ISDIR(is.st_mode))
    return "is a directory";
  if (S_ISREG(is.st_mode))
    return is_of_kernel(fd) ? std::optional<std::string>{"is a file of the kernel's"}
                            : std::nullopt;
  if (of == use::file || of == use::written_file)
    return "is not a regular file";
  if (of == use::output && !S_ISCHR(is.st_mode) && !S_ISFIFO(is.st_mode) && !S_ISSOCK(is.st_mode))
    return "is neither a file, a pipe, a socket nor a character device";
  if (of != use::output && !S_ISBLK(is.st_mode))
    return "is neither a file nor a block device";
  return std::nullopt;
}

bool is_empty(int fd) {
  auto size = file_size(fd);
  return size && *size == 0;
}

struct checked_file {
  file_identity file;
  bool writable;
  std::string label;
};

class checker {
public:
  explicit checker(const descriptor_set& files) : files_(files) {}

  result<void> check(const file_ref& file, const std::string& key, use of) {
    if (!file)
      return {};
    label_ = key + " " + in_quotes(file.path);
    auto fd = files_.get(file.index);
    auto flags = ::fcntl(fd, F_GETFL);
    if (fd < 0 || flags < 0 || ::fstat(fd, &is_) != 0)
      return problem("came without a descriptor");
    if (auto what = type_problem(fd, is_, of))
      return problem(*what);
    if (auto what = use_problem(fd, flags, of))
      return problem(*what);
    if (of == use::output)
      return check_output();
    if (is_empty(fd))
      return problem("is empty");
    return check_twice(is_written(of));
  }

  result<void> check_disk(const disk_config& disk, const std::string& key, vmm_kind vmm) {
    if (!disk.partitions.empty())
      return check_partitions(disk, key);
    if (!disk.image)
      return failure{0, key + ": has no image"};
    auto checked = check(disk.image, key, disk.writable ? use::written_disk : use::disk);
    if (!checked)
      return checked;
    return check_image(files_.get(disk.image.index), disk.format, vmm, label_);
  }

  result<void> check_app(const app_config& app) {
    for (auto [file, key, of] :
         {std::tuple{&app.apk, "app.apk", use::file},
          {&app.idsig, "app.idsig", use::file},
          {&app.instance, "app.instance", use::written_file},
          {&app.encrypted_storage, "app.encrypted_storage", use::written_file}})
      if (auto fit = check(*file, key, of); !fit)
        return fit;
    for (std::size_t i = 0; i < app.extra_apks.size(); ++i) {
      auto key = "app.extra_apks[" + std::to_string(i) + "]";
      if (auto fit = check(app.extra_apks[i].apk, key + ".apk", use::file); !fit)
        return fit;
      if (auto fit = check(app.extra_apks[i].idsig, key + ".idsig", use::file); !fit)
        return fit;
    }
    return {};
  }

  result<void> check_devices(const device_config& devices) {
    if (auto fit = check_tap(devices.network.tap); !fit)
      return fit;
    for (std::size_t i = 0; i < devices.shared_directories.size(); ++i)
      if (auto fit = check_directory(devices.shared_directories[i].directory,
                                     "shared_directories[" + std::to_string(i) + "]");
          !fit)
        return fit;
    return check_pstore(devices.pstore);
  }

private:
  result<void> check_tap(const file_ref& tap) {
    if (!tap)
      return {};
    label_ = "network.tap " + in_quotes(tap.path);
    auto what = tap_problem(files_.get(tap.index), tap.path);
    return what ? problem(*what) : result<void>{};
  }

  result<void> check_directory(const file_ref& directory, const std::string& key) {
    label_ = key + " " + in_quotes(directory.path);
    auto fd = files_.get(directory.index);
    auto flags = ::fcntl(fd, F_GETFL);
    if (fd < 0 || flags < 0 || ::fstat(fd, &is_) != 0)
      return problem("came without a descriptor");
    if (!S_ISDIR(is_.st_mode))
      return problem("is no directory");
    if ((flags & O_PATH) != 0)
      return problem("is not open for reading");
    return is_of_kernel(fd) ? problem("is a directory of the kernel's") : result<void>{};
  }

  result<void> check_pstore(const file_ref& pstore) {
    if (auto fit = check(pstore, "pstore", use::written_file); !fit || !pstore)
      return fit;
    auto size = static_cast<std::uint64_t>(is_.st_size);
    if (size < min_pstore_bytes || size > max_pstore_bytes || size % pstore_record_bytes != 0)
      return problem("has " + std::to_string(size) + " bytes; allowed are "
                     + std::to_string(min_pstore_bytes) + " to " + std::to_string(max_pstore_bytes)
                     + ", a multiple of " + std::to_string(pstore_record_bytes));
    return {};
  }

  result<void> check_partitions(const disk_config& disk, const std::string& disk_key) {
    for (std::size_t i = 0; i < disk.partitions.size(); ++i) {
      const auto& partition = disk.partitions[i];
      auto key = disk_key + ".partitions[" + std::to_string(i) + "]";
      if (!partition.image)
        return failure{0, key + ": has no image"};
      auto of = partition.writable ? use::written_disk : use::disk;
      if (auto fit = check(partition.image, key, of); !fit)
        return fit;
      auto sized = image_size(files_.get(partition.image.index), partition.format, label_);
      if (!sized)
        return sized.why();
    }
    return {};
  }

  result<void> check_twice(bool writable) {
    checked_file now{identity_of(is_), writable, label_};
    for (auto& other : seen_)
      if (other.file == now.file && (other.writable || writable))
        return problem("is the same file as " + other.label + ", and one of them is writable");
    seen_.push_back(std::move(now));
    return {};
  }

  // Console and log may go to one file, but to none that is an image.
  result<void> check_output() {
    auto image = std::find_if(seen_.begin(), seen_.end(),
                              [this](const auto& other) { return other.file == identity_of(is_); });
    return image == seen_.end() ? result<void>{} : problem("is the same file as " + image->label);
  }

  failure problem(const std::string& what) const { return {0, label_ + ": " + what}; }

  const descriptor_set& files_;
  std::string label_;
  struct stat is_ {};
  std::vector<checked_file> seen_;
};

// A descriptor for reading alone: the one of the set, or the same file opened once more.
result<int> read_only(int fd, const file_ref& file, std::vector<unique_fd>& reopened) {
  if (!writes(::fcntl(fd, F_GETFL)))
    return fd;
  auto own = open_read_only(fd);
  if (!own)
    return failure{own.why().code, in_quotes(file.path) + ": " + own.why().what};
  reopened.push_back(std::move(*own));
  return reopened.back().get();
}

result<described_disk> describe_built(const disk_config& disk, std::size_t number,
                                      const built_disks* built) {
  auto found = built == nullptr ? built_disks::const_iterator{} : built->find(number);
  if (built == nullptr || found == built->end())
    return failure{0, "disks[" + std::to_string(number) + "]: its partitions came without a disk"};
  const auto& made = found->second;
  described_disk described{made.descriptor.get(), false, image_format::raw, disk.writable};
  described.composite = true;
  described.components = made.components;
  described.sparse = made.sparse;
  return described;
}

/// The group's, too, since the VMM's user may be in it.
bool is_readable_by_all(int fd) {
  constexpr mode_t group_and_others = S_IRGRP | S_IROTH;
  struct stat is;
  return ::fstat(fd, &is) == 0 && (is.st_mode & group_and_others) == group_and_others;
}

bool is_block_device(int fd) {
  struct stat is;
  return ::fstat(fd, &is) == 0 && S_ISBLK(is.st_mode);
}

} // namespace

result<void> check_vm_files(const vm_config& config, const descriptor_set& files, vmm_kind vmm) {
  checker check{files};
  for (auto [file, key] : {std::pair{&config.kernel, "kernel"},
                           {&config.initrd, "initrd"},
                           {&config.bootloader, "bootloader"}})
    if (auto fit = check.check(*file, key, use::file); !fit)
      return fit;
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    if (auto fit = check.check_disk(config.disks[i], "disks[" + std::to_string(i) + "]", vmm); !fit)
      return fit;
  if (auto fit = check.check_app(config.app); !fit)
    return fit;
  if (auto fit = check.check_devices(config.devices); !fit)
    return fit;
  if (auto fit = check.check(config.console, "console", use::output); !fit)
    return fit;
  return check.check(config.log, "log", use::output);
}

result<void> copy_unreadable(const vm_config& config, vm_file_descriptors& files) {
  for (auto [file, fd, name] : {std::tuple{&config.kernel, &files.kernel, "kernel"},
                                {&config.initrd, &files.initrd, "initrd"},
                                {&config.bootloader, &files.bootloader, "bootloader"}}) {
    if (*fd < 0 || is_readable_by_all(*fd))
      continue;
    auto copied = copy_to_memory_file(name, *fd, max_copied_boot_bytes);
    if (!copied && copied.why().code == EFBIG)
      return failure{0, std::string{name} + " " + in_quotes(file->path)
                          + ": can't be read by all users, and has more than the "
                          + std::to_string(max_copied_boot_bytes >> 20)
                          + " MiB that are copied; chmod it to o+r"};
    if (!copied)
      return copied.why();
    files.reopened.push_back(std::move(*copied));
    *fd = files.reopened.back().get();
  }
  return {};
}

result<vm_file_descriptors> describe_vm_files(const vm_config& config, const descriptor_set& files,
                                              const built_disks* built) {
  vm_file_descriptors described;
  for (auto [file, fd] : {std::pair{&config.kernel, &described.kernel},
                          {&config.initrd, &described.initrd},
                          {&config.bootloader, &described.bootloader}}) {
    if (!*file)
      continue;
    auto opened = read_only(files.get(file->index), *file, described.reopened);
    if (!opened)
      return opened.why();
    *fd = *opened;
  }
  for (auto& disk : config.disks) {
    if (!disk.partitions.empty()) {
      auto made = describe_built(disk, described.disks.size(), built);
      if (!made)
        return made.why();
      described.disks.push_back(std::move(*made));
      continue;
    }
    auto given = files.get(disk.image.index);
    auto fd = disk.writable ? result<int>{given} : read_only(given, disk.image, described.reopened);
    if (!fd)
      return fd.why();
    described_disk plain{*fd, is_block_device(*fd), disk.format, disk.writable};
    described.disks.push_back(std::move(plain));
  }
  return described;
}

} // namespace crosvisor::io
