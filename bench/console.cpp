// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/console.hpp"

#include "crosvisor/bench/measure.hpp"

#include <poll.h>
#include <unistd.h>

namespace crosvisor::bench {

std::int64_t wait_for_line(int console, const std::string& words) {
  auto until = now_ns() + std::chrono::nanoseconds{patience}.count();
  std::string text;
  for (;;) {
    auto begin = text.find(words);
    if (begin != text.npos && text.find('\n', begin) != text.npos)
      return now_ns();
    pollfd ready{console, POLLIN, 0};
    char chunk[4096];
    if (now_ns() > until || ::poll(&ready, 1, 1000) < 0)
      throw std::runtime_error("the guest did not say \"" + words + '"');
    auto got = ready.revents == 0 ? 0 : ::read(console, chunk, sizeof chunk);
    if (ready.revents != 0 && got <= 0)
      throw std::runtime_error("the guest ended without saying \"" + words + '"');
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

} // namespace crosvisor::bench
