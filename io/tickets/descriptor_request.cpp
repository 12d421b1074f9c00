// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_request.hpp"

#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <algorithm>

namespace crosvisor::io {

namespace {

static_assert(max_answer_bytes == 2 + max_packet_descriptors * (ticket_digits + 1));

constexpr std::string_view put_word = "put";
constexpr std::string_view take_word = "take ";
constexpr std::string_view ok_word = "ok";
constexpr std::string_view no_word = "no ";

bool is_ticket(std::string_view text) {
  return text.size() == ticket_digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

} // namespace

std::optional<descriptor_request> parse_descriptor_request(std::string_view packet,
                                                           std::size_t descriptors) {
  if (packet == put_word && descriptors > 0 && descriptors <= max_packet_descriptors)
    return descriptor_request{};
  if (!packet.starts_with(take_word) || descriptors > 0)
    return std::nullopt;
  packet.remove_prefix(take_word.size());
  if (!is_ticket(packet))
    return std::nullopt;
  return descriptor_request{ticket{packet}};
}

std::string take_request(const ticket& of) {
  return std::string{take_word} + of;
}

std::string ok_answer(const std::vector<ticket>& tickets) {
  std::string answer{ok_word};
  for (const auto& each : tickets)
    answer += ' ' + each;
  return answer;
}

std::string no_answer(std::string_view why) {
  return std::string{no_word} += why.substr(0, max_answer_bytes - no_word.size());
}

descriptor_answer parse_descriptor_answer(std::string_view packet) {
  descriptor_answer answer;
  if (packet.starts_with(no_word)) {
    answer.why = packet.substr(no_word.size());
    return answer;
  }
  if (!packet.starts_with(ok_word))
    return answer;
  packet.remove_prefix(ok_word.size());
  std::vector<ticket> tickets;
  for (; !packet.empty(); packet.remove_prefix(1 + ticket_digits)) {
    if (packet[0] != ' ' || !is_ticket(packet.substr(1, ticket_digits)))
      return answer;
    tickets.emplace_back(packet.substr(1, ticket_digits));
  }
  answer.tickets = std::move(tickets);
  return answer;
}

} // namespace crosvisor::io
