// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/output_relay.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

constexpr unsigned memory_devices = 1; // null, zero, full (admin-guide/devices.txt of Linux)

std::atomic<int> relays = 0;

void write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    auto done = ::write(to, bytes.data(), bytes.size());
    if (done < 0 && errno == EAGAIN) {
      pollfd ready{to, POLLOUT, 0};
      ::poll(&ready, 1, -1); // The owner's time, not ours.
    } else if (done <= 0 && errno != EINTR) {
      return;
    }
    bytes.remove_prefix(done > 0 ? static_cast<std::size_t>(done) : 0);
  }
}

void relay(unique_fd from, unique_fd to) {
  std::vector<char> buffer(64u << 10);
  for (;;) {
    auto got = ::read(from.get(), buffer.data(), buffer.size());
    if (got > 0)
      write_all(to.get(), {buffer.data(), static_cast<std::size_t>(got)});
    else if (got == 0 || errno != EINTR)
      break;
  }
  from.reset();
  to.reset();
  --relays;
}

} // namespace

bool needs_relay(int fd, const struct stat& is) noexcept {
  if (S_ISCHR(is.st_mode))
    return major(is.st_rdev) != memory_devices;
  constexpr unsigned long kinds[] = {FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC,  CIFS_SUPER_MAGIC,
                                     SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,
                                     CODA_SUPER_MAGIC, V9FS_MAGIC};
  struct statfs fs;
  return S_ISREG(is.st_mode)
         && (::fstatfs(fd, &fs) != 0
             || std::find(std::begin(kinds), std::end(kinds), static_cast<unsigned long>(fs.f_type))
                  != std::end(kinds));
}

result<unique_fd> relay_to(unique_fd to) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return last_failure("output pipe");
  unique_fd reader{ends[0]}, writer{ends[1]};
  if (::fcntl(writer.get(), F_SETFL, O_NONBLOCK) != 0)
    return last_failure("output pipe");
  if (relays.fetch_add(1) >= max_output_relays) {
    --relays;
    return failure{EBUSY, "too many outputs go to files and devices that may block"};
  }
  try {
    blocked_signals inherited_by_the_thread;
    std::thread thread{relay, std::move(reader), std::move(to)};
    ::pthread_setname_np(thread.native_handle(), "crosvisor-relay");
    thread.detach();
  } catch (const std::system_error& error) {
    --relays;
    return failure{error.code().value(), std::string{"output thread: "} + error.what()};
  }
  return writer;
}

} // namespace crosvisor::io
