// SPDX-License-Identifier: Apache-2.0
// An image builder that makes nothing: it records its jobs, and does with them what a test says.
#pragma once

#include "crosvisor/io/image_builder.hpp"

#include <functional>
#include <string>
#include <vector>

namespace crosvisor::tests {

class fake_image_builder : public io::image_builder {
public:
  /// `vm demo`, `partition 4096`, `idsig`, in the order in which they were done.
  std::vector<std::string> jobs;
  /// What happens during each job; may throw, or cancel one.
  std::function<void(const io::job_control&)> during = [](const io::job_control&) {};
  /// What each job fails with; none: it succeeds.
  std::optional<io::failure> fails;
  /// What the images of a VM become.
  std::function<void(io::vm_images&)> expand = [](io::vm_images&) {};

  io::result<io::built_vm_images> build_vm_images(io::vm_images vm,
                                                  const io::job_control& control) override {
    if (auto failed = run("vm " + vm.config.name, control))
      return *failed;
    expand(vm);
    return io::built_vm_images{std::move(vm.config), vm.choice, std::move(vm.files),
                               std::make_shared<const io::built_disks>()};
  }

  io::result<void> make_partition(int, const partition_spec& spec,
                                  const io::job_control& control) override {
    if (auto failed = run("partition " + std::to_string(spec.size_bytes), control))
      return *failed;
    return {};
  }

  io::result<idsig_info> update_idsig(int, int, const idsig_spec&,
                                      const io::job_control& control) override {
    if (auto failed = run("idsig", control))
      return *failed;
    return idsig_info{false, 4096, 0, std::string(64, 'a'), ""};
  }

private:
  std::optional<io::failure> run(const std::string& job, const io::job_control& control) {
    jobs.push_back(job);
    during(control);
    return control.cancelled() ? io::job_control::stopped() : fails;
  }
};

} // namespace crosvisor::tests
