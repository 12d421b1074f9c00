// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/crash_files.hpp"

#include "crosvisor/io/logging.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

/// Kept by what it waits for alone, and so gone with the loop.
struct crash_files::connection {
  explicit connection(event_loop& loop) : socket(loop.context()), deadline(loop.context()) {}

  boost::asio::posix::stream_descriptor socket;
  boost::asio::steady_timer deadline;
  std::string bytes;
  bool ended = false;
};

crash_files::crash_files(event_loop& loop, vm_cid cid, folder_opener folder, log_bounds bounds,
                         std::chrono::milliseconds bound)
    : loop_(loop), cid_(cid), folder_(std::move(folder)), bounds_(bounds), bound_(bound) {}

void crash_files::take(stream_socket socket) {
  loop_.post([self = shared_from_this(), socket = std::move(socket)] { self->begin(socket); });
}

void crash_files::begin(const stream_socket& socket) {
  if (connections_ >= max_crash_connections)
    return; // Closed with its last holder.
  auto made = std::make_shared<connection>(loop_);
  boost::system::error_code why;
  made->socket.assign(socket->get(), why);
  if (why)
    return;
  (void)socket->release();
  ++connections_;
  made->deadline.expires_after(bound_);
  made->deadline.async_wait(
    [self = shared_from_this(), made](const boost::system::error_code& cancelled) {
      if (!cancelled)
        self->end(made);
    });
  wait(made);
}

void crash_files::wait(const std::shared_ptr<connection>& from) {
  from->socket.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this(), from](const boost::system::error_code& why) {
                            if (!why)
                              self->read(from);
                          });
}

void crash_files::read(const std::shared_ptr<connection>& from) {
  char buffer[16u << 10];
  auto got = ::recv(from->socket.native_handle(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return wait(from);
  if (got <= 0)
    return end(from);
  auto room = bounds_.file_bytes - from->bytes.size();
  from->bytes.append(buffer, std::min<std::uint64_t>(static_cast<std::size_t>(got), room));
  // One byte more than the bound shows that there is more.
  if (static_cast<std::uint64_t>(got) > room)
    return end(from);
  wait(from);
}

void crash_files::end(const std::shared_ptr<connection>& from) {
  if (std::exchange(from->ended, true))
    return;
  boost::system::error_code ignored;
  from->deadline.cancel();
  from->socket.close(ignored);
  --connections_;
  if (!from->bytes.empty())
    save(from->bytes);
}

void crash_files::save(const std::string& bytes) {
  auto number = ++received_;
  log::info("vm {}: crash file {} of {} bytes", cid_, number, bytes.size());
  if (!files_) {
    auto folder = folder_();
    if (!folder)
      return log::warn("vm {}: its crash file can't be kept: it has no logs", cid_);
    files_.emplace(std::move(folder), crash_file_name, bounds_);
  }
  files_->begin_file();
  files_->append(bytes);
}

} // namespace crosvisor::io
