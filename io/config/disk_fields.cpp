// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/disk_fields.hpp"

#include <utility>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

/// A disk while it is read.
struct disk_draft {
  disk_config disk;
  bool writable_given = false;
  bool format_given = false;
};

check read_label(value_ref value, path_ref path, partition_config& partition) {
  if (auto problem = read_text(value, path, partition.label))
    return problem;
  if (auto problem = label_problem(partition.label))
    return config_problem{value.offset, path + ": " + *problem};
  return std::nullopt;
}

check read_guid(value_ref value, path_ref path, partition_config& partition) {
  if (value.kind != json_kind::string || !valid_guid(value.text))
    return unexpected_value(value, path, "a GUID such as \"C12A7328-F81F-11D2-BA4B-00A0C93EC93B\"");
  partition.guid = value.text;
  return std::nullopt;
}

constexpr config_field<partition_config> partition_fields[] = {
  {"label", read_label},
  {"path",
   [](value_ref v, path_ref p, partition_config& t) { return read_path(v, p, t.image.path); }},
  {"writable",
   [](value_ref v, path_ref p, partition_config& t) { return read_flag(v, p, t.writable); }},
  {"format",
   [](value_ref v, path_ref p, partition_config& t) {
     auto problem = read_word(v, p, "\"raw\" or \"sparse\"", parse_image_format, t.format);
     if (!problem && t.format == image_format::qcow2)
       return check{unexpected_value(v, p, "\"raw\" or \"sparse\"")};
     return problem;
   }},
  {"guid", read_guid},
};

check read_partition(value_ref value, path_ref path, partition_config& partition) {
  if (auto problem = read_object(value, path, partition_fields, partition))
    return problem;
  if (partition.label.empty())
    return config_problem{value.offset, path + ".label: missing; a partition needs a label"};
  if (!partition.image)
    return config_problem{value.offset, path + ".path: missing; a partition needs an image"};
  return std::nullopt;
}

/// Reads an array, each item by `read`.
template <class T>
check read_items(value_ref value, path_ref path, check (*read)(value_ref, path_ref, T&),
                 std::vector<T>& items) {
  if (value.kind != json_kind::array)
    return unexpected_value(value, path, "an array");
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    T item;
    if (auto problem = read(value.items[i], path + '[' + std::to_string(i) + ']', item))
      return problem;
    items.push_back(std::move(item));
  }
  return std::nullopt;
}

constexpr config_field<disk_draft> disk_fields[] = {
  {"image",
   [](value_ref v, path_ref p, disk_draft& d) { return read_path(v, p, d.disk.image.path); }},
  {"format",
   [](value_ref v, path_ref p, disk_draft& d) {
     d.format_given = true;
     return read_word(v, p, "\"raw\" or \"qcow2\"", parse_image_format, d.disk.format);
   }},
  {"writable",
   [](value_ref v, path_ref p, disk_draft& d) {
     d.writable_given = true;
     return read_flag(v, p, d.disk.writable);
   }},
  {"partitions", [](value_ref v, path_ref p,
                    disk_draft& d) { return read_items(v, p, read_partition, d.disk.partitions); }},
};

check read_disk(value_ref value, path_ref path, disk_config& target) {
  disk_draft draft;
  if (auto problem = read_object(value, path, disk_fields, draft))
    return problem;
  auto complain = [&](const char* what) { return config_problem{value.offset, path + what}; };
  auto has_partitions = !draft.disk.partitions.empty();
  if (draft.disk.image && has_partitions)
    return complain(": image and partitions: a disk has one or the other, not both");
  if (!draft.disk.image && !has_partitions)
    return complain(".image: missing; a disk needs an image or partitions");
  if (has_partitions && draft.format_given)
    return complain(".format: goes with an image; partitions have formats of their own");
  if (!draft.writable_given)
    return complain(".writable: missing; say true or false");
  target = std::move(draft.disk);
  return std::nullopt;
}

} // namespace

check read_disks(const json_value& value, const std::string& path,
                 std::vector<disk_config>& disks) {
  return read_items(value, path, read_disk, disks);
}

} // namespace crosvisor::io
