// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/passed_words.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

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
  std::erase_if(words_, [&](const auto& word) { return word.second.until <= now; });
  auto waiting = std::count_if(words_.begin(), words_.end(),
                               [&](const auto& word) { return word.second.cid == cid; });
  if (static_cast<std::size_t>(waiting) >= per_vm)
    return io::failure{EBUSY, "VM " + std::to_string(cid) + " is being passed "
                                + std::to_string(per_vm)
                                + " times already, and none of them was taken"};
  auto word = random_word();
  if (word)
    words_.emplace(*word, meaning{cid, now + lifetime});
  return word;
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
