// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_image_builder.hpp"

#include "crosvisor/io/apk/update_idsig.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/partition_image.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/payload/expand_app.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <utility>
#include <variant>
#include <vector>

namespace crosvisor::io {

namespace {

std::vector<partition_source> sources_of(const disk_config& disk, std::size_t index,
                                         const descriptor_set& files) {
  std::vector<partition_source> sources;
  sources.reserve(disk.partitions.size());
  for (const auto& partition : disk.partitions)
    sources.push_back({partition.label, files.get(partition.image.index), partition.format,
                       partition.writable, partition.guid,
                       "disks[" + std::to_string(index) + "].partitions["
                         + std::to_string(sources.size()) + "] "
                         + in_quotes(partition.image.path)});
  return sources;
}

result<built_disks> build_disks(const vm_config& config, const descriptor_set& files,
                                const job_control& control) {
  built_disks built;
  for (std::size_t i = 0; i < config.disks.size(); ++i) {
    if (config.disks[i].partitions.empty())
      continue;
    auto disk = build_composite_disk(sources_of(config.disks[i], i, files), control);
    if (!disk)
      return disk.why();
    built.emplace(i, std::move(*disk));
  }
  return built;
}

class linux_image_builder final : public image_builder {
public:
  linux_image_builder(host_info host, std::string os_folder)
      : host_(std::move(host)), os_folder_(std::move(os_folder)) {}

  result<built_vm_images> build_vm_images(vm_images vm, const job_control& control) override {
    if (auto why = injected(failpoint::build_images))
      return *why;
    if (!vm.files)
      vm.files = std::make_shared<descriptor_set>();
    if (auto fit = check_vm_files(vm.config, *vm.files, vm.choice.vmm); !fit)
      return fit.why();
    if (vm.config.app)
      if (auto expanded = expand(vm, control); !expanded)
        return expanded.why();
    auto disks = build_disks(vm.config, *vm.files, control);
    if (!disks)
      return disks.why();
    return built_vm_images{std::move(vm.config), vm.choice, std::move(vm.files),
                           std::make_shared<const built_disks>(std::move(*disks))};
  }

  result<void> make_partition(int fd, const partition_spec& spec,
                              const job_control& control) override {
    if (auto why = injected(failpoint::make_image))
      return *why;
    return make_partition_image(fd, spec, control);
  }

  result<idsig_info> update_idsig(int apk, int idsig, const idsig_spec& spec,
                                  const job_control& control) override {
    if (auto why = injected(failpoint::make_image))
      return *why;
    return io::update_idsig(apk, idsig, spec, control);
  }

private:
  /// Replaces the app, and chooses anew, since its operating system says what it needs.
  result<void> expand(vm_images& vm, const job_control& control) {
    auto expanded = expand_app(vm.config, *vm.files, os_folder_, control);
    if (!expanded)
      return expanded.why();
    auto choice = choose_vmm(*expanded, host_);
    if (const auto* no = std::get_if<refusal>(&choice))
      return failure{0, "app.os " + in_quotes(vm.config.app.os) + ": " + no->why};
    vm.config = std::move(*expanded);
    vm.choice = std::get<vmm_choice>(choice);
    return {};
  }

  const host_info host_;
  const std::string os_folder_;
};

} // namespace

std::shared_ptr<image_builder> make_linux_image_builder(host_info host, std::string os_folder) {
  return std::make_shared<linux_image_builder>(std::move(host), std::move(os_folder));
}

} // namespace crosvisor::io
