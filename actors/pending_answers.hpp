// SPDX-License-Identifier: Apache-2.0
// What a supervisor asked its VMM, and what is to happen with the answers.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <cstdint>
#include <functional>
#include <map>

namespace crosvisor::actors {

/// Numbers requests; each answer is handled once, and one that nobody waits for is dropped.
class pending_answers {
public:
  using handler = std::function<void(const vmm_answer&)>;

  /// The number that the answer must bear.
  std::uint64_t await(handler handle) {
    handlers_.emplace(++last_, std::move(handle));
    return last_;
  }

  void handle(const vmm_answer& answer) {
    if (auto node = handlers_.extract(answer.id))
      node.mapped()(answer);
  }

private:
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, handler> handlers_;
};

} // namespace crosvisor::actors
