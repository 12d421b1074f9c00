// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/limit_report.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.limit_report

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

const std::vector<limit_info> some = {{"vms", "limits.vms", 12, 4096, 0},
                                      {"vms_per_user", "limits.vms_per_user", 1, 1, 25},
                                      {"log_reads", "", 0, 256, 0}};

} // namespace

CAF_TEST(people see columns) {
  CAF_CHECK_EQUAL(limit_report(some, output_format::table),
                  "LIMIT         USED  OF    REFUSED  KEY\n"
                  "vms           12    4096  0        limits.vms\n"
                  "vms_per_user  1     1     25       limits.vms_per_user\n"
                  "log_reads     0     256   0        -\n");
}

CAF_TEST(programs see an object or one a line) {
  CAF_CHECK_EQUAL(
    limit_report({some[1], some[2]}, output_format::jsonl),
    R"({"schema":1,"name":"vms_per_user","used":1,"limit":1,"refused":25,"key":"limits.vms_per_user"}
{"schema":1,"name":"log_reads","used":0,"limit":256,"refused":0,"key":null}
)");
  CAF_CHECK_EQUAL(limit_report({some[2]}, output_format::json), R"({
  "schema": 1,
  "limits": [
    {
      "name": "log_reads",
      "used": 0,
      "limit": 256,
      "refused": 0,
      "key": null
    }
  ]
}
)");
}
