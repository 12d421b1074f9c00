// SPDX-License-Identifier: Apache-2.0
// Reads what `crosvisor run --events` wrote from its standard input, and prints one line for each
// event: its kind and, of a death, reason and end: `dead shutdown {"code":0}`. Exits 1, and says
// why, where a line is no event or the numbers don't grow.
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>
#include <string>

namespace {

using nlohmann::json;

/// Throws where a key is missing or has another type.
std::string words_of(const json& event, std::uint64_t& last_seq) {
  if (event.at("schema").get<int>() != 1)
    throw std::runtime_error("schema is not 1");
  if (auto seq = event.at("seq").get<std::uint64_t>(); seq > last_seq)
    last_seq = seq;
  else
    throw std::runtime_error("seq does not grow");
  if (auto time = event.at("time").get<std::string>(); time.size() != 24 || time.back() != 'Z')
    throw std::runtime_error("time is not as it should be: " + time);
  if (event.at("cid").get<std::uint32_t>() < 3 || event.at("name").get<std::string>().empty())
    throw std::runtime_error("no cid or no name");
  auto words = event.at("event").get<std::string>();
  if (words == "dead")
    words += ' ' + event.at("reason").get<std::string>() + ' ' + event.at("vmm_exit").dump();
  return words;
}

} // namespace

int main() {
  std::uint64_t last_seq = 0;
  for (std::string line; std::getline(std::cin, line);)
    try {
      std::puts(words_of(json::parse(line), last_seq).c_str());
    } catch (const std::exception& why) {
      std::fprintf(stderr, "%s\nin: %s\n", why.what(), line.c_str());
      return 1;
    }
  return 0;
}
