// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/file_event_journal.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/path_lock.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

constexpr const char* file_name = "events";
constexpr const char* old_file_name = "events.1";
/// More than a file and the VMs at its beginning come to.
constexpr std::size_t most_read = 64u << 20;

template <class T>
std::string line_of(const char* key, const T& value) {
  return json{{key, to_json_value(value)}}.dump() + '\n';
}

/// Numbers of enums are checked by their reader for their size alone.
bool is_known(const vm_event& event) {
  return to_string(event.kind) != "invalid" && to_string(event.state) != "invalid";
}

bool is_known(const kept_event& kept) {
  return kept.event.cid != no_cid && is_known(kept.event);
}

bool is_known(const told_vm& vm) {
  const auto& told = vm.history.told;
  return vm.cid != no_cid && is_known(vm.history.last_state_event)
         && std::none_of(told.begin(), told.end(),
                         [](vm_event_kind kind) { return to_string(kind) == "invalid"; });
}

/// Takes one line of a file.
/// @returns whether it was one.
bool take_line(std::string_view line, told_events& known, std::size_t most) {
  auto value = json::parse(line, nullptr, false);
  if (!value.is_object() || value.size() != 1)
    return false;
  const auto& key = value.begin().key();
  const auto& what = value.begin().value();
  value_reader reader;
  kept_event event;
  told_vm vm;
  std::uint64_t number = 0;
  if (key == "event" && reader.read(what, event, key) && is_known(event)) {
    known.take(std::move(event), most);
  } else if (key == "vm" && reader.read(what, vm, key) && is_known(vm)) {
    known.living[vm.cid] = vm;
  } else if (key == "number" && reader.read(what, number, key)) {
    known.last_number = std::max(known.last_number, number);
  } else {
    return false;
  }
  return true;
}

class file_event_journal final : public event_journal {
public:
  file_event_journal(unique_fd dir, std::string path, path_lock lock, event_journal_options options)
      : dir_(std::move(dir)), path_(std::move(path)), lock_(std::move(lock)), options_(options) {}

  /// What is there, and a file to go on with.
  result<void> open();

  told_events load() override { return known_; }
  void append(const kept_event& event) override;

private:
  result<void> open_file();
  void read_file(const char* name);
  void rotate();
  void put(std::string_view text);
  void complain(const std::string& why);

  unique_fd dir_;
  std::string path_;
  path_lock lock_;
  event_journal_options options_;
  told_events known_;
  unique_fd file_;
  std::uint64_t size_ = 0;
  /// What is appended next begins a line of its own.
  bool torn_ = false;
  bool complained_ = false;
};

result<void> file_event_journal::open() {
  read_file(old_file_name);
  read_file(file_name);
  return open_file();
}

result<void> file_event_journal::open_file() {
  auto flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  unique_fd file{::openat(dir_.get(), file_name, flags, 0600)};
  struct stat is;
  if (!file || ::fstat(file.get(), &is) != 0)
    return last_failure("event journal \"" + path_ + "\"");
  if (!S_ISREG(is.st_mode))
    return failure{EINVAL, "event journal \"" + path_ + "\" is not a regular file"};
  file_ = std::move(file);
  size_ = static_cast<std::uint64_t>(is.st_size);
  return {};
}

void file_event_journal::read_file(const char* name) {
  unique_fd file{::openat(dir_.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file && errno == ENOENT)
    return;
  auto text = file ? read_bounded(file.get(), most_read) : result<std::string>{last_failure(name)};
  if (!text) {
    log::warn("event journal can't read \"{}\": {}", name, text.why().what);
    return;
  }
  std::size_t lost = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty() && !take_line(line, known_, options_.kept_events))
      ++lost;
  }
  torn_ = !text->empty() && text->back() != '\n';
  // One may be torn by a crash.
  if (lost > 1)
    log::warn("event journal passes over {} lines of \"{}\" that it can't read", lost, name);
}

void file_event_journal::append(const kept_event& event) {
  if (!file_ || size_ >= options_.file_bytes)
    rotate();
  known_.take(event, options_.kept_events);
  put(line_of("event", event));
}

/// The new file begins with all that is needed of the old ones.
void file_event_journal::rotate() {
  if (file_ && ::renameat(dir_.get(), file_name, dir_.get(), old_file_name) != 0)
    return complain(last_failure("rename").what);
  file_.reset();
  torn_ = false;
  if (auto opened = open_file(); !opened)
    return complain(opened.why().what);
  auto text = line_of("number", known_.last_number);
  for (const auto& [cid, vm] : known_.living)
    text += line_of("vm", vm);
  put(text);
  // The VMs don't count, or many of them would fill a file by themselves.
  size_ = 0;
}

void file_event_journal::put(std::string_view text) {
  if (!file_)
    return;
  auto line = torn_ ? '\n' + std::string{text} : std::string{text};
  auto code = reach(failpoint::write_journal);
  auto done = code != 0
                ? (errno = code, -1)
                : ::write(file_.get(), line.data(), at_most(failpoint::write_journal, line.size()));
  if (done > 0)
    size_ += static_cast<std::uint64_t>(done);
  auto whole = done == static_cast<ssize_t>(line.size());
  if (done > 0)
    torn_ = !whole;
  if (!whole)
    complain(done < 0 ? std::strerror(errno) : "short write");
}

void file_event_journal::complain(const std::string& why) {
  if (!std::exchange(complained_, true))
    log::error("event journal \"{}\" can't be written, so that a restart loses events: {}", path_,
               why);
}

} // namespace

result<std::unique_ptr<event_journal>> open_file_event_journal(const std::string& state_dir,
                                                               event_journal_options options) {
  auto dir = open_private_dir(state_dir);
  if (!dir)
    return dir.why();
  auto path = state_dir + '/' + file_name;
  auto lock = path_lock::take(path);
  if (!lock)
    return lock.why();
  auto journal =
    std::make_unique<file_event_journal>(std::move(*dir), path, std::move(*lock), options);
  if (auto opened = journal->open(); !opened)
    return opened.why();
  return std::unique_ptr<event_journal>{std::move(journal)};
}

} // namespace crosvisor::io
