// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/passed_words.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <map>

namespace crosvisor::door {

namespace {

io::result<ticket> random_word() {
  std::array<std::uint8_t, ticket_digits / 2> bytes;
  // Up to 256 bytes come whole (getrandom(2)).
  while (::getrandom(bytes.data(), bytes.size(), 0) < 0)
    if (errno != EINTR)
      return io::last_failure("getrandom");
  constexpr char digits[] = "0123456789abcdef";
  ticket word;
  for (auto byte : bytes) {
    word += digits[byte >> 4];
    word += digits[byte & 15];
  }
  return word;
}

} // namespace

io::result<ticket> passed_words::make(vm_cid cid, time_point now) {
  forget_old(now);
  auto word = random_word();
  if (word)
    words_.emplace(*word, meaning{cid, now + lifetime});
  return word;
}

std::size_t passed_words::count(vm_cid cid, time_point now) {
  forget_old(now);
  auto waiting = std::count_if(words_.begin(), words_.end(),
                               [&](const auto& word) { return word.second.cid == cid; });
  return static_cast<std::size_t>(waiting);
}

std::size_t passed_words::most(time_point now) {
  forget_old(now);
  std::map<vm_cid, std::size_t> counts;
  std::size_t most = 0;
  for (const auto& [word, meant] : words_)
    most = std::max(most, ++counts[meant.cid]);
  return most;
}

void passed_words::forget_old(time_point now) {
  std::erase_if(words_, [&](const auto& word) { return word.second.until <= now; });
}

std::optional<vm_cid> passed_words::take(const ticket& word, time_point now) {
  auto node = words_.extract(word);
  if (!node || node.mapped().until <= now)
    return std::nullopt;
  return node.mapped().cid;
}

void passed_words::forget(vm_cid cid) {
  std::erase_if(words_, [&](const auto& word) { return word.second.cid == cid; });
}

} // namespace crosvisor::door
