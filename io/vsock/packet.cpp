// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/packet.hpp"

#include "crosvisor/io/vsock/wire.hpp"

namespace crosvisor::io::vsock {

packet_header decode(const packet_header_bytes& bytes) noexcept {
  auto* at = bytes.data();
  packet_header header;
  header.src_cid = load<std::uint64_t>(at);
  header.dst_cid = load<std::uint64_t>(at + 8);
  header.src_port = load<std::uint32_t>(at + 16);
  header.dst_port = load<std::uint32_t>(at + 20);
  header.len = load<std::uint32_t>(at + 24);
  header.type = load<std::uint16_t>(at + 28);
  header.op = packet_op{load<std::uint16_t>(at + 30)};
  header.flags = load<std::uint32_t>(at + 32);
  header.buf_alloc = load<std::uint32_t>(at + 36);
  header.fwd_cnt = load<std::uint32_t>(at + 40);
  return header;
}

packet_header_bytes encode(const packet_header& header) noexcept {
  packet_header_bytes bytes;
  auto* at = bytes.data();
  store(at, header.src_cid);
  store(at + 8, header.dst_cid);
  store(at + 16, header.src_port);
  store(at + 20, header.dst_port);
  store(at + 24, header.len);
  store(at + 28, header.type);
  store(at + 30, header.op);
  store(at + 32, header.flags);
  store(at + 36, header.buf_alloc);
  store(at + 40, header.fwd_cnt);
  return bytes;
}

packet_header rst_for(const packet_header& packet) noexcept {
  packet_header rst;
  rst.src_cid = packet.dst_cid;
  rst.dst_cid = packet.src_cid;
  rst.src_port = packet.dst_port;
  rst.dst_port = packet.src_port;
  rst.type = packet.type;
  rst.op = packet_op::rst;
  return rst;
}

} // namespace crosvisor::io::vsock
