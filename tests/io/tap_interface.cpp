// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tap_interface.hpp"

#include "crosvisor/messages/device_config.hpp"
#include "crosvisor/tests/io/in_child.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cstring>

#undef CAF_SUITE
#define CAF_SUITE io.tap_interface

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

std::string problem(const char* path, int flags) {
  unique_fd fd{::open(path, flags | O_CLOEXEC)};
  return tap_problem(fd.get(), "tap0").value_or("none");
}

/// An interface of this process's, as long as the descriptor is open unless it is made to stay.
unique_fd attach(const char* name, int flags, bool stays = false) {
  unique_fd fd{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0)
    return {};
  if (stays)
    ::ioctl(fd.get(), TUNSETPERSIST, 1);
  return fd;
}

std::string look_at(const unique_fd& fd, const char* name) {
  return tap_problem(fd.get(), name).value_or("none");
}

} // namespace

CAF_TEST(what is no tap device is refused without a word to its driver) {
  CAF_CHECK_EQUAL(problem("/dev/null", O_RDWR), "is no descriptor of /dev/net/tun");
  CAF_CHECK_EQUAL(problem("/proc/self/exe", O_RDONLY), "is no descriptor of /dev/net/tun");
  CAF_CHECK_EQUAL(tap_problem(-1, "tap0").value_or("none"), "is no descriptor of /dev/net/tun");
}

CAF_TEST(addresses that nobody chose are of nobody and differ by their vm) {
  CAF_CHECK_EQUAL(mac_of(2048), "52:54:00:00:08:00");
  CAF_CHECK_EQUAL(mac_of(0xfedcba98), "52:54:fe:dc:ba:98");
  CAF_CHECK(valid_mac(mac_of(2048)));
}

CAF_TEST(an interface is looked at as it is attached) {
  if (::geteuid() != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
    CAF_MESSAGE("NOT TESTED: /dev/net/tun can't be opened");
    CAF_CHECK(!open_tap("no-such-tap"));
    return;
  }
  // A network of its own, with no other interfaces; it goes with the process.
  auto told = tests::said_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWNET) != 0)
      return "no network namespace";
    std::string all;
    all += problem("/dev/net/tun", O_RDWR) + '\n';
    constexpr int right = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    all += look_at(attach("tap0", right), "tap0") + '\n';
    all += look_at(attach("tap0", right), "tap1") + '\n';
    all += look_at(attach("tap0", IFF_TAP | IFF_NO_PI), "tap0") + '\n';
    all += look_at(attach("tun0", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR), "tun0") + '\n';
    all += look_at(attach("tap0", right | IFF_MULTI_QUEUE), "tap0") + '\n';
    attach("tap2", IFF_TAP | IFF_NO_PI, true).reset();
    auto opened = open_tap("tap2");
    all += (opened ? look_at(*opened, "tap2") : opened.why().what) + '\n';
    all += open_tap("tap2").why().what + '\n';
    all += open_tap("lo").why().what + '\n';
    return all + open_tap("tap9").why().what;
  });
  CAF_CHECK_EQUAL(told, "is attached to no interface (TUNSETIFF)\n"
                        "none\n"
                        "is attached to another interface, \"tap0\"\n"
                        "lacks IFF_TAP, IFF_NO_PI or IFF_VNET_HDR\n"
                        "lacks IFF_TAP, IFF_NO_PI or IFF_VNET_HDR\n"
                        "has several queues (IFF_MULTI_QUEUE)\n"
                        "none\n"
                        "somebody else uses the interface\n"
                        "is no tap interface of one queue\n"
                        "no such network interface; make it with `ip tuntap add dev tap9 mode "
                        "tap`");
}
