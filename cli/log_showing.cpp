// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/log_showing.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr std::size_t max_line_bytes = 160;
constexpr std::size_t tail_bytes = 8u << 10;
/// A log is bounded; one that grows as fast as it is read is not read to its end here.
constexpr int most_pieces = 256;

std::vector<std::string> lines_of(std::string text, std::size_t count) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < count) {
    auto end = text.find_last_not_of("\r\n");
    if (end == std::string::npos)
      break;
    auto begin = text.find_last_of("\r\n", end) + 1; // npos + 1 is 0.
    lines.push_back(io::printable(text.substr(begin, end + 1 - begin), max_line_bytes));
    text.resize(begin);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

} // namespace

log_source service_logs(connection& service, std::function<void(const std::string&)> say,
                        std::chrono::milliseconds bound) {
  return [&service, say = std::move(say), bound](const log_query& query) {
    for (;;) {
      auto piece = ask<log_piece>(service, request_bound, caf::get_atom::value, query);
      const auto* why = std::get_if<caf::error>(&piece);
      if (why == nullptr || !is_lost(*why) || !reconnect(service, say, bound))
        return piece;
    }
  };
}

answer<log_shown> show_log(const log_source& source, const std::string& vm, log_kind log,
                           bool follow, const log_display& on) {
  log_shown shown;
  log_query query{vm, log, {}, false};
  for (;;) {
    auto answered = source(query);
    if (auto* why = std::get_if<caf::error>(&answered))
      return std::move(*why);
    const auto& piece = std::get<log_piece>(answered);
    if (piece.gap)
      on.say("a part of the log was rotated away before it was shown");
    if (!piece.bytes.empty())
      shown.exit_code = on.print(piece.bytes);
    shown.bytes += piece.bytes.size();
    shown.cid = piece.cid;
    auto at_end = piece.bytes.empty() && !piece.gap;
    if (shown.exit_code != done || (at_end && !(follow && piece.living)))
      return shown;
    if (at_end)
      on.wait(log_poll_interval);
    query.position = piece.next;
    // Another VM may get the name.
    query.vm = std::to_string(piece.cid);
  }
}

std::vector<std::string> last_lines(const log_source& source, vm_cid cid, log_kind log,
                                    std::size_t count) {
  std::string tail;
  log_query query{std::to_string(cid), log, {}, false};
  for (int i = 0; i < most_pieces; ++i) {
    auto answered = source(query);
    const auto* piece = std::get_if<log_piece>(&answered);
    if (piece == nullptr || (piece->bytes.empty() && !piece->gap))
      break;
    tail += piece->bytes;
    tail.erase(0, tail.size() - std::min(tail.size(), tail_bytes));
    query.position = piece->next;
  }
  return lines_of(std::move(tail), count);
}

} // namespace crosvisor::cli
