// SPDX-License-Identifier: Apache-2.0
#include "socket.hpp"

#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <initializer_list>

#include <linux/vm_sockets.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

int close_with_errno(int fd) {
  auto why = errno;
  ::close(fd);
  errno = why;
  return -1;
}

int vsock_socket(int flags) {
  return ::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

sockaddr_vm address_of(std::uint32_t cid, std::uint32_t port) {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return address;
}

int connect_socket(int fd, std::uint32_t port) {
  if (fd < 0)
    return -1;
  auto host = address_of(VMADDR_CID_HOST, port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&host), sizeof host) != 0 && errno != EINPROGRESS)
    return close_with_errno(fd);
  return fd;
}

} // namespace

int connect_to_host(std::uint32_t port) {
  return connect_socket(vsock_socket(0), port);
}

int begin_connecting(std::uint32_t port) {
  return connect_socket(vsock_socket(SOCK_NONBLOCK), port);
}

int listen_on(std::uint32_t port, std::uint64_t buffer) {
  auto fd = vsock_socket(SOCK_NONBLOCK);
  if (fd < 0)
    return -1;
  if (buffer != 0)
    resize_buffer(fd, buffer);
  auto any = address_of(VMADDR_CID_ANY, port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 || ::listen(fd, 1024) != 0)
    return close_with_errno(fd);
  return fd;
}

void resize_buffer(int connection, std::uint64_t bytes) {
  // What is asked for is cut to these bounds; the kernel's own are 128 bytes and 256 KiB.
  for (auto option :
       {SO_VM_SOCKETS_BUFFER_MIN_SIZE, SO_VM_SOCKETS_BUFFER_MAX_SIZE, SO_VM_SOCKETS_BUFFER_SIZE})
    ::setsockopt(connection, AF_VSOCK, option, &bytes, sizeof bytes);
}

void raise_descriptor_limit() {
  // Some to spare, so that a connection too many can be accepted and closed.
  rlimit limit{most_descriptors + 64, most_descriptors + 64};
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace crosvisor::guest
