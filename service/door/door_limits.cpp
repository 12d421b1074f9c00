// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/door_limits.hpp"

namespace crosvisor::door {

door_limits::door_limits(const door_bounds& bounds)
    : vms({"vms", "VMs"}, bounds.vms, bounds.vms_per_user),
      requests({"requests", "requests that wait for an answer"}, bounds.requests,
               bounds.requests_per_user),
      subscriptions({"subscriptions", "subscriptions"}, bounds.subscriptions,
                    bounds.subscriptions_per_user),
      streams({"streams", "streams"}, bounds.streams, bounds.streams_per_user),
      images({"images", "images that are not made yet"}, bounds.images, bounds.images_per_user),
      references({"references_per_user", "references to"}, bounds.references_per_user),
      subscribers({"subscribers_per_vm", "subscribers"}, bounds.subscribers_per_vm),
      output_readers({"output_readers_per_vm", "readers of its output"},
                     bounds.output_readers_per_vm),
      connects({"connects_per_vm", "connections that are not made yet"}, bounds.connects_per_vm),
      users({"users_per_vm", "users"}, bounds.users_per_vm),
      passes({"passes_per_vm", "words that nobody has taken"}, bounds.passes_per_vm),
      events_kept({"events_kept", "events"}, bounds.events_kept) {}

std::vector<limit_info> door_limits::of(const caller& who) const {
  std::vector<limit_info> all;
  for (const auto* one : {&vms, &requests, &subscriptions, &streams, &images})
    one->show_own(all, who);
  return all;
}

} // namespace crosvisor::door
