// SPDX-License-Identifier: Apache-2.0
// Where services come to a keeper.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// A listening socket whose connections are taken one at a time, and from processes of this one's
/// user alone. On the loop's thread; the file goes with it.
class keeper_visitors {
public:
  /// @param on_visitor called once for each wait().
  static result<std::shared_ptr<keeper_visitors>> make(event_loop& loop, const std::string& path,
                                                       std::function<void(unique_fd)> on_visitor);

  virtual ~keeper_visitors() = default;

  /// Takes the next one, that is there or comes.
  virtual void wait() = 0;

  /// See unix_listener::rename().
  virtual result<void> rename(const std::string& name) = 0;
};

} // namespace crosvisor::io
