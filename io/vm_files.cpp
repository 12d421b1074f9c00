// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vm_files.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/image_header.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::io {

namespace {

// What a descriptor is for.
enum class use { boot, disk, written_disk, output };

bool reads(int flags) {
  return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY;
}

bool writes(int flags) {
  return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

std::optional<std::string> access_problem(int flags, use of) {
  if (of != use::output && !reads(flags))
    return "is not open for reading";
  if ((of == use::output || of == use::written_disk) && !writes(flags))
    return "is not open for writing";
  // Linux appends whatever the offset of pwrite says.
  if (of == use::written_disk && (flags & O_APPEND) != 0)
    return "is open for appending";
  return std::nullopt;
}

std::optional<std::string> type_problem(const struct stat& is, use of) {
  if (S_ISDIR(is.st_mode))
    return "is a directory";
  if (of == use::output || S_ISREG(is.st_mode))
    return std::nullopt;
  if (of == use::boot)
    return "is not a regular file";
  return S_ISBLK(is.st_mode) ? std::nullopt
                             : std::optional<std::string>{"is neither a file nor a block device"};
}

bool is_empty(int fd, const struct stat& is) {
  std::uint64_t bytes = 0;
  if (S_ISBLK(is.st_mode))
    return ::ioctl(fd, BLKGETSIZE64, &bytes) == 0 && bytes == 0;
  return S_ISREG(is.st_mode) && is.st_size == 0;
}

// Two files are one if their device numbers are, or their inodes.
struct identity {
  dev_t device;
  ino_t inode;
  bool operator==(const identity&) const = default;
};

identity identity_of(const struct stat& is) {
  return S_ISBLK(is.st_mode) ? identity{is.st_rdev, 0} : identity{is.st_dev, is.st_ino};
}

struct checked_file {
  identity file;
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
    if (auto what = type_problem(is_, of))
      return problem(*what);
    if (auto what = access_problem(flags, of))
      return problem(*what);
    if (of != use::output && is_empty(fd, is_))
      return problem("is empty");
    if (of == use::boot)
      seen_.push_back({identity_of(is_), false, label_});
    return {};
  }

  result<void> check_disk(const disk_config& disk, std::size_t number, vmm_kind vmm) {
    auto key = "disks[" + std::to_string(number) + "]";
    if (!disk.partitions.empty())
      return {}; // They were looked at when the disk was built.
    if (!disk.image)
      return failure{0, key + ": has no image"};
    auto checked = check(disk.image, key, disk.writable ? use::written_disk : use::disk);
    if (!checked)
      return checked;
    if (auto fit = check_image(files_.get(disk.image.index), disk.format, vmm, label_); !fit)
      return fit;
    return check_twice(disk.writable);
  }

private:
  result<void> check_twice(bool writable) {
    checked_file now{identity_of(is_), writable, label_};
    for (auto& other : seen_)
      if (other.file == now.file && (other.writable || writable))
        return problem("is the same file as " + other.label + ", and one of them is writable");
    seen_.push_back(std::move(now));
    return {};
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
  auto path = "/proc/self/fd/" + std::to_string(fd);
  unique_fd own{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!own)
    return last_failure(in_quotes(file.path) + ": can't be opened for reading alone");
  reopened.push_back(std::move(own));
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
    if (auto fit = check.check(*file, key, use::boot); !fit)
      return fit;
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    if (auto fit = check.check_disk(config.disks[i], i, vmm); !fit)
      return fit;
  if (auto fit = check.check(config.console, "console", use::output); !fit)
    return fit;
  return check.check(config.log, "log", use::output);
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
