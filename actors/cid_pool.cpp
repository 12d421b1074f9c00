// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"

#include <cstdint>

namespace crosvisor::actors {

cid_pool::cid_pool(cid_range range, vm_cid last_used)
    : range_(range),
      next_fresh_(last_used >= range.first && last_used < range.last ? last_used + 1 : range.first),
      fresh_(range.last - range.first + 1u) {}

std::optional<vm_cid> cid_pool::allocate() {
  while (fresh_ > 0) {
    auto cid = next_fresh_;
    next_fresh_ = cid == range_.last ? range_.first : cid + 1;
    --fresh_;
    if (reserved_.erase(cid) == 0)
      return cid;
  }
  if (released_.empty())
    return std::nullopt;
  auto cid = released_.front();
  released_.pop_front();
  return cid;
}

bool cid_pool::is_fresh(vm_cid cid) const noexcept {
  std::uint64_t size = range_.last - range_.first + 1u;
  return (cid + size - next_fresh_) % size < fresh_ && !reserved_.contains(cid);
}

bool cid_pool::reserve(vm_cid cid) {
  if (!in_range(cid))
    return false;
  if (is_fresh(cid))
    return reserved_.insert(cid).second;
  return std::erase(released_, cid) > 0;
}

void cid_pool::release(vm_cid cid) {
  if (in_range(cid))
    released_.push_back(cid);
}

std::size_t cid_pool::available() const noexcept {
  return fresh_ - reserved_.size() + released_.size();
}

} // namespace crosvisor::actors
