// SPDX-License-Identifier: Apache-2.0
// A service of which the daemon's actors see the answers to two questions.
#pragma once

#include "crosvisor/tests/actors/fixture.hpp"

#include <caf/typed_response_promise.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// What it says, and what it was asked.
struct fake_service_script {
  std::vector<vm_info> vms;
  /// Whether it answers at all.
  bool answers = true;
  int listed = 0;
  std::optional<caf::timespan> drained;
  caf::typed_response_promise<caf::ok_atom> drain;
  int left = 0;
  caf::typed_response_promise<caf::ok_atom> leave;
  /// What is not answered, and must be in the end.
  std::vector<caf::typed_response_promise<std::vector<vm_info>>> held;
};

using fake_service_words = std::shared_ptr<fake_service_script>;

using fake_service_actor = service_actor::extend<
  // ANSWER what was asked and not answered.
  caf::reacts_to<finished_atom>>;

inline caf::error not_here() {
  return caf::make_error(vm_errc::unsupported, "not in this test");
}

inline fake_service_actor::behavior_type fake_service(fake_service_actor::pointer self,
                                                      const fake_service_words& words) {
  using created = caf::result<vm_actor, vm_info>;
  return {
    [](create_atom, const partition_spec&, vm_files&) -> caf::result<caf::ok_atom> {
      return not_here();
    },
    [](create_atom, const idsig_spec&, vm_files&,
       const progress_actor&) -> caf::result<idsig_info> { return not_here(); },
    [](create_atom, const vm_config&, vm_files&) -> created { return not_here(); },
    [](create_atom, const vm_config&, vm_files&, const caller&) -> created { return not_here(); },
    [](caf::get_atom, vm_cid) -> caf::result<vm_actor> { return not_here(); },
    [](caf::get_atom, const vm_name&) -> caf::result<vm_actor> { return not_here(); },
    [=](list_atom) -> caf::result<std::vector<vm_info>> {
      ++words->listed;
      if (words->answers)
        return words->vms;
      return words->held.emplace_back(self->make_response_promise<std::vector<vm_info>>());
    },
    [](caf::get_atom, host_atom) -> caf::result<host_info> { return not_here(); },
    [](caf::get_atom, metrics_atom) -> caf::result<std::vector<metric_family>> {
      return not_here();
    },
    [](caf::get_atom, adopted_atom) { return adopted_vms{}; },
    [=](drain_atom, caf::timespan grace) -> caf::result<caf::ok_atom> {
      words->drained = grace;
      words->drain = self->make_response_promise<caf::ok_atom>();
      return words->drain;
    },
    [=](leave_atom) -> caf::result<caf::ok_atom> {
      ++words->left;
      return words->leave = self->make_response_promise<caf::ok_atom>();
    },
    [=](finished_atom) {
      for (auto& promise : std::exchange(words->held, {}))
        promise.deliver(words->vms);
      if (words->drained)
        words->drain.deliver(caf::ok_atom::value);
      if (words->left > 0)
        words->leave.deliver(caf::ok_atom::value);
    },
  };
}

} // namespace crosvisor::tests
