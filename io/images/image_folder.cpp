// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/image_folder.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

constexpr std::string_view upload_prefix = ".part-";
constexpr std::string_view gone_prefix = ".gone-";
constexpr const char* owner_file = ".owner";
constexpr const char* data_file = "data";
constexpr const char* record_file = "record";
constexpr const char* new_record_file = "record.new";

constexpr std::size_t most_record_bytes = 4096;
constexpr int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string upload_entry(const std::string& name) {
  return std::string{upload_prefix} + name;
}

std::string label(const std::string& name) {
  return "image " + in_quotes(name);
}

/// A regular file in `dir`, with nobody's symlink followed and no FIFO waited for.
result<unique_fd> open_file(int dir, const char* file, int flags, struct stat* is = nullptr) {
  struct stat own;
  is = is == nullptr ? &own : is;
  unique_fd fd{::openat(dir, file, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
  if (!fd || ::fstat(fd.get(), is) != 0)
    return last_failure(file);
  if (!S_ISREG(is->st_mode))
    return failure{EINVAL, std::string{file} + " is not a regular file"};
  // Those who get it expect reads that block.
  if (::fcntl(fd.get(), F_SETFL, 0) != 0)
    return last_failure(file);
  return fd;
}

result<unique_fd> open_dir(int dir, const std::string& name) {
  unique_fd fd{::openat(dir, name.c_str(), dir_flags)};
  return fd ? result<unique_fd>{std::move(fd)} : last_failure(name);
}

result<std::string> read_text(int dir, const char* file) {
  auto fd = open_file(dir, file, O_RDONLY);
  return fd ? read_bounded(fd->get(), most_record_bytes) : fd.why();
}

result<void> sync_dir(int dir) {
  return ::fsync(dir) == 0 ? result<void>{} : last_failure("fsync");
}

/// All of it, or what was there before.
result<void> replace_text(int dir, const char* file, const char* as, const std::string& text) {
  auto fd = open_file(dir, as, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd)
    return fd.why();
  if (auto written = write_at(fd->get(), 0, text); !written)
    return written;
  if (::fsync(fd->get()) != 0 || ::renameat(dir, as, dir, file) != 0)
    return last_failure(file);
  return sync_dir(dir);
}

result<void> put_record(int entry, const image_record& image) {
  return replace_text(entry, record_file, new_record_file, to_json_value(image).dump() + '\n');
}

/// Of an entry that is to be called `name`.
std::optional<image_record> read_record(int entry, const std::string& name) {
  auto text = read_text(entry, record_file);
  auto value = text ? json::parse(*text, nullptr, false) : json{};
  image_record record;
  value_reader reader;
  auto is_one = reader.read(value, record, "record") && record.name == name
                && (record.sha256.empty() || valid_sha256(record.sha256));
  return is_one ? std::optional{std::move(record)} : std::nullopt;
}

failure named(const std::string& name, const failure& why) {
  return {why.code, label(name) + ": " + why.what};
}

} // namespace

std::string folder_name_of(const std::string& owner) {
  constexpr std::string_view user = "uid ";
  if (owner.starts_with(user))
    return "uid-" + owner.substr(user.size());
  sha256 sum;
  sum.add(owner);
  return "subject-" + sum.digits();
}

// -- the folder ---------------------------------------------------------------

result<image_folder> image_folder::open(int store, const std::string& owner) {
  auto name = folder_name_of(owner);
  auto dir = open_private_dir_at(store, name, "images/" + name);
  if (!dir)
    return dir.why();
  auto whose = read_text(dir->get(), owner_file);
  if (whose && *whose == owner + '\n')
    return image_folder{std::move(*dir), owner};
  if (auto put = replace_text(dir->get(), owner_file, ".owner.new", owner + '\n'); !put)
    return put.why();
  if (auto synced = sync_dir(store); !synced)
    return synced.why();
  return image_folder{std::move(*dir), owner};
}

result<image_folder> image_folder::open_named(int store, const std::string& folder) {
  auto dir = open_dir(store, folder);
  if (!dir)
    return dir.why();
  auto whose = read_text(dir->get(), owner_file);
  if (!whose)
    return whose.why();
  auto owner = whose->substr(0, whose->find('\n'));
  if (folder_name_of(owner) != folder)
    return failure{EINVAL, "is not the folder of " + printable(owner, 256)};
  return image_folder{std::move(*dir), std::move(owner)};
}

result<image_folder::content> image_folder::load() const {
  auto names = list_dir(dir_.get());
  if (!names)
    return names.why();
  content all;
  for (const auto& entry : *names) {
    if (entry == owner_file)
      continue;
    if (entry.starts_with(gone_prefix)) {
      (void)remove_tree(dir_.get(), entry);
      continue;
    }
    auto is_upload = entry.starts_with(upload_prefix);
    auto name = is_upload ? entry.substr(upload_prefix.size()) : entry;
    auto dir = valid_image_name(name) ? open_dir(dir_.get(), entry) : failure{EINVAL, {}};
    auto record = dir ? read_record(dir->get(), name) : std::nullopt;
    struct stat is {};
    auto data = record ? open_file(dir->get(), data_file, O_RDONLY, &is) : failure{EINVAL, {}};
    auto size = data ? static_cast<std::uint64_t>(is.st_size) : 0;
    if (data && is_upload && !record->sha256.empty() && size <= record->size_bytes)
      all.uploads.push_back(std::move(*record));
    else if (data && !is_upload && size == record->size_bytes)
      all.images.push_back(std::move(*record));
    else if (is_upload) // One that was killed at its very beginning.
      (void)remove_tree(dir_.get(), entry);
    else
      all.strange.push_back(entry);
  }
  return all;
}

result<void> image_folder::remove(const std::string& entry) const {
  static std::atomic<std::uint64_t> last{0};
  if (auto why = injected(failpoint::remove_image))
    return *why;
  std::string gone;
  for (;;) {
    gone = std::string{gone_prefix} + std::to_string(++last);
    if (::renameat2(dir_.get(), entry.c_str(), dir_.get(), gone.c_str(), RENAME_NOREPLACE) == 0)
      break;
    if (errno == ENOENT)
      return {};
    if (errno != EEXIST)
      return last_failure(entry);
  }
  auto synced = sync_dir(dir_.get());
  auto removed = remove_tree(dir_.get(), gone);
  return synced ? removed : synced;
}

// -- images -------------------------------------------------------------------

result<unique_fd> image_folder::open_image(const std::string& name, bool writable,
                                           struct stat* is) const {
  auto dir = open_dir(dir_.get(), name);
  if (!dir)
    return named(name, dir.why());
  auto data = open_file(dir->get(), data_file, writable ? O_RDWR : O_RDONLY, is);
  return data ? std::move(data) : named(name, data.why());
}

result<void> image_folder::write_record(const image_record& image) const {
  auto dir = open_dir(dir_.get(), image.name);
  auto put = dir ? put_record(dir->get(), image) : result<void>{dir.why()};
  return put ? put : named(image.name, put.why());
}

// -- uploads ------------------------------------------------------------------

result<unique_fd> image_folder::begin_upload(const image_record& wanted) const {
  auto entry = upload_entry(wanted.name);
  if (auto removed = remove(entry); !removed)
    return named(wanted.name, removed.why());
  if (auto why = injected(failpoint::begin_upload))
    return *why;
  if (::mkdirat(dir_.get(), entry.c_str(), 0700) != 0)
    return named(wanted.name, last_failure("mkdir"));
  auto dir = open_dir(dir_.get(), entry);
  auto data = dir ? open_file(dir->get(), data_file, O_RDWR | O_CREAT | O_EXCL)
                  : result<unique_fd>{dir.why()};
  auto put = data ? put_record(dir->get(), wanted) : result<void>{data.why()};
  auto synced = put ? sync_dir(dir_.get()) : put;
  if (synced)
    return std::move(*data);
  (void)remove_tree(dir_.get(), entry);
  return named(wanted.name, synced.why());
}

result<unique_fd> image_folder::open_upload(const image_record& wanted) const {
  auto dir = open_dir(dir_.get(), upload_entry(wanted.name));
  if (!dir)
    return named(wanted.name, dir.why());
  auto record = read_record(dir->get(), wanted.name);
  if (!record || record->size_bytes != wanted.size_bytes || record->sha256 != wanted.sha256)
    return failure{ENOENT, label(wanted.name) + ": another upload was begun"};
  auto data = open_file(dir->get(), data_file, O_RDWR);
  return data ? std::move(data) : named(wanted.name, data.why());
}

std::int64_t image_folder::upload_written_s(const std::string& name) const {
  auto dir = open_dir(dir_.get(), upload_entry(name));
  struct stat is;
  if (!dir || ::fstatat(dir->get(), data_file, &is, AT_SYMLINK_NOFOLLOW) != 0)
    return 0;
  return is.st_mtim.tv_sec;
}

result<void> image_folder::finish_upload(const image_record& image, int data) const {
  auto entry = upload_entry(image.name);
  auto dir = open_dir(dir_.get(), entry);
  if (!dir)
    return named(image.name, dir.why());
  if (::fsync(data) != 0)
    return named(image.name, last_failure("fsync"));
  if (auto put = put_record(dir->get(), image); !put)
    return named(image.name, put.why());
  if (auto why = injected(failpoint::store_image))
    return *why;
  if (::renameat2(dir_.get(), entry.c_str(), dir_.get(), image.name.c_str(), RENAME_NOREPLACE) != 0)
    return named(image.name, last_failure("rename"));
  auto why = injected(failpoint::image_stored);
  auto synced = why ? result<void>{*why} : sync_dir(dir_.get());
  if (!synced)
    (void)remove_tree(dir_.get(), image.name);
  return synced ? synced : named(image.name, synced.why());
}

result<void> image_folder::remove_upload(const std::string& name) const {
  auto removed = remove(upload_entry(name));
  return removed ? removed : named(name, removed.why());
}

} // namespace crosvisor::io
