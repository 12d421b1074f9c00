// SPDX-License-Identifier: Apache-2.0
// One packet between a client and the descriptor door, with the descriptors that travel with it.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// How many descriptors a packet may have.
inline constexpr std::size_t max_packet_descriptors = 32;

struct descriptor_packet {
  std::string text;           ///< Empty at the end of the connection.
  std::vector<unique_fd> fds; ///< Close-on-exec; perhaps more than max_packet_descriptors.
  bool text_cut = false;      ///< It was longer than there was room for.
  bool fds_lost = false;      ///< More came than there was room for, or this process can have.
};

/// Receives one packet, if there is one, without waiting (EAGAIN).
/// @param most_bytes how long its text may be.
result<descriptor_packet> receive_packet(int socket, std::size_t most_bytes);

/// Sends one packet without waiting (EAGAIN), with copies of `count` descriptors, at most
/// max_packet_descriptors.
result<void> send_packet(int socket, std::string_view text, const int* fds = nullptr,
                         std::size_t count = 0);

} // namespace crosvisor::io
