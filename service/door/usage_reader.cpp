// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/usage_reader.hpp"

#include "crosvisor/io/metrics/process_metrics.hpp"

namespace crosvisor::door {

usage_reader_actor::behavior_type usage_reader(usage_reader_actor::pointer) {
  return {
    [](caf::get_atom, metrics_atom, const std::vector<vm_info>& vms) {
      return io::measure_processes(vms);
    },
  };
}

} // namespace crosvisor::door
