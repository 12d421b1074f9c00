// SPDX-License-Identifier: Apache-2.0
// What goes through a stream to a client on another host, against a plain TLS connection.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/tls_rival.hpp"
#include "crosvisor/tests/service/stream_hosts.hpp"

#include <fmt/core.h>

namespace crosvisor::bench {

namespace {

constexpr int repetitions_of_all = 7;
constexpr std::uint64_t transfer_bytes = 128u << 20;
constexpr int round_trips = 300;
constexpr std::uint32_t echo_port = 7001, sink_port = 7002, source_port = 7003;

double mib_per_s(double seconds) {
  return static_cast<double>(transfer_bytes >> 20) / seconds;
}

std::string speed_text(double mib) {
  return fmt::format("{:.0f} MiB/s", mib);
}

/// Sends that much from memory.
void give(int socket, std::uint64_t bytes) {
  std::vector<char> piece(64u << 10, 'x');
  for (std::uint64_t sent = 0; sent < bytes;) {
    auto next = std::min<std::uint64_t>(piece.size(), bytes - sent);
    auto n = ::send(socket, piece.data(), next, MSG_NOSIGNAL);
    if (n <= 0)
      return;
    sent += static_cast<std::uint64_t>(n);
  }
}

/// How many bytes come until the end.
std::uint64_t take(int socket) {
  std::vector<char> piece(64u << 10);
  std::uint64_t taken = 0;
  for (ssize_t n; (n = ::read(socket, piece.data(), piece.size())) > 0;)
    taken += static_cast<std::uint64_t>(n);
  return taken;
}

/// A guest's side in this process: what is measured is the way from its socket to the client's.
void serve_port(std::uint32_t port, const io::unique_fd& socket) {
  if (port == source_port)
    give(socket.get(), transfer_bytes);
  else if (port == sink_port)
    tests::say(socket, take(socket.get()) == transfer_bytes ? "all" : "less");
  else
    tests::echo(socket);
}

class stream_figure final : public figure {
public:
  stream_figure() : host_(tests::way::tls) {
    host_.guests.serve = serve_port;
    peer_ = std::make_unique<tests::stream_peer>(host_);
    measure();
    from_guest_.clear(), to_guest_.clear(), trips_.clear(), rival_.clear();
  }

  int repetitions() const override { return repetitions_of_all; }

  sample measure() override {
    from_guest_.push_back(mib_per_s(take_from_guest()));
    to_guest_.push_back(mib_per_s(give_to_guest()));
    rival_.push_back(mib_per_s(
      tls_transfer(*host_.identity("server"), *host_.identity("client"), transfer_bytes)));
    trips_.push_back(round_trip());
    return {trips_.back(),
            {{"from_guest_mib_s", from_guest_.back()}, {"to_guest_mib_s", to_guest_.back()}}};
  }

  void conclude(summary& to) const override {
    auto plain = p50(rival_);
    auto speed = [&](const char* name, double ours) {
      to.add({name, speed_text(ours), "plain TLS " + speed_text(plain), ratio_text(ours, plain), "",
              false});
    };
    speed("stream, guest to remote client", p50(from_guest_));
    speed("stream, remote client to guest", p50(to_guest_));
    to.add({"stream, round trip", duration_text(p50(trips_)), "", "", "", false});
    to.note(
      "stream: ours goes from socket to socket through service and client, the plain one from "
      "memory to memory");
  }

private:
  tests::client_stream open(std::uint32_t port) {
    auto stream = peer_->open(port);
    if (!stream.refused.empty())
      throw std::runtime_error(stream.refused);
    return stream;
  }

  static void need_all(bool held) {
    if (!held)
      throw std::runtime_error("a stream lost something");
  }

  double take_from_guest() {
    auto began = now_ns();
    auto stream = open(source_port);
    need_all(take(stream.socket.get()) == transfer_bytes);
    return seconds(now_ns() - began);
  }

  double give_to_guest() {
    auto began = now_ns();
    auto stream = open(sink_port);
    give(stream.socket.get(), transfer_bytes);
    stream.end_writing();
    need_all(stream.read() == "all");
    return seconds(now_ns() - began);
  }

  double round_trip() {
    auto stream = open(echo_port);
    auto began = now_ns();
    for (auto i = 0; i < round_trips; ++i)
      need_all(stream.write("x") && stream.read(1) == "x");
    return seconds(now_ns() - began) / round_trips;
  }

  tests::stream_host host_;
  std::unique_ptr<tests::stream_peer> peer_;
  std::vector<double> from_guest_, to_guest_, trips_, rival_;
};

} // namespace

std::unique_ptr<figure> make_stream_figure(summary&) {
  return std::make_unique<stream_figure>();
}

} // namespace crosvisor::bench
