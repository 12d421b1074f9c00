// SPDX-License-Identifier: Apache-2.0
// What VMMs say, in the orders in which QEMU and crosvm were recorded.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace crosvisor::tests {

void front_end::send(std::uint32_t request, const void* payload, std::size_t size,
                     std::vector<int> fds, std::uint32_t flags) {
  vhost_header header{request, flags, static_cast<std::uint32_t>(size)};
  std::array<iovec, 2> parts{iovec{&header, sizeof(header)},
                             iovec{const_cast<void*>(payload), size}};
  alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = size > 0 ? 2 : 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    auto* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ::sendmsg(vmm.get(), &message, MSG_NOSIGNAL);
  settle();
}

void front_end::send_u64(std::uint32_t request, std::uint64_t value, std::vector<int> fds,
                         std::uint32_t flags) {
  send(request, &value, sizeof(value), std::move(fds), flags);
}

void front_end::send_state(std::uint32_t request, std::uint32_t index, std::uint32_t num,
                           std::uint32_t flags) {
  vring_state state{index, num};
  send(request, &state, sizeof(state), {}, flags);
}

std::string front_end::reply() {
  settle();
  if (!is_readable(vmm.get(), made ? 0 : patience_ms))
    return {};
  vhost_header header;
  if (::recv(vmm.get(), &header, sizeof(header), MSG_WAITALL) != sizeof(header))
    return {};
  std::string bytes(sizeof(header) + header.size, '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (header.size > 0)
    ::recv(vmm.get(), bytes.data() + sizeof(header), header.size, MSG_WAITALL);
  return bytes;
}

std::uint64_t front_end::reply_u64() {
  auto bytes = reply();
  return bytes.size() == 20 ? load<std::uint64_t>(bytes.data() + 12) : ~0ull;
}

void front_end::set_memory(std::uint32_t flags) {
  auto regions = memory.regions();
  std::string payload(8 + 32 * regions.size(), '\0');
  payload[0] = static_cast<char>(regions.size());
  std::memcpy(payload.data() + 8, regions.data(), 32 * regions.size());
  send(5, payload.data(), payload.size(), {memory.fd.get(), memory.fd.get()}, flags);
}

void front_end::set_address(unsigned index) {
  auto& of = ring(index);
  vring_address address{index,
                        0,
                        guest_memory::vmm_address(of.descriptors),
                        guest_memory::vmm_address(of.used),
                        guest_memory::vmm_address(of.avail),
                        0};
  send(9, &address, sizeof(address));
}

void front_end::ask(std::uint32_t request) {
  send(request, nullptr, 0);
  reply();
}

void front_end::negotiate() {
  ask(1);
  ask(15);
  send_u64(16, 0x209);
  ask(17);
}

void front_end::handshake_like_qemu() {
  negotiate();
  send(3, nullptr, 0);
  ask(1);
  for (auto i = 0u; i < 2; ++i) {
    send_u64(13, i, {calls[i].get()});
    send_u64(14, i, {errs[i].get()});
  }
  std::array<std::uint32_t, 5> config{0, 8, 0, 0, 0};
  send(24, config.data(), sizeof(config));
  reply();
}

void front_end::restart_like_qemu(std::vector<std::uint16_t> bases) {
  send_u64(13, 1, {calls[1].get()});
  send_u64(13, 0, {calls[0].get()});
  send_u64(2, 0x1'6000'0000);
  set_memory(9);
  reply();
  for (auto i = 0u; i < 2; ++i) {
    send_state(8, i, ring(i).size);
    send_state(10, i, bases[i]);
    set_address(i);
    send_u64(12, i, {kicks[i].get()});
  }
  for (auto i = 0u; i < 2; ++i)
    send_state(18, i, 1);
  send_u64(13, 0, {calls[0].get()});
  send_u64(13, 1, {calls[1].get()});
}

void front_end::start_like_qemu() {
  handshake_like_qemu();
  restart_like_qemu({rx.avail_index(), tx.avail_index()});
}

std::uint16_t front_end::take_base(unsigned index) {
  send_state(11, index, 0);
  auto bytes = reply();
  return bytes.size() == 20 ? load<std::uint16_t>(bytes.data() + 16) : 0xDEAD;
}

std::vector<std::uint16_t> front_end::stop_like_qemu() {
  std::vector<std::uint16_t> bases;
  send_state(18, 0, 0);
  send_state(18, 1, 0);
  for (auto i = 0u; i < 2; ++i)
    bases.push_back(take_base(i));
  send_u64(13, 1, {calls[1].get()});
  send_u64(13, 0, {calls[0].get()});
  return bases;
}

void front_end::start_like_crosvm() {
  send(3, nullptr, 0);
  negotiate();
  for (auto offset : {0u, 4u}) {
    std::array<std::uint32_t, 4> config{offset, 4, 1, 0};
    send(24, config.data(), sizeof(config));
    reply();
  }
  send_u64(2, 0x1'6000'0000);
  resume_like_crosvm({0, 0, 0});
}

std::vector<std::uint16_t> front_end::suspend_like_crosvm() {
  std::vector<std::uint16_t> bases;
  for (auto i = 0u; i < 3; ++i) {
    send_state(18, i, 0);
    bases.push_back(take_base(i));
  }
  return bases;
}

void front_end::resume_like_crosvm(std::vector<std::uint16_t> bases) {
  set_memory();
  for (auto i = 0u; i < 3; ++i) {
    send_state(8, i, ring(i).size);
    set_address(i);
    send_state(10, i, bases[i]);
    send_u64(13, i, {calls[i].get()});
    send_u64(12, i, {kicks[i].get()});
    send_state(18, i, 1);
  }
}

bool front_end::was_called(unsigned index) {
  std::uint64_t count = 0;
  return ::read(calls[index].get(), &count, sizeof(count)) == sizeof(count);
}

void front_end::kick(unsigned index) {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(kicks[index].get(), &one, sizeof(one));
}

} // namespace crosvisor::tests
