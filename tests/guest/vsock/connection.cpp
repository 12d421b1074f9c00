// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/vsock/connection.hpp"

#include "crosvisor/tests/guest/vsock/socket_pair.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <memory>

#undef CAF_SUITE
#define CAF_SUITE guest.vsock.connection

using namespace crosvisor::guest;
using crosvisor::tests::socket_pair;

namespace {

std::string pattern_bytes(std::size_t size) {
  auto source = std::make_unique<pattern>();
  std::string bytes;
  while (bytes.size() < size) {
    auto piece = source->at(bytes.size());
    bytes.append(reinterpret_cast<const char*>(piece.data()),
                 std::min(piece.size(), size - bytes.size()));
  }
  return bytes;
}

std::string sum_of(const std::string& bytes) {
  checksum sum;
  sum.add(bytes.data(), bytes.size());
  char text[64];
  std::snprintf(text, sizeof text, "%llu %016llx\n", static_cast<unsigned long long>(sum.bytes()),
                static_cast<unsigned long long>(sum.value()));
  return text;
}

struct service {
  explicit service(role what) : served(ends.guest, what) {}

  /// Sends all of it as room comes, then ends; reads all the while until both sides are done.
  std::string exchange(std::string_view sent) {
    std::string got;
    for (auto events = served.step(); events != connection::over; events = served.step()) {
      sent.remove_prefix(ends.write_some(sent));
      if (sent.empty())
        ends.end_host();
      got += ends.read_all();
    }
    ends.close_guest();
    return got + ends.read_all();
  }

  socket_pair ends{SOCK_NONBLOCK};
  connection served;
};

} // namespace

CAF_TEST(roles have names) {
  CAF_CHECK(parse_role("echo") == role::echo);
  CAF_CHECK(parse_role("resetter") == role::resetter);
  CAF_CHECK(parse_role("") == role::none);
  CAF_CHECK(parse_role("Echo") == role::none);
}

CAF_TEST(an echo sends back all of it and ends behind it) {
  service echo{role::echo};
  auto sent = pattern_bytes(3'000'001);
  CAF_CHECK(echo.exchange(sent) == sent);
  CAF_CHECK(echo.ends.ended());
}

CAF_TEST(an echo stops reading while nobody reads what it sends) {
  service echo{role::echo};
  auto sent = pattern_bytes(8'000'000);
  std::string_view left = sent;
  auto events = echo.served.step();
  CAF_CHECK_EQUAL(events, std::uint32_t{EPOLLIN});
  while (auto more = echo.ends.write_some(left)) {
    left.remove_prefix(more);
    events = echo.served.step();
  }
  CAF_CHECK_EQUAL(events, std::uint32_t{EPOLLOUT});
  CAF_CHECK(!left.empty());
  auto got = echo.exchange(left);
  CAF_CHECK(got == sent);
}

CAF_TEST(an echo whose host is gone is over) {
  service echo{role::echo};
  echo.ends.write_some("hello");
  echo.ends.close_host();
  CAF_CHECK_EQUAL(echo.served.step(), connection::over);
}

CAF_TEST(a sink answers with size and checksum once the host has ended) {
  service sink{role::sink};
  auto sent = pattern_bytes(1'000'003);
  CAF_CHECK_EQUAL(sink.exchange(sent), sum_of(sent));
  CAF_CHECK(sink.ends.ended());
}

CAF_TEST(a sink that is sent nothing says so) {
  service sink{role::sink};
  CAF_CHECK_EQUAL(sink.exchange(""), sum_of(""));
}

CAF_TEST(a source sends what it is asked for) {
  service source{role::source};
  CAF_CHECK(source.exchange("700001\n") == pattern_bytes(700'001));
  CAF_CHECK(source.ends.ended());
}

CAF_TEST(a source ends its side and waits for the host to end its own) {
  service source{role::source};
  source.ends.write_some("10\n");
  CAF_CHECK_EQUAL(source.served.step(), std::uint32_t{EPOLLIN});
  CAF_CHECK(source.ends.read_all() == pattern_bytes(10));
  CAF_CHECK(source.ends.ended());
  source.ends.end_host();
  CAF_CHECK_EQUAL(source.served.step(), connection::over);
}

CAF_TEST(a source takes a request in pieces and refuses what is none) {
  service source{role::source};
  source.ends.write_some("1");
  CAF_CHECK_EQUAL(source.served.step(), std::uint32_t{EPOLLIN});
  source.ends.write_some("2\n");
  CAF_CHECK_EQUAL(source.served.step(), std::uint32_t{EPOLLIN});
  CAF_CHECK(source.ends.read_all() == pattern_bytes(12));
  for (auto* wrong : {"\n", "-1\n", "12 \n", "1234567890123456789\n"}) {
    service other{role::source};
    other.ends.write_some(wrong);
    CAF_CHECK_EQUAL(other.served.step(), connection::over);
  }
}

CAF_TEST(a deaf one reads nothing and waits for nothing) {
  service deaf{role::deaf};
  deaf.ends.write_some("hello");
  CAF_CHECK_EQUAL(deaf.served.step(), 0u);
  char text[5];
  CAF_CHECK_EQUAL(::recv(deaf.ends.guest, text, sizeof text, MSG_PEEK), 5);
}

CAF_TEST(a resetter leaves the rest unread) {
  service resetter{role::resetter};
  CAF_CHECK_EQUAL(resetter.served.step(), std::uint32_t{EPOLLIN});
  resetter.ends.write_some(pattern_bytes(65'536));
  CAF_CHECK_EQUAL(resetter.served.step(), connection::over);
  resetter.ends.close_guest();
  char byte;
  CAF_CHECK_EQUAL(::read(resetter.ends.host, &byte, 1), -1);
  CAF_CHECK_EQUAL(errno, ECONNRESET);
}
