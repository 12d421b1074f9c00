// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/open_vm_files.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>

namespace crosvisor::io {

namespace {

std::string open_problem(int code, const std::string& path, const std::string& folder,
                         bool writable) {
  if (code == ENOENT)
    return path.starts_with('/') ? "no such file" : "no such file in " + printable(folder, 4096);
  if (code == EISDIR)
    return "is a directory";
  if ((code == EACCES || code == EPERM || code == EROFS) && writable)
    return std::string{"can't be opened for writing: "} + std::strerror(code);
  return std::strerror(code);
}

/// Opens one configuration's files, one after the other, until one fails.
class file_opener {
public:
  file_opener(int folder_fd, const std::string& folder) : folder_fd_(folder_fd), folder_(folder) {}

  /// @param key what the configuration calls the file, such as `disks[0]`.
  result<void> open(file_ref& file, const std::string& key, bool writable) {
    if (!file)
      return {};
    auto label = key + ' ' + in_quotes(file.path);
    if (auto image = stored_image_name(file.path)) {
      if (!valid_image_name(*image))
        return failure{0, label
                            + ": what follows \"image:\" is no name of a stored image; a file of "
                              "that name is written \"./image:…\""};
      file.index = files_->add_stored_image(std::move(*image));
      return {};
    }
    // O_NONBLOCK so that a FIFO without a writer is not waited for.
    auto flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    unique_fd fd{::openat(folder_fd_, file.path.c_str(), flags)};
    if (!fd) {
      auto code = errno;
      return failure{code, label + ": " + open_problem(code, file.path, folder_, writable)};
    }
    // The VMM shares these flags, and expects reads that block.
    if (::fcntl(fd.get(), F_SETFL, 0) != 0)
      return last_failure(label);
    file.index = files_->add(std::move(fd));
    return {};
  }

  result<void> open_disk(disk_config& disk, const std::string& key) {
    if (auto ok = open(disk.image, key, disk.writable); !ok)
      return ok;
    for (std::size_t i = 0; i < disk.partitions.size(); ++i) {
      auto& partition = disk.partitions[i];
      auto name = key + ".partitions[" + std::to_string(i) + ']';
      if (auto ok = open(partition.image, name, partition.writable); !ok)
        return ok;
    }
    return {};
  }

  result<void> open_app(app_config& app) {
    for (auto [file, key, writable] : {std::tuple{&app.apk, "app.apk", false},
                                       {&app.idsig, "app.idsig", false},
                                       {&app.instance, "app.instance", true},
                                       {&app.encrypted_storage, "app.encrypted_storage", true}})
      if (auto ok = open(*file, key, writable); !ok)
        return ok;
    for (std::size_t i = 0; i < app.extra_apks.size(); ++i) {
      auto key = "app.extra_apks[" + std::to_string(i) + ']';
      if (auto ok = open(app.extra_apks[i].apk, key + ".apk", false); !ok)
        return ok;
      if (auto ok = open(app.extra_apks[i].idsig, key + ".idsig", false); !ok)
        return ok;
    }
    return {};
  }

  std::shared_ptr<descriptor_set> take() { return std::move(files_); }

private:
  int folder_fd_;
  const std::string& folder_;
  std::shared_ptr<descriptor_set> files_ = std::make_shared<descriptor_set>();
};

} // namespace

result<std::shared_ptr<descriptor_set>> open_vm_files(vm_config& config,
                                                      const std::string& folder) {
  unique_fd folder_fd{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!folder_fd)
    return last_failure("folder " + in_quotes(folder));
  file_opener opener{folder_fd.get(), folder};
  for (auto [file, key] : {std::pair{&config.kernel, "kernel"},
                           {&config.initrd, "initrd"},
                           {&config.bootloader, "bootloader"}}) {
    if (auto ok = opener.open(*file, key, false); !ok)
      return ok.why();
  }
  for (std::size_t i = 0; i < config.disks.size(); ++i) {
    if (auto ok = opener.open_disk(config.disks[i], "disks[" + std::to_string(i) + ']'); !ok)
      return ok.why();
  }
  if (auto ok = opener.open_app(config.app); !ok)
    return ok.why();
  return opener.take();
}

std::string folder_of(const std::string& path) {
  auto slash = path.rfind('/');
  auto folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  std::unique_ptr<char, decltype(&std::free)> real{::realpath(folder.c_str(), nullptr), &std::free};
  return real ? real.get() : folder;
}

} // namespace crosvisor::io
