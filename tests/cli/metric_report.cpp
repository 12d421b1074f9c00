// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/metric_report.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.metric_report

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

std::vector<metric_family> some() {
  metric_family vms{"crosvisor_vms", "VMs.", metric_kind::gauge, {}};
  add_sample(vms, {{"state", "ready"}}, 3);
  metric_family cpu{"crosvisor_process_cpu_seconds_total", "Time.", metric_kind::counter, {}};
  add_sample(cpu, {}, 1.25);
  metric_family times{"crosvisor_x_seconds", "X.", metric_kind::histogram, {}};
  times.samples.push_back({{{"vmm", "qemu"}, {"accel", "kvm"}}, 1.5, 3, {{0.5, 2}, {1, 3}}});
  return {vms, cpu, times};
}

} // namespace

CAF_TEST(people see a line for each sample) {
  CAF_CHECK_EQUAL(metric_report(some(), output_format::table),
                  "METRIC                                       VALUE\n"
                  "crosvisor_vms{state=\"ready\"}                 3\n"
                  "crosvisor_process_cpu_seconds_total          1.25\n"
                  "crosvisor_x_seconds{vmm=\"qemu\",accel=\"kvm\"}  3, mean 0.5\n");
}

CAF_TEST(programs see an object or a sample a line) {
  CAF_CHECK_EQUAL(
    metric_report(some(), output_format::jsonl),
    R"({"schema":1,"name":"crosvisor_vms","kind":"gauge","labels":{"state":"ready"},"value":3}
{"schema":1,"name":"crosvisor_process_cpu_seconds_total","kind":"counter","labels":{},"value":1.25}
{"schema":1,"name":"crosvisor_x_seconds","kind":"histogram","labels":{"vmm":"qemu","accel":"kvm"},"count":3,"sum":1.5,"buckets":[{"le":0.5,"count":2},{"le":1.0,"count":3}]}
)");
  CAF_CHECK_EQUAL(metric_report({some()[0]}, output_format::json), R"({
  "schema": 1,
  "metrics": [
    {
      "name": "crosvisor_vms",
      "kind": "gauge",
      "help": "VMs.",
      "samples": [
        {
          "labels": {
            "state": "ready"
          },
          "value": 3
        }
      ]
    }
  ]
}
)");
}
