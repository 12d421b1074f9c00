// SPDX-License-Identifier: Apache-2.0
#include "payload.hpp"

#include "../vsock/stream.hpp"
#include "apk_files.hpp"
#include "partition.hpp"
#include "program_file.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

constexpr auto launcher = "/bin/microdroid_launcher";

/// The configuration's text, which stays until the guest ends.
outcome load_config(std::string_view path, char*& text, std::size_t& size) {
  char name[1200];
  std::snprintf(name, sizeof name, "%.*s", static_cast<int>(path.size()), path.data());
  auto fd = ::open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return wrong_by_errno(cause::invalid_config, "can't open the configuration %s", name);
  text = static_cast<char*>(std::malloc(most_config + 1));
  auto got = text == nullptr ? -1 : read_front(fd, text, most_config + 1);
  ::close(fd);
  if (got < 0)
    return wrong_by_errno(cause::invalid_config, "can't read the configuration %s", name);
  size = static_cast<std::size_t>(got);
  if (size > most_config)
    return wrong(cause::invalid_config, "the configuration %s has more than %zu bytes", name,
                 most_config);
  return {};
}

/// The task that the configuration has, or the one that the metadata stands for.
outcome find_task(const payload_metadata& metadata, task& found) {
  if (!metadata.config_path.empty()) {
    char* text = nullptr;
    std::size_t size = 0;
    auto loaded = load_config(metadata.config_path, text, size);
    return loaded.good() ? read_payload_config(text, size, found) : loaded;
  }
  static char name[256];
  auto given = metadata.binary_name;
  std::snprintf(name, sizeof name, "%.*s", static_cast<int>(given.size()), given.data());
  found = {};
  found.launched = true;
  found.command = name;
  if (given.size() >= sizeof name || !is_file_name(name))
    return wrong(cause::invalid_config, "the payload's binary \"%s\" is no name of a file", name);
  return {};
}

/// Android's names for what this machine runs: the first that the APK has a folder for.
const char* abi() {
  static utsname machine;
  if (::uname(&machine) != 0)
    return "x86_64";
  return std::strcmp(machine.machine, "aarch64") == 0 ? "arm64-v8a" : machine.machine;
}

void write_path(const task& what, payload& found) {
  auto put = [&](const char* format, const char* folder) {
    auto size = std::snprintf(found.path, sizeof found.path, format, folder, what.command);
    if (size < 0 || static_cast<std::size_t>(size) >= sizeof found.path)
      found.path[0] = '\0';
  };
  if (what.launched)
    std::snprintf(found.path, sizeof found.path, "%s/lib/%s/%s", apk_folder, abi(), what.command);
  else if (*what.command == '/')
    put("%s%s", "");
  else
    put("%s/%s", apk_folder);
}

} // namespace

outcome find_payload(const payload_metadata& metadata, payload& found) {
  static task what;
  if (auto read = find_task(metadata, what); !read.good())
    return read;
  write_path(what, found);
  auto kind = kind_of_program(found.path);
  if (kind == program_kind::none)
    return wrong(cause::invalid_config, "the payload's binary %s is not there", what.command);
  auto count = 0;
  if (what.launched && kind == program_kind::library)
    found.words[count++] = launcher;
  found.words[count++] = found.path;
  for (auto i = 0; i < what.argument_count; ++i)
    found.words[count++] = what.arguments[i];
  // Whoever made the APK may not have known that it is one.
  if (std::strncmp(found.path, apk_folder, std::strlen(apk_folder)) == 0)
    ::chmod(found.path, 0755);
  return {};
}

int run_payload(const payload& what, bool has_vsock) {
  const char* words[task::most_arguments + 6] = {};
  auto count = 0;
  if (has_vsock) {
    for (auto* word : {"/bin/vsock", "output", "--"})
      words[count++] = word;
  }
  for (auto* const* word = what.words; *word != nullptr; ++word)
    words[count++] = *word;
  return run_program(const_cast<char* const*>(words), -1);
}

} // namespace crosvisor::guest
