// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/packet.hpp"

#include <caf/test/dsl.hpp>

#include <cstring>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.packet

using namespace crosvisor::io::vsock;

CAF_TEST(a header is laid out as the standard says) {
  packet_header header{2, 0x1122334455667788, 0xA1A2A3A4, 0xB1B2B3B4, 7, 1, packet_op::rw, 3, 8, 9};
  auto bytes = encode(header);
  const unsigned char expected[44] = {
    2,    0,    0,    0,    0,    0,    0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
    0x11, 0xA4, 0xA3, 0xA2, 0xA1, 0xB4, 0xB3, 0xB2, 0xB1, 7,    0,    0,    0,    1,    0,
    5,    0,    3,    0,    0,    0,    8,    0,    0,    0,    9,    0,    0,    0};
  CAF_CHECK_EQUAL(std::memcmp(bytes.data(), expected, 44), 0);
  CAF_CHECK(decode(bytes) == header);
}

CAF_TEST(an rst swaps addresses and echoes the type) {
  packet_header header{3, 2, 10, 20, 5, 2, packet_op::rw, 1, 1, 1};
  auto rst = rst_for(header);
  CAF_CHECK(rst == (packet_header{2, 3, 20, 10, 0, 2, packet_op::rst, 0, 0, 0}));
}
