// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/kernel_listener.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

/// A connection that is being made; kept alive by what it waits for.
class kernel_connect : public std::enable_shared_from_this<kernel_connect> {
public:
  kernel_connect(event_loop& loop, std::string what, vmm_process::connection done)
      : socket_(loop.context()),
        deadline_(loop.context()),
        what_(std::move(what)),
        done_(std::move(done)) {}

  void start(vm_cid cid, std::uint32_t port, std::chrono::milliseconds bound) {
    unique_fd fd{::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd)
      return end(errno);
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = cid;
    address.svm_port = port;
    set_kernel_timeout(fd.get(), bound);
    auto code =
      ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
    boost::system::error_code why;
    socket_.assign(fd.get(), why);
    if (why)
      return end(why.value());
    (void)fd.release();
    if (code != EINPROGRESS)
      return end(code);
    wait(bound);
  }

private:
  /// Or the kernel gives up after two seconds of its own.
  static void set_kernel_timeout(int fd, std::chrono::milliseconds bound) {
    timeval limit{};
    limit.tv_sec = bound.count() / 1000;
    limit.tv_usec = bound.count() % 1000 * 1000;
    ::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof(limit));
  }

  void wait(std::chrono::milliseconds bound) {
    deadline_.expires_after(bound);
    deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
      if (!why)
        self->end(ETIMEDOUT);
    });
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& why) {
                         if (!why)
                           self->end(self->outcome());
                       });
  }

  int outcome() {
    int code = 0;
    socklen_t length = sizeof(code);
    if (::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &code, &length) != 0)
      return errno;
    return code;
  }

  void end(int code) {
    auto done = std::exchange(done_, nullptr);
    if (!done)
      return;
    deadline_.cancel();
    if (code == 0)
      return done(std::make_shared<unique_fd>(socket_.release()));
    boost::system::error_code ignored;
    socket_.close(ignored);
    // A guest that has no listener resets; see spec of virtio-vsock, VIRTIO_VSOCK_OP_RST.
    if (code == ECONNRESET)
      code = ECONNREFUSED;
    done(failure{code, what_ + ": " + std::strerror(code)});
  }

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer deadline_;
  const std::string what_;
  vmm_process::connection done_;
};

} // namespace

void connect_kernel_vsock(event_loop& loop, vm_cid cid, std::uint32_t port,
                          std::chrono::milliseconds bound, vmm_process::connection done) {
  auto connect =
    std::make_shared<kernel_connect>(loop, "port " + std::to_string(port), std::move(done));
  loop.post([connect, cid, port, bound] { connect->start(cid, port, bound); });
}

} // namespace crosvisor::io
