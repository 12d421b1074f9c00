// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/options.hpp"

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/report.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#include <string>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.options

using namespace crosvisor::io;
using namespace crosvisor::io::vsock;

namespace {

std::string why_not(std::vector<const char*> arguments) {
  auto parsed = parse_options(arguments);
  return parsed ? "" : parsed.why().what;
}

std::pair<unique_fd, unique_fd> pair(int type) {
  int fds[2] = {-1, -1};
  [[maybe_unused]] auto made = ::socketpair(AF_UNIX, type, 0, fds);
  return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

} // namespace

CAF_TEST(options come in any order) {
  auto parsed =
    parse_options(std::vector{"--service-fd", "5", "--cid", "4294967294", "--vmm-fd", "4"});
  CAF_REQUIRE(parsed);
  CAF_CHECK_EQUAL(parsed->cid, 4294967294u);
  CAF_CHECK_EQUAL(parsed->vmm_fd, 4);
  CAF_CHECK_EQUAL(parsed->service_fd, 5);
}

CAF_TEST(what is no option or number is told) {
  CAF_CHECK_EQUAL(why_not({}), "needs --cid N --vmm-fd N --service-fd N");
  CAF_CHECK_EQUAL(why_not({"--cid", "3", "--vmm-fd", "4"}),
                  "needs --cid N --vmm-fd N --service-fd N");
  CAF_CHECK_EQUAL(why_not({"--cid"}), "--cid: needs a number");
  CAF_CHECK_EQUAL(why_not({"--cid", "3", "--cid", "3"}), "--cid: given twice");
  CAF_CHECK_EQUAL(why_not({"--help", "3"}),
                  "unknown option; known are --cid N --vmm-fd N --service-fd N");
  for (auto* cid :
       {"2", "0", "4294967295", "18446744073709551619", "-3", "+3", " 3", "3 ", "0x3", ""})
    CAF_CHECK_EQUAL(why_not({"--cid", cid}), "--cid: must be 3 to 4294967294");
  for (auto* fd : {"2", "2147483648", "x"})
    CAF_CHECK_EQUAL(why_not({"--vmm-fd", fd}), "--vmm-fd: must be a descriptor above 2");
}

CAF_TEST(descriptors are sockets of their kind) {
  auto [stream, a] = pair(SOCK_STREAM);
  auto [packets, b] = pair(SOCK_SEQPACKET);
  CAF_CHECK(check_sockets({3, stream.get(), packets.get()}));
  CAF_CHECK(!check_sockets({3, packets.get(), packets.get()}));
  CAF_CHECK(!check_sockets({3, packets.get(), stream.get()}));
  CAF_CHECK(!check_sockets({3, stream.get(), a.get()}));
  CAF_CHECK(!check_sockets({3, 0, packets.get()}));
  CAF_CHECK(!check_sockets({3, 1 << 20, packets.get()}));
}

CAF_TEST(lines are held back beyond a burst and counted) {
  std::chrono::steady_clock::time_point now{std::chrono::hours{1}};
  std::vector<std::string> lines;
  report log{[&] { return now; }, [&](std::string_view line) { lines.emplace_back(line); }};
  for (auto i = 0; i < report::burst + 5; ++i)
    log.line("guest does something");
  CAF_CHECK_EQUAL(lines.size(), static_cast<std::size_t>(report::burst));
  now += report::interval;
  log.line("guest does it again");
  CAF_REQUIRE_EQUAL(lines.size(), static_cast<std::size_t>(report::burst + 2));
  CAF_CHECK_EQUAL(lines[report::burst], "5 more lines were held back");
}
