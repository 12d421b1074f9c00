// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/raw_peer.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::tests {

namespace {

class unix_stream final : public raw_stream {
public:
  explicit unix_stream(io::unique_fd socket) : socket_(std::move(socket)) {}

  bool send(const std::string& bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      auto sent = ::send(socket_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      done += static_cast<std::size_t>(sent);
    }
    return true;
  }

  std::optional<std::string> receive(std::size_t bytes) override {
    std::string got(bytes, '\0');
    for (std::size_t done = 0; done < bytes;) {
      auto received = ::recv(socket_.get(), got.data() + done, bytes - done, 0);
      if (received <= 0)
        return std::nullopt;
      done += static_cast<std::size_t>(received);
    }
    return got;
  }

private:
  io::unique_fd socket_;
};

io::unique_fd dial(const std::string& path) {
  io::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  timeval time{};
  time.tv_sec = patience.count();
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return {};
  return socket;
}

} // namespace

raw_connect raw_unix(std::string path) {
  return [path = std::move(path)]() -> std::unique_ptr<raw_stream> {
    auto socket = dial(path);
    return socket ? std::make_unique<unix_stream>(std::move(socket)) : nullptr;
  };
}

bool raw_peer::greet(const transport::node_key& own) {
  if (!send(basp::handshake(own)))
    return false;
  auto answer = receive();
  if (!answer || answer->header.operation != transport::basp_operation::server_handshake)
    return false;
  transport::wire_reader from{answer->payload};
  auto service = transport::read_node_key(from);
  auto applications = from.sequence();
  for (std::size_t i = 0; applications && i < *applications; ++i)
    from.text();
  auto door = from.integer(8);
  if (!service || !door)
    return false;
  service_ = *service;
  door_ = *door;
  return true;
}

std::optional<raw_peer::frame> raw_peer::receive() {
  auto bytes = stream_ ? stream_->receive(transport::basp_header_bytes) : std::nullopt;
  auto header = bytes ? transport::read_basp_header(*bytes) : std::nullopt;
  if (!header)
    return std::nullopt;
  auto payload = stream_->receive(header->payload_bytes);
  if (!payload)
    return std::nullopt;
  return frame{*header, std::move(*payload)};
}

bool raw_peer::ends() {
  if (!stream_)
    return true;
  // A timeout looks the same, but takes longer.
  auto start = std::chrono::steady_clock::now();
  while (stream_->receive(1)) {
  }
  return std::chrono::steady_clock::now() - start < patience;
}

bool raw_peer::served() {
  constexpr auto asked = basp::unasked | 0xabc;
  if (!send(basp::message(door_, basp::list_content(), asked, 4711000)))
    return false;
  while (auto answer = receive())
    if (answer->header.operation == transport::basp_operation::direct_message
        && answer->header.data == (asked | 0x8000000000000000))
      return answer->payload.find("vm_info") != std::string::npos;
  return false;
}

} // namespace crosvisor::tests
