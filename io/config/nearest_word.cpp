// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/nearest_word.hpp"

#include <algorithm>
#include <cstddef>

namespace crosvisor::io {

namespace {

using row = std::vector<std::size_t>;

/// Optimal string alignment distance: the textbook dynamic programme, three rows kept.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  row before_last(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    current[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, current);
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
  }
  return current[b.size()];
}

} // namespace

std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& known) {
  constexpr std::size_t longest = 64; // Bounds the work; no word of ours is longer.
  if (word.empty() || word.size() > longest)
    return std::nullopt;
  std::optional<std::string> nearest;
  auto bound = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    if (auto distance = edit_distance(word, candidate); distance < bound) {
      bound = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

} // namespace crosvisor::io
