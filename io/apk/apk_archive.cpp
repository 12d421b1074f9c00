// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/apk_archive.hpp"

#include "crosvisor/io/apk/zip_input.hpp"
#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

struct close_archive {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};

struct close_entry {
  void operator()(zip_file_t* entry) const noexcept { zip_fclose(entry); }
};

/// A host that can't read its file is at fault; whatever else libzip says, the archive is.
failure as_failure(const zip_error_t& error) {
  auto system = error.sys_err;
  switch (error.zip_err) {
    case ZIP_ER_READ:
      if (system == EFBIG)
        return {0, "has more to read than an APK may: a ZIP directory of "
                     + std::to_string(max_archive_entries) + " entries and "
                     + std::to_string(max_directory_bytes) + " bytes"};
      return {system, std::string{"can't be read: "} + std::strerror(system)};
    case ZIP_ER_MEMORY: return {ENOMEM, "can't be read: no memory"};
    case ZIP_ER_CRC: return {0, "is damaged: its checksum is wrong"};
    case ZIP_ER_EOF: return {0, "is damaged: it is cut short"};
    default: break;
  }
  zip_error_t copy;
  zip_error_init(&copy);
  zip_error_set(&copy, error.zip_err, system);
  std::string words = zip_error_strerror(&copy);
  zip_error_fini(&copy);
  return {0, "is damaged, or no ZIP archive: " + words};
}

failure about(const std::string& name, const failure& why) {
  return {why.code, printable(name, 400) + ": " + why.what};
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// The entry that somebody may have meant: of the same name in another folder, or else a name that
/// is nearly the same.
std::optional<std::string> meant(const std::string& name, const std::vector<std::string>& entries) {
  constexpr std::size_t most_compared = 64;
  std::vector<std::string> candidates;
  for (const auto& entry : entries) {
    if (base_name(entry) == base_name(name))
      return entry;
    auto begin = std::string_view{entry}.substr(0, name.find_first_of("/."));
    if (candidates.size() < most_compared && entry.size() < 2 * name.size() + 8
        && (name.starts_with(begin) || entry.ends_with(".json")))
      candidates.push_back(entry);
  }
  return nearest_word(name, candidates);
}

} // namespace

struct apk_archive::opened {
  explicit opened(zip_input from) : input(std::move(from)) {}

  std::string name_of(std::size_t index) const {
    const auto* name = zip_get_name(zip.get(), index, ZIP_FL_ENC_RAW);
    return name == nullptr ? "" : name;
  }

  zip_input input;
  std::unique_ptr<zip_t, close_archive> zip;
  std::size_t entries = 0;
};

apk_archive::apk_archive(std::unique_ptr<opened> archive) : archive_(std::move(archive)) {}
apk_archive::apk_archive(apk_archive&&) noexcept = default;
apk_archive& apk_archive::operator=(apk_archive&&) noexcept = default;
apk_archive::~apk_archive() = default;

result<apk_archive> apk_archive::open(int fd) {
  auto input = zip_input::open(fd);
  if (!input)
    return input.why();
  auto archive = std::make_unique<opened>(std::move(*input));
  zip_error_t error{};
  auto* source = zip_source_function_create(&zip_input::answer, &archive->input, &error);
  if (source == nullptr)
    return as_failure(error);
  // libzip reads an entry's fixed part and its name, and a few things before.
  archive->input.allow(max_directory_bytes, 2 * max_archive_entries + 64);
  archive->zip.reset(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!archive->zip) {
    zip_source_free(source);
    return as_failure(error);
  }
  auto entries = zip_get_num_entries(archive->zip.get(), 0);
  if (entries < 0 || static_cast<std::uint64_t>(entries) > max_archive_entries)
    return failure{0, std::to_string(entries) + " entries; an APK has at most "
                        + std::to_string(max_archive_entries)};
  archive->entries = static_cast<std::size_t>(entries);
  return apk_archive{std::move(archive)};
}

std::size_t apk_archive::size() const {
  return archive_->entries;
}

std::vector<std::string> apk_archive::names(std::size_t most) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(most, archive_->entries); ++i)
    names.push_back(archive_->name_of(i));
  return names;
}

namespace {

/// The one entry of that name.
result<std::size_t> locate(const std::string& name, const std::vector<std::string>& entries) {
  auto found = std::find(entries.begin(), entries.end(), name);
  if (found == entries.end() || name.empty()) {
    auto suggested = meant(name, entries);
    return failure{0, "no such entry"
                        + (suggested ? "; did you mean " + in_quotes(*suggested) + '?' : "")};
  }
  if (std::find(found + 1, entries.end(), name) != entries.end())
    return failure{0, "the archive has two entries of this name"};
  return static_cast<std::size_t>(found - entries.begin());
}

/// What the directory says of an entry, before a byte of it is read.
result<zip_stat_t> look_at(zip_t* zip, std::size_t index, std::size_t most) {
  zip_stat_t is;
  zip_stat_init(&is);
  constexpr zip_uint64_t needed =
    ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(zip, index, 0, &is) != 0 || (is.valid & needed) != needed)
    return failure{0, "is damaged: its directory entry is incomplete"};
  if (is.encryption_method != ZIP_EM_NONE)
    return failure{0, "is encrypted"};
  if (is.comp_method != ZIP_CM_STORE && is.comp_method != ZIP_CM_DEFLATE)
    return failure{0, "is compressed by method " + std::to_string(is.comp_method)
                        + "; APKs store or deflate"};
  if (is.size > most)
    return failure{0, std::to_string(is.size) + " bytes; at most " + std::to_string(most)
                        + " are allowed"};
  // Deflate makes nothing larger by more than 5 bytes in 16 KiB; what has more holds blocks of
  // nothing, and would be read for ever.
  if (is.comp_size > is.size + is.size / 1024 + 1024)
    return failure{0, std::to_string(is.comp_size) + " bytes compressed, of "
                        + std::to_string(is.size) + ": is damaged"};
  return is;
}

/// Reads the entry to its end, at which libzip checks its size and checksum.
result<std::string> read_entry(zip_file_t* entry, std::size_t size) {
  // A byte more than there may be: the end is only found by reading on.
  std::string bytes(size + 1, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto n = zip_fread(entry, bytes.data() + done, bytes.size() - done);
    if (n < 0)
      return as_failure(*zip_file_get_error(entry));
    if (n == 0)
      break;
    done += static_cast<std::size_t>(n);
  }
  if (done != size)
    return failure{0, "is damaged: it has not the " + std::to_string(size)
                        + " bytes that the directory says"};
  bytes.resize(size);
  return bytes;
}

} // namespace

result<std::string> apk_archive::read(const std::string& name, std::size_t most) const {
  auto* zip = archive_->zip.get();
  auto index = locate(name, names(archive_->entries));
  if (!index)
    return about(name, index.why());
  auto is = look_at(zip, *index, most);
  if (!is)
    return about(name, is.why());
  constexpr std::uint64_t local_header_bytes = 30 + 2 * 65'535;
  archive_->input.allow(is->comp_size + local_header_bytes, is->comp_size / 512 + 64);
  std::unique_ptr<zip_file_t, close_entry> entry{zip_fopen_index(zip, *index, 0)};
  if (!entry)
    return about(name, as_failure(*zip_get_error(zip)));
  auto bytes = read_entry(entry.get(), is->size);
  return bytes ? std::move(bytes) : about(name, bytes.why());
}

} // namespace crosvisor::io
