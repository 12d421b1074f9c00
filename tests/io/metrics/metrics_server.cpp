// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/metrics_server.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.metrics.metrics_server

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

std::vector<metric_family> some() {
  metric_family family{"crosvisor_a", "A.", metric_kind::gauge, {}};
  add_sample(family, {}, 1);
  return {family};
}

/// Until its other end closes, for ten seconds at most.
std::string read_all(int socket) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd ready{socket, POLLIN, 0};
    if (::poll(&ready, 1, 10'000) != 1)
      return text + "(no end)";
    auto size = ::read(socket, buffer, sizeof(buffer));
    if (size <= 0)
      return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

struct fixture {
  temp_dir folder;
  std::optional<unix_listener> listener;
  metrics_server_options options;
  std::unique_ptr<metrics_server> server;
  std::uint16_t port = 0;

  fixture() {
    options.source = [](const auto& done) { done(some()); };
  }

  void serve_tcp() {
    auto socket = listen_tcp("127.0.0.1", 0);
    CAF_REQUIRE(socket);
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    ::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    options.listening = std::move(*socket);
    open();
  }

  void serve_unix() {
    auto made = unix_listener::open({folder / "metrics.sock", SOCK_STREAM, 0600, std::nullopt});
    CAF_REQUIRE(made);
    listener.emplace(std::move(*made));
    options.listening = listener->take();
    options.checks_host = false;
    open();
  }

  void open() {
    auto opened = metrics_server::open(std::move(options));
    CAF_REQUIRE(opened);
    server = std::move(*opened);
  }

  unique_fd connect() {
    if (port == 0) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      auto path = folder / "metrics.sock";
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      CAF_REQUIRE_EQUAL(
        ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
      return socket;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CAF_REQUIRE_EQUAL(
      ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return socket;
  }

  std::string ask(const std::string& request) {
    auto socket = connect();
    // The server may have had enough before all of it is there.
    ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    return read_all(socket.get());
  }

  /// The status line's number.
  static std::string status(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") ? answer.substr(9, 3) : "(" + answer + ")";
  }
};

std::string get(const std::string& target, const std::string& host = "127.0.0.1:9100") {
  return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(metrics_server_tests, fixture)

CAF_TEST(metrics are served and the connection ends) {
  serve_tcp();
  auto answer = ask(get("/metrics"));
  CAF_CHECK_EQUAL(status(answer), "200");
  CAF_CHECK(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
            != std::string::npos);
  CAF_CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CAF_CHECK(answer.ends_with("crosvisor_a 1\n"));
}

CAF_TEST(a unix socket serves whoever may connect) {
  serve_unix();
  CAF_CHECK_EQUAL(status(ask(get("/metrics", "anything"))), "200");
}

CAF_TEST(anything else is refused) {
  serve_tcp();
  CAF_CHECK_EQUAL(status(ask(get("/"))), "404");
  CAF_CHECK_EQUAL(status(ask(get("/metricsx"))), "404");
  CAF_CHECK_EQUAL(status(ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")), "405");
  CAF_CHECK_EQUAL(status(ask(get("/metrics?x=1", "localhost"))), "200");
  CAF_CHECK_EQUAL(status(ask(get("/metrics", "[::1]:9100"))), "200");
  CAF_CHECK_EQUAL(status(ask(get("/metrics", "evil.example"))), "421");
  CAF_CHECK_EQUAL(status(ask(get("/metrics", "127.0.0.1.evil.example"))), "421");
  CAF_CHECK_EQUAL(status(ask("GET /metrics HTTP/1.0\r\n\r\n")), "421");
}

CAF_TEST(what is no request ends its connection alone) {
  serve_tcp();
  CAF_CHECK_EQUAL(ask("\x16\x03\x01 nonsense\r\n\r\n"), "");
  CAF_CHECK_EQUAL(ask("GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), "");
  auto answer = ask("GET /metrics HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  CAF_CHECK(answer.empty() || status(answer) == "431");
  CAF_CHECK_EQUAL(status(ask(get("/metrics"))), "200");
}

CAF_TEST(a slow request ends with its time and others are served then) {
  options.connections = 1;
  options.request_bound = 200ms;
  serve_tcp();
  auto slow = connect();
  ::send(slow.get(), "GET", 3, MSG_NOSIGNAL);
  // Its turn comes with the end of the first.
  CAF_CHECK_EQUAL(status(ask(get("/metrics"))), "200");
  CAF_CHECK_EQUAL(read_all(slow.get()), "");
}

CAF_TEST(a source that never answers ends the connection with its time) {
  options.answer_bound = 200ms;
  options.source = [](const auto&) {};
  serve_tcp();
  CAF_CHECK_EQUAL(ask(get("/metrics")), "");
}

CAF_TEST(a source that fails is told) {
  options.source = [](const auto& done) { done(failure{0, "the door is gone"}); };
  serve_tcp();
  auto answer = ask(get("/metrics"));
  CAF_CHECK_EQUAL(status(answer), "503");
  CAF_CHECK(answer.ends_with("the door is gone\n"));
}

CAF_TEST(an answer that comes after the end of the server is dropped) {
  std::function<void(result<std::vector<metric_family>>)> late;
  std::atomic<bool> asked{false};
  options.source = [&](auto done) {
    late = std::move(done);
    asked = true;
    asked.notify_all();
  };
  serve_tcp();
  auto socket = connect();
  auto request = get("/metrics");
  ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  asked.wait(false);
  server.reset();
  late(some());
  CAF_CHECK_EQUAL(read_all(socket.get()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
