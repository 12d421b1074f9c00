// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_file.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/composite.pb.h"

#include <algorithm>

namespace crosvisor::io {

namespace {

constexpr std::uint64_t newest_version = 2;

failure bad(const std::string& what) {
  return {0, "composite disk: " + what};
}

result<void> check_offsets(const composite_file& file) {
  if (file.components.empty() || file.components.front().offset != 0)
    return bad("has no component at its beginning");
  for (std::size_t i = 1; i < file.components.size(); ++i)
    if (file.components[i].offset == file.components[i - 1].offset)
      return bad("has two components at offset " + std::to_string(file.components[i].offset));
  if (file.components.back().offset >= file.size_bytes)
    return bad("ends at " + std::to_string(file.size_bytes) + ", before its last component");
  return {};
}

} // namespace

std::string serialize(const composite_file& file) {
  wire::CompositeDisk disk;
  disk.set_version(file.version);
  disk.set_length(file.size_bytes);
  for (const auto& component : file.components) {
    auto* added = disk.add_component_disks();
    added->set_file_path(component.path);
    added->set_offset(component.offset);
    added->set_file_offset(component.file_offset);
    if (component.writable)
      added->set_read_write_capability(wire::READ_WRITE);
  }
  return std::string{composite_magic} + disk.SerializeAsString();
}

result<composite_file> parse_composite_file(std::string_view bytes) {
  if (!bytes.starts_with(composite_magic))
    return bad("does not begin with composite_disk and the byte 0x1d");
  if (bytes.size() > max_composite_file_bytes)
    return bad("has more than " + std::to_string(max_composite_file_bytes) + " bytes");
  bytes.remove_prefix(composite_magic.size());
  wire::CompositeDisk disk;
  if (!disk.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return bad("is damaged: no protobuf message CompositeDisk");
  if (disk.version() > newest_version)
    return bad("has version " + std::to_string(disk.version()) + "; known are 1 and 2");
  if (static_cast<std::size_t>(disk.component_disks_size()) > max_composite_components)
    return bad("has more than " + std::to_string(max_composite_components) + " components");
  composite_file file{disk.version(), {}, disk.length()};
  for (const auto& component : disk.component_disks()) {
    if (component.file_path().empty() || component.file_path().find('\0') != std::string::npos)
      return bad("has a component with the path " + in_quotes(component.file_path()));
    file.components.push_back({component.file_path(), component.offset(), component.file_offset(),
                               component.read_write_capability() == wire::READ_WRITE});
  }
  std::sort(file.components.begin(), file.components.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  if (auto sound = check_offsets(file); !sound)
    return sound.why();
  return file;
}

} // namespace crosvisor::io
