// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/nbdkit/options.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <charconv>

namespace crosvisor::nbdkit {

io::result<std::optional<std::vector<int>>> parse_sparse(std::string_view text) {
  using choice = std::optional<std::vector<int>>;
  if (text == "auto")
    return choice{};
  std::vector<int> numbers;
  if (text == "none")
    return choice{numbers};
  for (auto rest = text;;) {
    auto word = rest.substr(0, rest.find(','));
    auto number = -1;
    auto [end, why] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (why != std::errc{} || end != word.data() + word.size() || number < 0)
      return io::failure{0, "sparse: " + io::in_quotes(text)
                              + " is none of auto, none, and descriptors such as 7,9"};
    numbers.push_back(number);
    if (word.size() == rest.size())
      return choice{numbers};
    rest.remove_prefix(word.size() + 1);
  }
}

} // namespace crosvisor::nbdkit
