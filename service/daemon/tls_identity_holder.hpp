// SPDX-License-Identifier: Apache-2.0
// The TLS identity in force, which a reload replaces.
#pragma once

#include "crosvisor/service/transport/tls_identity.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace crosvisor {

/// Any thread.
class tls_identity_holder {
public:
  using identity = std::shared_ptr<const transport::tls_identity>;

  identity get() const {
    std::lock_guard lock{mutex_};
    return identity_;
  }

  void set(identity next) {
    std::lock_guard lock{mutex_};
    identity_ = std::move(next);
  }

private:
  mutable std::mutex mutex_;
  identity identity_;
};

} // namespace crosvisor
