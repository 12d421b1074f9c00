// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"

namespace crosvisor::actors {

cid_pool::cid_pool(cid_range range, vm_cid last_used)
    : range_(range),
      next_fresh_(last_used >= range.first && last_used < range.last ? last_used + 1 : range.first),
      fresh_(range.last - range.first + 1u) {}

std::optional<vm_cid> cid_pool::allocate() {
  if (fresh_ > 0) {
    auto cid = next_fresh_;
    next_fresh_ = cid == range_.last ? range_.first : cid + 1;
    --fresh_;
    return cid;
  }
  if (released_.empty())
    return std::nullopt;
  auto cid = released_.front();
  released_.pop_front();
  return cid;
}

void cid_pool::release(vm_cid cid) {
  released_.push_back(cid);
}

std::size_t cid_pool::available() const noexcept {
  return fresh_ + released_.size();
}

} // namespace crosvisor::actors
