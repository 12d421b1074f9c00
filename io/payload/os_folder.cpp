// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/payload/operator_file.hpp"
#include "crosvisor/io/payload/os_definition.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr std::string_view extension = ".json";

std::string called(const std::string& folder) {
  return "folder of operating systems " + in_quotes(folder);
}

/// The name that a file defines, or nothing.
std::string defined_by(const std::filesystem::directory_entry& entry) {
  std::error_code ignored;
  auto name = entry.path().filename().string();
  if (!name.ends_with(extension)
      || entry.symlink_status(ignored).type() != std::filesystem::file_type::regular)
    return {};
  name.resize(name.size() - extension.size());
  return valid_vm_name(name) ? name : "";
}

result<std::vector<std::string>> list_folder(int fd, const std::string& folder) {
  // By its descriptor, so that what is listed and what is opened are in one folder.
  std::error_code error;
  std::filesystem::directory_iterator entry{"/proc/self/fd/" + std::to_string(fd), error}, end;
  std::vector<std::string> names;
  for (; !error && entry != end; entry.increment(error)) {
    if (auto name = defined_by(*entry); !name.empty())
      names.push_back(std::move(name));
    if (names.size() > max_operating_systems)
      return failure{0, called(folder) + ": more than " + std::to_string(max_operating_systems)
                          + " are defined"};
  }
  if (error)
    return failure{error.value(), called(folder) + ": " + std::strerror(error.value())};
  std::sort(names.begin(), names.end());
  return names;
}

failure unknown(const std::string& name, const std::vector<std::string>& names,
                const std::string& folder) {
  constexpr std::size_t most_named = 16;
  auto what = "unknown operating system " + in_quotes(name) + "; this host offers ";
  if (names.empty())
    return {0, what + "none in " + in_quotes(folder)};
  for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i)
    what += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most_named)
    what += " and " + std::to_string(names.size() - most_named) + " more";
  return {0, what};
}

} // namespace

result<std::vector<std::string>> list_operating_systems(const std::string& folder) {
  auto fd = open_operator_folder(folder, called(folder));
  return fd ? list_folder(fd->get(), folder) : fd.why();
}

result<os_definition> load_os_definition(const std::string& folder, const std::string& name) {
  auto fd = open_operator_folder(folder, called(folder));
  if (!fd)
    return fd.why();
  auto names = list_folder(fd->get(), folder);
  if (!names)
    return names.why();
  if (!std::binary_search(names->begin(), names->end(), name))
    return unknown(name, *names, folder);
  auto file = folder + (folder.ends_with('/') ? "" : "/") + name + std::string{extension};
  auto text = read_operator_file(fd->get(), name + std::string{extension}, printable(file, 4096),
                                 max_json_bytes, symlinks::refused);
  if (!text)
    return text.why();
  auto os = parse_os_definition(*text, file);
  if (os)
    os->folder = std::move(*fd);
  return os;
}

} // namespace crosvisor::io
