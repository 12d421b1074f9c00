// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/os_files.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/payload/operator_file.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::io {

namespace {

/// `path` as seen from the file that it is written in.
std::string beside(const std::string& file, const std::string& path) {
  return path.starts_with('/') ? path : file.substr(0, file.rfind('/') + 1) + path;
}

result<void> open_in_place(const os_definition& os, const std::string& key, file_ref& file,
                           descriptor_set& files) {
  if (!file)
    return {};
  auto opened = open_os_file(os, key, file.path, files);
  if (!opened)
    return opened.why();
  file = std::move(*opened);
  return {};
}

result<void> open_disk(const os_definition& os, const std::string& key, disk_config& disk,
                       descriptor_set& files) {
  if (auto ok = open_in_place(os, key + ".image", disk.image, files); !ok)
    return ok;
  for (std::size_t i = 0; i < disk.partitions.size(); ++i) {
    auto partition = key + ".partitions[" + std::to_string(i) + "].path";
    if (auto ok = open_in_place(os, partition, disk.partitions[i].image, files); !ok)
      return ok;
  }
  return {};
}

/// The list as it is now.
result<apex_list> load_apex_list(const os_definition& os) {
  const auto& path = os.apexes.list;
  auto what = printable(os.file, 4096) + ": apexes.list " + in_quotes(path);
  auto text = read_operator_file(os.folder.get(), path, what, max_apex_list_bytes);
  if (!text)
    return text.why();
  auto file = beside(os.file, path);
  return path.ends_with(".xml") ? parse_apex_xml(*text, file) : parse_apex_map(*text, file);
}

void add_wishes(const os_definition& os, const char* key, const std::vector<std::string>& names,
                std::vector<wanted_apex>& wanted) {
  for (const auto& name : names)
    wanted.push_back({name, printable(os.file, 4096) + ": apexes." + key});
}

result<opened_apex> open_apex(const os_definition& os, const std::string& list_file,
                              const apex_info& apex, descriptor_set& files) {
  auto what = printable(list_file, 4096) + ": " + in_quotes(apex.name) + ' ' + in_quotes(apex.path);
  auto fd = open_operator_file(os.folder.get(), beside(os.apexes.list, apex.path), what);
  if (!fd)
    return fd.why();
  return opened_apex{apex, {beside(list_file, apex.path), files.add(std::move(*fd))}};
}

} // namespace

result<file_ref> open_os_file(const os_definition& os, const std::string& key,
                              const std::string& path, descriptor_set& files) {
  auto what = printable(os.file, 4096) + ": " + key + ' ' + in_quotes(path);
  auto fd = open_operator_file(os.folder.get(), path, what);
  if (!fd)
    return fd.why();
  return file_ref{beside(os.file, path), files.add(std::move(*fd))};
}

result<vm_config> open_os_files(const os_definition& os, debug_level debug, descriptor_set& files) {
  auto config = os.config;
  bool full = debug == debug_level::full;
  auto initrd_key = "initrd";
  if (full && !os.debug.initrd.empty()) {
    config.initrd.path = os.debug.initrd;
    initrd_key = "debug.initrd";
  }
  if (full && !os.debug.params.empty())
    config.params += (config.params.empty() ? "" : " ") + os.debug.params;
  for (auto [file, key] : {std::pair{&config.kernel, "kernel"},
                           {&config.initrd, initrd_key},
                           {&config.bootloader, "bootloader"}})
    if (auto ok = open_in_place(os, key, *file, files); !ok)
      return ok.why();
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    if (auto ok = open_disk(os, "disks[" + std::to_string(i) + ']', config.disks[i], files); !ok)
      return ok.why();
  return config;
}

result<std::vector<opened_apex>> open_apexes(const os_definition& os,
                                             std::vector<wanted_apex> wanted, debug_level debug,
                                             descriptor_set& files) {
  std::vector<opened_apex> opened;
  if (os.apexes.list.empty()) {
    if (wanted.empty())
      return opened;
    return failure{0, wanted[0].asked_by + ' ' + in_quotes(wanted[0].name) + ": "
                        + printable(os.file, 4096) + " names no list of APEXes (apexes.list)"};
  }
  add_wishes(os, "always", os.apexes.always, wanted);
  if (debug == debug_level::full)
    add_wishes(os, "debug", os.apexes.debug, wanted);
  auto list = load_apex_list(os);
  if (!list)
    return list.why();
  auto selected = select_apexes(*list, wanted);
  if (!selected)
    return selected.why();
  for (const auto& apex : *selected) {
    auto file = open_apex(os, list->file, apex, files);
    if (!file)
      return file.why();
    opened.push_back(std::move(*file));
  }
  return opened;
}

} // namespace crosvisor::io
