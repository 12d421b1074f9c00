// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tap_interface.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace crosvisor::io {

namespace {

constexpr auto device_path = "/dev/net/tun";
/// Its number is the kernel's (Documentation/admin-guide/devices.txt).
constexpr unsigned misc_major = 10;
constexpr unsigned tun_minor = 200;

/// Both VMMs ask for these alone; the header is what offloads travel in.
constexpr int needed_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return request;
}

/// Other devices' drivers would take the request for one of their own.
bool is_tun_device(int fd) {
  struct stat is;
  return ::fstat(fd, &is) == 0 && S_ISCHR(is.st_mode)
         && is.st_rdev == makedev(misc_major, tun_minor);
}

} // namespace

result<unique_fd> open_tap(const std::string& name) {
  // Otherwise one would be made, for whoever may, and would be gone with the VM.
  if (::if_nametoindex(name.c_str()) == 0)
    return failure{ENODEV, "no such network interface; make it with `ip tuntap add dev " + name
                             + " mode tap`"};
  unique_fd fd{::open(device_path, O_RDWR | O_CLOEXEC)};
  if (!fd)
    return last_failure(device_path);
  auto request = request_for(name);
  request.ifr_flags = static_cast<short>(needed_flags);
  if (::ioctl(fd.get(), TUNSETIFF, &request) == 0)
    return fd;
  if (errno == EBUSY)
    return failure{EBUSY, "somebody else uses the interface"};
  if (errno == EINVAL)
    return failure{EINVAL, "is no tap interface of one queue"};
  return last_failure("can't be used");
}

std::optional<std::string> tap_problem(int fd, const std::string& name) {
  if (!is_tun_device(fd))
    return "is no descriptor of /dev/net/tun";
  if ((::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
    return "is not open for reading and writing";
  ifreq is{};
  if (::ioctl(fd, TUNGETIFF, &is) != 0)
    return "is attached to no interface (TUNSETIFF)";
  if (std::string attached{is.ifr_name, ::strnlen(is.ifr_name, IFNAMSIZ)}; attached != name)
    return "is attached to another interface, \"" + attached + '"';
  auto flags = static_cast<unsigned short>(is.ifr_flags);
  if ((flags & needed_flags) != needed_flags)
    return "lacks IFF_TAP, IFF_NO_PI or IFF_VNET_HDR";
  if ((flags & IFF_MULTI_QUEUE) != 0)
    return "has several queues (IFF_MULTI_QUEUE)";
  return std::nullopt;
}

std::string mac_of(vm_cid cid) {
  // As QEMU's own addresses begin: of nobody's, as their second bit says.
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "52:54:%02x:%02x:%02x:%02x", cid >> 24 & 0xff,
                cid >> 16 & 0xff, cid >> 8 & 0xff, cid & 0xff);
  return text.data();
}

} // namespace crosvisor::io
