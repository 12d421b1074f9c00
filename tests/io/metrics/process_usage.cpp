// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/process_usage.hpp"
#include "crosvisor/io/metrics/process_metrics.hpp"

#include <caf/test/dsl.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.metrics.process_usage

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

/// A child that waits to be killed.
struct child {
  pid_t pid = ::fork();

  child() {
    if (pid == 0)
      for (;;)
        ::pause();
  }

  ~child() { end(); }

  void end() {
    if (pid <= 0)
      return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }
};

const metric_family* find(const std::vector<metric_family>& all, const std::string& name) {
  auto found = std::find_if(all.begin(), all.end(),
                            [&](const metric_family& family) { return family.name == name; });
  return found == all.end() ? nullptr : &*found;
}

} // namespace

CAF_TEST(a line of the kernel is read whatever the name of the program) {
  auto usage = parse_process_stat("42 (a) b) S 7 42 42 0 -1 4194304 1 2 3 4 250 50 6 7 20 0 3 0 "
                                  "1000 123 10 18446744073709551615 1 1 0\n",
                                  100, 4096);
  CAF_REQUIRE(usage);
  CAF_CHECK_EQUAL(usage->name, "a) b");
  CAF_CHECK_EQUAL(usage->parent, 7);
  CAF_CHECK_EQUAL(usage->cpu_seconds, 3.0);
  CAF_CHECK_EQUAL(usage->threads, 3u);
  CAF_CHECK_EQUAL(usage->started_seconds, 10.0);
  CAF_CHECK_EQUAL(usage->resident_bytes, 40960u);
}

CAF_TEST(what is no such line is nothing) {
  for (const char* text : {"", "42", "42 (a", "42 (a) S 7", ") ("})
    CAF_CHECK(!parse_process_stat(text, 100, 4096));
}

CAF_TEST(this process and its children are measured and those that are gone are not ) {
  auto own = read_process_usage(::getpid());
  CAF_REQUIRE(own);
  CAF_CHECK(own->resident_bytes > 0 && own->threads > 0);
  CAF_CHECK(count_own_descriptors() > 2);
  child other;
  auto usage = read_process_usage(other.pid);
  CAF_REQUIRE(usage);
  CAF_CHECK_EQUAL(usage->parent, ::getpid());
  auto children = children_of(::getpid());
  CAF_CHECK(std::find(children.begin(), children.end(), other.pid) != children.end());
  auto pid = other.pid;
  other.end();
  CAF_CHECK(!read_process_usage(pid));
}

CAF_TEST(a vm is measured by its vmm as long as that is ours) {
  child vmm;
  vm_info vm;
  vm.cid = 2048;
  vm.name = "demo";
  vm.vmm_pid = vmm.pid;
  vm_info other = vm;
  other.vmm_pid = 1; // Neither ours nor a keeper's.
  vm_info none = vm;
  none.vmm_pid = 0;
  auto all = measure_processes({vm, other, none});
  const auto* memory = find(all, "crosvisor_vm_process_resident_memory_bytes");
  CAF_REQUIRE(memory);
  CAF_REQUIRE_EQUAL(memory->samples.size(), 1u);
  const auto& labels = memory->samples.front().labels;
  CAF_REQUIRE_EQUAL(labels.size(), 3u);
  CAF_CHECK_EQUAL(labels[0].value + labels[1].value + labels[2].value, "2048demovmm");
  CAF_CHECK(memory->samples.front().value > 0);
  for (const char* name : {"crosvisor_build_info", "crosvisor_process_resident_memory_bytes",
                           "crosvisor_process_cpu_seconds_total", "crosvisor_process_open_fds",
                           "crosvisor_process_threads", "crosvisor_process_start_time_seconds"}) {
    const auto* family = find(all, name);
    CAF_REQUIRE(family);
    CAF_CHECK(family->samples.size() == 1 && family->samples.front().value >= 0);
  }
}
