// SPDX-License-Identifier: Apache-2.0
#include "crosvm_inspection.hpp"

#include "crosvisor/io/disk/composite_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace stand_in {

namespace {

int descriptor_of(const std::string& path) {
  const std::string start = "/proc/self/fd/";
  auto number = path.starts_with(start) ? path.substr(start.size()) : "";
  if (number.empty() || number.find_first_not_of("0123456789") != number.npos)
    throw refused{1, "not by descriptor: " + path};
  return std::atoi(number.c_str());
}

void add_serial(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"type", "hardware", "num", "path"});
  if (keys["type"] == "file")
    to.push_back({"serial", descriptor_of(keys["path"]), true});
  else if (keys["type"] != "sink")
    throw refused{1, "a serial port of an unexpected type: " + value};
}

/// What a composite disk names comes with it. Its own description is read as crosvm does.
void add_disk(int fd, bool writable, std::vector<named_descriptor>& to) {
  std::string bytes(crosvisor::io::max_composite_file_bytes, '\0');
  auto n = ::pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  if (!bytes.starts_with(crosvisor::io::composite_magic))
    return to.push_back({"disk", fd, writable});
  to.push_back({"composite", fd, false});
  auto disk = crosvisor::io::parse_composite_file(bytes);
  if (!disk)
    throw refused{1, disk.why().what};
  for (const auto& component : disk->components)
    to.push_back({"component", descriptor_of(component.path), component.writable});
}

void add_block(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"path", "ro"});
  add_disk(descriptor_of(keys["path"]), keys["ro"] == "false", to);
}

void add_vsock(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"cid", "device"});
  to.push_back({"vsock", descriptor_of(keys["device"]), true});
}

/// The size matters: see the specification of the driver.
void add_vhost_user(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"type", "socket", "max-queue-size"});
  if (keys["type"] != "vsock" || keys["max-queue-size"] != "256")
    throw refused{1, "an unexpected vhost-user device: " + value};
  to.push_back({"vhost-user", descriptor_of(keys["socket"]), true});
}

/// Exactly path and size, in this order in 2021 (src/main.rs); the file gets that size.
void add_pstore(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"path", "size"});
  auto fd = descriptor_of(keys["path"]);
  struct stat about {};
  if (keys.size() != 2 || !value.starts_with("path=") || ::fstat(fd, &about) != 0
      || std::to_string(about.st_size) != keys["size"])
    throw refused{1, "an unexpected pstore: " + value};
  to.push_back({"pstore", fd, true});
}

/// By the number of its descriptor alone.
void add_net(era when, const std::string& value, std::vector<named_descriptor>& to) {
  auto keys = parse_key_values(when, value, {"tap-fd", "mac"});
  to.push_back({"tap", std::atoi(keys["tap-fd"].c_str()), true});
}

/// As crosvm looks at it (devices/src/virtio/net/sys/linux.rs).
std::string problem_of_tap(int fd) {
  ifreq is{};
  if (::ioctl(fd, TUNGETIFF, &is) != 0)
    return "is no tap interface";
  constexpr auto needed = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  return (is.ifr_flags & needed) == needed ? "" : "lacks flags";
}

std::string name(const named_descriptor& what) {
  return what.role + " " + std::to_string(what.fd);
}

bool is_connected_stream(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  sockaddr_storage peer{};
  size = sizeof peer;
  return type == SOCK_STREAM && ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

bool is_listening_seqpacket(int fd) {
  int type = 0;
  int listens = 0;
  socklen_t size = sizeof type;
  ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  size = sizeof listens;
  ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  return type == SOCK_SEQPACKET && listens == 1;
}

/// What is wrong with a file; an image's first byte is read, its offset left alone.
std::string problem_of_file(const named_descriptor& what, const struct stat& about, int mode) {
  if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
    return "is no file";
  if (mode != (what.writable ? O_RDWR : O_RDONLY))
    return what.writable ? "is not open for reading and writing" : "is not open for reading alone";
  char byte = 0;
  if (::pread(what.fd, &byte, 1, 0) != 1)
    return "can't be read";
  return {};
}

std::string problem_of(const named_descriptor& what) {
  struct stat about {};
  if (::fstat(what.fd, &about) != 0)
    return "is not open";
  auto mode = ::fcntl(what.fd, F_GETFL) & O_ACCMODE;
  if (what.role == "control")
    return is_listening_seqpacket(what.fd) ? "" : "is no listening SOCK_SEQPACKET socket";
  if (what.role == "vhost-user")
    return is_connected_stream(what.fd) ? "" : "is no connected stream socket";
  if (what.role == "tap")
    return problem_of_tap(what.fd);
  if (what.role == "serial")
    return mode == O_WRONLY || mode == O_RDWR ? "" : "is not open for writing";
  if (what.role == "vsock")
    return mode == O_RDWR ? "" : "is not open for reading and writing";
  return problem_of_file(what, about, mode);
}

std::vector<int> open_descriptors() {
  std::vector<int> fds;
  auto* dir = ::opendir("/proc/self/fd");
  while (auto* entry = ::readdir(dir))
    if (auto fd = std::atoi(entry->d_name); entry->d_name[0] != '.' && fd != ::dirfd(dir))
      fds.push_back(fd);
  ::closedir(dir);
  return fds;
}

bool stdin_is_null() {
  struct stat about {};
  return ::fstat(0, &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3);
}

} // namespace

std::vector<named_descriptor> find_descriptors(era when, const run_options& options) {
  std::vector<named_descriptor> found;
  for (const auto& [option, value] : options.options) {
    if (option == "--initrd" || option == "--bios")
      found.push_back({option.substr(2), descriptor_of(value), false});
    else if (option == "--disk" || option == "--rwdisk")
      add_disk(descriptor_of(value), option == "--rwdisk", found);
    else if (option == "--block")
      add_block(when, value, found);
    else if (option == "--serial")
      add_serial(when, value, found);
    else if (option == "--vsock")
      add_vsock(when, value, found);
    else if (option == "--vhost-user")
      add_vhost_user(when, value, found);
    else if (option == "--pstore")
      add_pstore(when, value, found);
    else if (option == "--net")
      add_net(when, value, found);
    else if (option == "--socket" && when == era::todays)
      found.push_back({"control", descriptor_of(value), false});
  }
  if (options.kernel.empty() == !options.has("--bios"))
    throw refused{1, "a VM needs a kernel or a firmware, and not both"};
  if (!options.kernel.empty())
    found.push_back({"kernel", descriptor_of(options.kernel), false});
  return found;
}

std::vector<std::string> find_violations(const std::vector<named_descriptor>& named) {
  std::vector<std::string> found;
  for (const auto& what : named)
    if (auto problem = problem_of(what); !problem.empty())
      found.push_back(name(what) + " " + problem);
  for (auto fd : open_descriptors()) {
    auto is_named =
      std::any_of(named.begin(), named.end(), [fd](const auto& what) { return what.fd == fd; });
    if (fd > 2 && !is_named)
      found.push_back("descriptor " + std::to_string(fd) + " is open and not named");
  }
  if (!stdin_is_null())
    found.push_back("standard input is not /dev/null");
  if (::getsid(0) != ::getpid())
    found.push_back("the session is not its own");
  return found;
}

std::string report(const std::vector<named_descriptor>& named) {
  std::string text;
  for (const auto& what : named) {
    struct stat about {};
    ::fstat(what.fd, &about);
    auto mode = ::fcntl(what.fd, F_GETFL) & O_ACCMODE;
    text += name(what) + " " + std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino)
            + (mode == O_RDONLY   ? " r\n"
               : mode == O_WRONLY ? " w\n"
                                  : " rw\n");
  }
  return text;
}

} // namespace stand_in
