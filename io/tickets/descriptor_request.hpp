// SPDX-License-Identifier: Apache-2.0
// The words of the descriptor door; see descriptor_door.hpp.
#pragma once

#include "crosvisor/messages/door_messages.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

inline constexpr std::size_t max_request_bytes = 64;

/// The longest answer: tickets for all of a packet's descriptors.
inline constexpr std::size_t max_answer_bytes = 2 + 32 * (ticket_digits + 1);

/// What a client wants: to have its descriptors kept, or to be given one.
struct descriptor_request {
  std::optional<ticket> take; ///< None: put.
};

/// Nothing where a packet is no request.
/// @param descriptors how many came with it.
std::optional<descriptor_request> parse_descriptor_request(std::string_view packet,
                                                           std::size_t descriptors);

std::string take_request(const ticket& of);

std::string ok_answer(const std::vector<ticket>& tickets = {});

/// @param why cut where the answer would be too long.
std::string no_answer(std::string_view why);

/// An answer that is none has neither.
struct descriptor_answer {
  std::optional<std::vector<ticket>> tickets; ///< "ok".
  std::string why;                            ///< "no", as it came.
};

descriptor_answer parse_descriptor_answer(std::string_view packet);

} // namespace crosvisor::io
