// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/file_cid_store.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <string_view>

namespace crosvisor::io {

namespace {

// Ten digits, as many as a CID can have, and a newline: each write replaces the one before whole.
constexpr std::size_t digits = 10;

std::string to_text(vm_cid cid) {
  auto number = std::to_string(cid);
  return std::string(digits - number.size(), '0') + number + "\n";
}

// no_cid for anything but what to_text makes of a CID that a VM may have (linux/vm_sockets.h).
vm_cid parse(std::string_view text) {
  vm_cid cid = no_cid;
  auto* end = text.data() + digits;
  if (text.size() != digits + 1 || text.back() != '\n')
    return no_cid;
  auto parsed = std::from_chars(text.data(), end, cid);
  if (parsed.ec != std::errc{} || parsed.ptr != end)
    return no_cid;
  return cid > 2 && cid < std::numeric_limits<vm_cid>::max() ? cid : no_cid;
}

class file_cid_store final : public cid_store {
public:
  file_cid_store(unique_fd file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  vm_cid load() override {
    char text[digits + 2] = {};
    auto got = ::pread(file_.get(), text, sizeof(text), 0);
    if (got == 0)
      return no_cid;
    auto cid = got < 0 ? no_cid : parse({text, static_cast<std::size_t>(got)});
    if (cid == no_cid && !std::exchange(complained_, true))
      log::warn("cid store \"{}\" has no CID in it; CIDs start over", path_);
    return cid;
  }

  void save(vm_cid cid) override {
    auto text = to_text(cid);
    auto injected_code = reach(failpoint::save_cid);
    auto done = injected_code != 0 ? (errno = injected_code, -1)
                                   : ::pwrite(file_.get(), text.data(),
                                              at_most(failpoint::save_cid, text.size()), 0);
    if (done == static_cast<ssize_t>(text.size()))
      return;
    if (!std::exchange(failed_, true))
      log::warn("cid store \"{}\" can't be written: {}", path_,
                done < 0 ? std::strerror(errno) : "short write");
  }

private:
  unique_fd file_;
  std::string path_;
  bool complained_ = false;
  bool failed_ = false;
};

} // namespace

result<std::shared_ptr<cid_store>> open_file_cid_store(const std::string& state_dir) {
  auto dir = open_private_dir(state_dir);
  if (!dir)
    return dir.why();
  auto path = state_dir + "/last_cid";
  auto flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  unique_fd file{::openat(dir->get(), "last_cid", flags, 0600)};
  struct stat is;
  if (!file || ::fstat(file.get(), &is) != 0)
    return last_failure("cid store \"" + path + "\"");
  if (!S_ISREG(is.st_mode))
    return failure{EINVAL, "cid store \"" + path + "\" is not a regular file"};
  std::shared_ptr<cid_store> store =
    std::make_shared<file_cid_store>(std::move(file), std::move(path));
  return store;
}

} // namespace crosvisor::io
