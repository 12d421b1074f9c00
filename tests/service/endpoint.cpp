// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/endpoint.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.endpoint

using namespace crosvisor;

namespace {

/// Parsed and written again, or the failure's sentence.
std::string again(const std::string& text) {
  auto where = parse_endpoint(text);
  return where ? to_string(*where) : where.why().what;
}

} // namespace

CAF_TEST(each way is read) {
  CAF_CHECK_EQUAL(again("embedded:"), "embedded:");
  CAF_CHECK_EQUAL(again("unix:/run/crosvisor/crosvisord.sock"),
                  "unix:/run/crosvisor/crosvisord.sock");
  CAF_CHECK_EQUAL(again("tls://host-1.example.org:443"), "tls://host-1.example.org:443");
  CAF_CHECK_EQUAL(again("tls://10.0.0.1"), "tls://10.0.0.1:7443");
  CAF_CHECK_EQUAL(again("tls://[::1]"), "tls://[::1]:7443");
  CAF_CHECK_EQUAL(again("tls://[fe80::1%eth0]:65535"), "tls://[fe80::1%eth0]:65535");
}

CAF_TEST(an address of IPv6 has no brackets as a host) {
  auto where = parse_endpoint("tls://[2001:db8::7]:8000");
  CAF_REQUIRE(where);
  CAF_CHECK_EQUAL(where->host, "2001:db8::7");
  CAF_CHECK_EQUAL(where->port, 8000);
}

CAF_TEST(what is no endpoint is refused with what is allowed) {
  auto allowed = std::string{"; allowed are unix:PATH, tls://HOST[:PORT] and embedded:"};
  CAF_CHECK_EQUAL(again(""), "\"\" says no way to a service" + allowed);
  CAF_CHECK_EQUAL(again("/run/x.sock"), "\"/run/x.sock\" says no way to a service" + allowed);
  CAF_CHECK_EQUAL(again("embedded:x"), "\"embedded:x\" says no way to a service" + allowed);
  CAF_CHECK_EQUAL(again("tcp://a:1"), "\"tcp://a:1\" says no way to a service" + allowed);
  CAF_CHECK_EQUAL(again("unix:run/x.sock"),
                  "\"unix:run/x.sock\" has no absolute path of a socket" + allowed);
  CAF_CHECK_EQUAL(again("unix:"), "\"unix:\" has no absolute path of a socket" + allowed);
  CAF_CHECK_EQUAL(again("unix:/run/"), "\"unix:/run/\" has no absolute path of a socket" + allowed);
  for (const auto* port : {"0", "65536", "-1", "", "80x", "+80", " 80"})
    CAF_CHECK(again(std::string{"tls://a:"} + port).find("has no port of 1 to 65535")
              != std::string::npos);
  for (const auto* host : {"", ":80", "[", "[]", "[::1", "a b", "-a", "a/b", "a@b", "::1", "[a]b"})
    CAF_CHECK(again(std::string{"tls://"} + host).find(" has no ") != std::string::npos);
}

CAF_TEST(a path has room for the socket of the descriptors) {
  auto longest = "unix:/" + std::string(102, 'x');
  CAF_CHECK_EQUAL(again(longest), longest);
  CAF_CHECK(again(longest + 'x').find("at most 103 bytes") != std::string::npos);
  CAF_CHECK_EQUAL(descriptor_socket_of("/run/d.sock"), "/run/d.sock.fds");
}
