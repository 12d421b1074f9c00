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

// -- stored images ------------------------------------------------------------

namespace {

class use_list {
public:
  use_list& add(const file_ref& file, stored_use how) {
    if (file)
      uses_.insert_or_assign(file.index, how);
    return *this;
  }

  stored_uses take() { return std::move(uses_); }

private:
  stored_uses uses_;
};

bool is_stored(const file_ref& file, const io::descriptor_set& files) {
  return file && files.stored_images().contains(file.index);
}

std::string grows(const std::string& label) {
  return label + ": a stored image keeps its size, and a qcow2 that is written grows; use raw";
}

} // namespace

stored_uses uses_of(const vm_config& config) {
  use_list list;
  for (const auto& disk : config.disks) {
    if (disk.writable)
      list.add(disk.image, stored_use::write);
    for (const auto& partition : disk.partitions)
      if (partition.writable)
        list.add(partition.image, stored_use::write);
  }
  list.add(config.app.instance, stored_use::write).add(config.devices.pstore, stored_use::write);
  return list.add(config.app.encrypted_storage, stored_use::write).take();
}

stored_uses uses_of(const partition_spec& spec) {
  return use_list{}.add(spec.file, stored_use::make).take();
}

stored_uses uses_of(const idsig_spec& spec) {
  return use_list{}.add(spec.idsig, stored_use::make).take();
}

std::uint64_t made_bytes(const partition_spec& spec) noexcept {
  auto blocks = spec.size_bytes / partition_block_bytes
                + (spec.size_bytes % partition_block_bytes != 0 ? 1 : 0);
  return blocks * partition_block_bytes;
}

std::uint64_t made_bytes(const idsig_spec&) noexcept {
  // The tree of an APK of 4 GiB, the largest that is no ZIP64, has half of that.
  return std::uint64_t{64} << 20;
}

std::optional<std::string> find_misuse(const vm_config& config, const io::descriptor_set& files) {
  for (auto [file, key] : {std::pair{&config.console, "console"}, {&config.log, "log"}})
    if (is_stored(*file, files))
      return std::string{key} + ' ' + io::in_quotes(file->path)
             + ": what a guest writes goes to no stored image, but to logs that are kept";
  for (std::size_t i = 0; i < config.disks.size(); ++i) {
    const auto& disk = config.disks[i];
    if (disk.writable && disk.format == image_format::qcow2 && is_stored(disk.image, files))
      return grows("disks[" + std::to_string(i) + "] " + io::in_quotes(disk.image.path));
  }
  return std::nullopt;
}

std::optional<std::string> find_misuse(const partition_spec& spec,
                                       const io::descriptor_set& files) {
  if (spec.type == partition_type::qcow2 && is_stored(spec.file, files))
    return grows("file " + io::in_quotes(spec.file.path));
  return std::nullopt;
}

std::optional<std::string> find_misuse(const idsig_spec&, const io::descriptor_set&) {
  return std::nullopt;
}

} // namespace crosvisor::door
