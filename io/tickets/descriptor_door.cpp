// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_door.hpp"

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/tickets/descriptor_clients.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <future>
#include <system_error>
#include <utility>

namespace crosvisor::io {

namespace {

#ifdef SO_PASSPIDFD
constexpr int pass_pidfd = SO_PASSPIDFD;
#else
constexpr int pass_pidfd = 76; // Since Linux 6.5 (include/uapi/asm-generic/socket.h).
#endif

class threaded_door final : public descriptor_door {
public:
  threaded_door(unique_fd listening, descriptor_door_options options)
      : loop_("crosvisor-files"),
        clients_(
          std::make_shared<descriptor_clients>(loop_, std::move(listening), std::move(options))) {
    loop_.post([clients = clients_] { clients->begin(); });
  }
  ~threaded_door() override {
    // What the loop drops when it ends it would not close in order.
    std::promise<void> ended;
    loop_.post([&] {
      std::exchange(clients_, nullptr)->end();
      ended.set_value();
    });
    ended.get_future().wait();
  }

private:
  event_loop loop_;
  std::shared_ptr<descriptor_clients> clients_;
};

int option(int socket, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

} // namespace

result<std::unique_ptr<descriptor_door>> descriptor_door::open(unique_fd listening,
                                                               descriptor_door_options options) {
  auto fd = listening.get();
  if (option(fd, SO_DOMAIN) != AF_UNIX || option(fd, SO_TYPE) != SOCK_SEQPACKET
      || option(fd, SO_ACCEPTCONN) != 1)
    return failure{0, "descriptor socket: is not a listening AF_UNIX socket of SOCK_SEQPACKET"};
  if (!options.tickets)
    return failure{0, "descriptor socket: has no place for descriptors"};
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0
      || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return last_failure("descriptor socket");
  // Whoever made the socket (systemd) may have asked for these; each connection would inherit it,
  // and each packet bring a descriptor of the sender's process.
  for (auto name : {SO_PASSCRED, SO_PASSSEC, pass_pidfd}) {
    int off = 0;
    (void)::setsockopt(fd, SOL_SOCKET, name, &off, sizeof(off));
  }
  try {
    return std::unique_ptr<descriptor_door>{
      std::make_unique<threaded_door>(std::move(listening), std::move(options))};
  } catch (const std::system_error& error) {
    return failure{error.code().value(), std::string{"descriptor socket: "} + error.what()};
  } catch (const boost::system::system_error& error) {
    return failure{error.code().value(), std::string{"descriptor socket: "} + error.what()};
  }
}

} // namespace crosvisor::io
