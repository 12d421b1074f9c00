// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_record.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/folder_lock.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

namespace crosvisor::io {

namespace {

/// A launch of as many partitions as there may be has about a tenth of this.
constexpr std::size_t max_record_bytes = 16u << 20;

result<unique_fd> open_records(const std::string& state_dir) {
  return open_private_dir(keeper_records_path(state_dir));
}

constexpr std::string_view last_suffix = ".last";

std::string path_of(const std::string& state_dir, vm_cid cid,
                    kept_life which = kept_life::present) {
  return keeper_records_path(state_dir) + "/" + kept_life_name(cid, which);
}

bool is_there(int folder, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(folder, &opened) == 0 && ::lstat(path.c_str(), &named) == 0
         && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

} // namespace

std::string keeper_records_path(const std::string& state_dir) {
  return state_dir + "/keepers";
}

std::string kept_life_name(vm_cid cid, kept_life which) {
  auto name = std::to_string(cid);
  return which == kept_life::last ? name.append(last_suffix) : name;
}

std::pair<vm_cid, kept_life> parse_kept_life(std::string_view name) noexcept {
  auto which = kept_life::present;
  if (name.ends_with(last_suffix)) {
    which = kept_life::last;
    name.remove_suffix(last_suffix.size());
  }
  vm_cid cid = no_cid;
  const auto* end = name.data() + name.size();
  auto parsed = std::from_chars(name.data(), end, cid);
  auto is_one = parsed.ec == std::errc{} && parsed.ptr == end && cid > 2;
  return {is_one ? cid : no_cid, which};
}

result<keeper_record> keeper_record::make(const std::string& state_dir, vm_cid cid) {
  auto all = open_records(state_dir);
  if (!all)
    return all.why();
  auto path = path_of(state_dir, cid);
  constexpr int tries = 100;
  for (int i = 0; i < tries; ++i) {
    auto folder = open_private_dir_at(all->get(), std::to_string(cid), path);
    if (!folder)
      return folder.why();
    keeper_record made{std::move(*folder), path};
    if (auto locked = made.lock(); !locked)
      return locked.why();
    if (!is_there(made.fd(), path))
      continue; // Removed before it was locked.
    if (auto emptied = empty_dir(made.fd()); !emptied)
      return failure{emptied.why().code, "record " + in_quotes(path) + ": " + emptied.why().what};
    return made;
  }
  return failure{EBUSY, "record " + in_quotes(path) + " is removed again and again"};
}

result<keeper_record> keeper_record::open(const std::string& state_dir, vm_cid cid,
                                          kept_life which) {
  auto path = path_of(state_dir, cid, which);
  unique_fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!folder)
    return last_failure("record " + in_quotes(path));
  return keeper_record{std::move(folder), std::move(path)};
}

bool keeper_record::exists(const std::string& state_dir, vm_cid cid) noexcept {
  auto has = [&](kept_life which) {
    return ::access(path_of(state_dir, cid, which).c_str(), F_OK) == 0;
  };
  return has(kept_life::present) || has(kept_life::last);
}

keeper_record keeper_record::inherit(unique_fd folder, std::string path) {
  return {std::move(folder), std::move(path)};
}

result<void> keeper_record::lock() {
  if (lock_folder(fd()))
    return {};
  if (errno != EWOULDBLOCK)
    return last_failure("record " + in_quotes(path_));
  return failure{EBUSY, "record " + in_quotes(path_) + " is that of a living keeper"};
}

bool keeper_record::is_held() const noexcept {
  return is_folder_locked(fd());
}

std::string keeper_record::named(const char* name) const {
  return "record " + in_quotes(path_ + "/" + name);
}

result<void> keeper_record::replace(const char* name, const std::string& text, durability until) {
  auto fresh = std::string{name} + ".new";
  auto flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  unique_fd file{::openat(fd(), fresh.c_str(), flags, 0600)};
  if (!file)
    return last_failure(named(name));
  auto refuse = [&](failure why) -> result<void> {
    ::unlinkat(fd(), fresh.c_str(), 0);
    return why;
  };
  if (auto written = write_at(file.get(), 0, text); !written)
    return refuse({written.why().code, named(name) + ": " + written.why().what});
  if (until == durability::host && ::fsync(file.get()) != 0)
    return refuse(last_failure(named(name)));
  if (auto why = injected(failpoint::replace_record))
    return refuse(*why);
  if (::renameat(fd(), fresh.c_str(), fd(), name) != 0)
    return refuse(last_failure(named(name)));
  if (until == durability::host && ::fsync(fd()) != 0)
    return last_failure(named(name));
  return {};
}

result<void> keeper_record::write_launch(const std::string& text) {
  return replace("launch", text, durability::process);
}

result<void> keeper_record::write_notes(const vm_notes& notes) {
  return replace("notes", to_line(to_json(notes)) + '\n', durability::process);
}

result<void> keeper_record::write_exit(const vmm_exit& exit) {
  return replace("exit", to_line(to_json(exit)) + '\n', durability::host);
}

result<std::optional<std::string>> keeper_record::read(const char* name) const {
  // Not to wait where somebody has put a FIFO, which read_bounded() fails with.
  unique_fd file{::openat(fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file && errno == ENOENT)
    return std::optional<std::string>{};
  if (!file)
    return last_failure(named(name));
  auto text = read_bounded(file.get(), max_record_bytes + 1);
  if (!text)
    return failure{text.why().code, named(name) + ": " + text.why().what};
  if (text->size() > max_record_bytes)
    return failure{EFBIG,
                   named(name) + " has more than " + std::to_string(max_record_bytes) + " bytes"};
  return std::optional{std::move(*text)};
}

result<std::optional<std::string>> keeper_record::read_launch() const {
  return read("launch");
}

result<std::optional<vm_notes>> keeper_record::read_notes() const {
  auto text = read("notes");
  if (!text)
    return text.why();
  if (!*text)
    return std::optional<vm_notes>{};
  auto notes = notes_from_json(nlohmann::json::parse(**text, nullptr, false));
  if (!notes)
    return failure{EBADMSG, named("notes") + " is no object of at most " + std::to_string(max_notes)
                              + " texts"};
  return notes;
}

result<std::optional<vmm_exit>> keeper_record::read_exit() const {
  auto text = read("exit");
  if (!text)
    return text.why();
  if (!*text)
    return std::optional<vmm_exit>{};
  auto exit = exit_from_json(nlohmann::json::parse(**text, nullptr, false));
  if (!exit)
    return failure{EBADMSG, named("exit") + " doesn't say how a VMM ended"};
  return exit;
}

result<void> keeper_record::step_aside() {
  if (path_.ends_with(last_suffix))
    return {};
  auto aside = path_ + std::string{last_suffix};
  if (auto why = injected(failpoint::step_aside))
    return *why;
  if (::rename(path_.c_str(), aside.c_str()) != 0)
    return last_failure("record " + in_quotes(aside));
  path_ = std::move(aside);
  return {};
}

result<void> keeper_record::remove() {
  if (auto locked = lock(); !locked)
    return locked;
  if (!is_there(fd(), path_))
    return {}; // Somebody else did, and what is there now is a new keeper's.
  auto slash = path_.rfind('/');
  auto parent = open_private_dir(path_.substr(0, slash));
  if (!parent)
    return parent.why();
  if (auto why = injected(failpoint::remove_record))
    return *why;
  if (auto removed = remove_tree(parent->get(), path_.substr(slash + 1)); !removed)
    return failure{removed.why().code, "record " + in_quotes(path_) + ": " + removed.why().what};
  return {};
}

} // namespace crosvisor::io
