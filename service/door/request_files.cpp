// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/request_files.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <utility>

namespace crosvisor::door {

namespace {

/// Looks at one file after the other, and remembers the first that is missing.
class file_count {
public:
  explicit file_count(std::size_t given) : given_(given) {}

  file_count& see(const file_ref& file, const std::string& key) {
    if (file && file.index >= given_ && !problem_)
      problem_ = key + ' ' + io::in_quotes(file.path) + ": is descriptor "
                 + std::to_string(file.index) + ", counted from 0, and " + std::to_string(given_)
                 + " came with the request";
    return *this;
  }

  void see(const disk_config& disk, const std::string& key) {
    see(disk.image, key);
    for (std::size_t i = 0; i < disk.partitions.size(); ++i)
      see(disk.partitions[i].image, key + ".partitions[" + std::to_string(i) + ']');
  }

  void see(const app_config& app) {
    see(app.apk, "app.apk").see(app.idsig, "app.idsig").see(app.instance, "app.instance");
    see(app.encrypted_storage, "app.encrypted_storage");
    for (std::size_t i = 0; i < app.extra_apks.size(); ++i) {
      auto key = "app.extra_apks[" + std::to_string(i) + ']';
      see(app.extra_apks[i].apk, key + ".apk").see(app.extra_apks[i].idsig, key + ".idsig");
    }
  }

  void see(const device_config& devices) {
    see(devices.network.tap, "network.tap").see(devices.pstore, "pstore");
    for (std::size_t i = 0; i < devices.shared_directories.size(); ++i)
      see(devices.shared_directories[i].directory, "shared_directories[" + std::to_string(i) + ']');
  }

  std::optional<std::string> take() { return std::move(problem_); }

private:
  std::size_t given_;
  std::optional<std::string> problem_;
};

} // namespace

bool runs_ones_own(const vm_config& config) noexcept {
  return !config.app || config.kernel || config.initrd || config.bootloader
         || !config.params.empty() || !config.disks.empty() || need_custom(config.devices);
}

std::optional<std::string> find_missing_file(const vm_config& config, std::size_t given) {
  file_count count{given};
  count.see(config.kernel, "kernel").see(config.initrd, "initrd");
  count.see(config.bootloader, "bootloader");
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    count.see(config.disks[i], "disks[" + std::to_string(i) + ']');
  count.see(config.app);
  count.see(config.console, "console").see(config.log, "log");
  count.see(config.devices);
  return count.take();
}

std::optional<std::string> find_missing_file(const partition_spec& spec, std::size_t given) {
  return file_count{given}.see(spec.file, "file").take();
}

std::optional<std::string> find_missing_file(const idsig_spec& spec, std::size_t given) {
  return file_count{given}.see(spec.apk, "apk").see(spec.idsig, "idsig").take();
}

} // namespace crosvisor::door
