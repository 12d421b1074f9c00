// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/shared_grants.hpp"

#include <utility>

namespace crosvisor {

shared_grants::shared_grants(permission_grants grants)
    : grants_(std::make_shared<const permission_grants>(std::move(grants))) {}

std::shared_ptr<const permission_grants> shared_grants::get() const {
  std::lock_guard lock{mutex_};
  return grants_;
}

void shared_grants::set(permission_grants grants) {
  auto next = std::make_shared<const permission_grants>(std::move(grants));
  std::lock_guard lock{mutex_};
  grants_.swap(next);
}

} // namespace crosvisor
