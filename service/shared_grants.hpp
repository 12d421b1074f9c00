// SPDX-License-Identifier: Apache-2.0
// The grants in force.
#pragma once

#include "crosvisor/service/permissions.hpp"

#include <memory>
#include <mutex>

namespace crosvisor {

/// The grants in force, which a reload replaces. Any thread.
class shared_grants {
public:
  explicit shared_grants(permission_grants grants);

  std::shared_ptr<const permission_grants> get() const;
  void set(permission_grants grants);

private:
  mutable std::mutex mutex_;
  std::shared_ptr<const permission_grants> grants_;
};

} // namespace crosvisor
