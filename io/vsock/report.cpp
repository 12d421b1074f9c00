// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/report.hpp"

#include <utility>

namespace crosvisor::io::vsock {

void report::line(std::string_view text) {
  auto now = clock_();
  if (now - since_ >= interval) {
    since_ = now;
    passed_ = 0;
    if (auto count = std::exchange(held_back_, 0); count > 0)
      sink_(std::to_string(count) + " more lines were held back");
  }
  if (passed_ == burst) {
    ++held_back_;
    return;
  }
  ++passed_;
  sink_(text);
}

} // namespace crosvisor::io::vsock
