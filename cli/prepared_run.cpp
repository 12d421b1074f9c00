// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/prepared_run.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/output_file.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <tuple>
#include <utility>

namespace crosvisor::cli {

namespace {

std::string shown_path(const run_arguments& arguments) {
  return io::printable(arguments.config_path, 4096);
}

void override_config(vm_config& config, const run_arguments& arguments) {
  if (arguments.name)
    config.name = *arguments.name;
  if (arguments.memory_mib)
    config.memory_mib = *arguments.memory_mib;
  if (arguments.cpus)
    config.cpus = *arguments.cpus;
  if (arguments.vmm)
    config.vmm = *arguments.vmm;
  if (arguments.accel)
    config.accel = *arguments.accel;
}

} // namespace

outcome<prepared_vm> prepare(const run_arguments& arguments) {
  auto config = io::load_vm_config(arguments.config_path);
  if (!config)
    return early_end{usage, config.why().what};
  override_config(*config, arguments);
  auto files = io::open_vm_files(*config, io::folder_of(arguments.config_path));
  if (!files)
    return early_end{usage, shown_path(arguments) + ": " + files.why().what};
  return prepared_vm{std::move(*config), std::move(*files)};
}

std::optional<early_end> check_on_host(const run_arguments& arguments, const prepared_vm& vm,
                                       const host_info& host) {
  auto choice = choose_vmm(vm.config, host);
  auto path = shown_path(arguments) + ": ";
  if (const auto* no = std::get_if<refusal>(&choice))
    return early_end{no->config_at_fault ? usage : start_failed, path + no->why};
  auto fit = io::check_vm_files(vm.config, *vm.files, std::get<vmm_choice>(choice).vmm);
  if (!fit)
    return early_end{usage, path + fit.why().what};
  return std::nullopt;
}

std::optional<early_end> open_outputs(const run_arguments& arguments, prepared_vm& vm) {
  for (auto [option, path, file] : {std::tuple{"--console", &arguments.console, &vm.config.console},
                                    {"--log", &arguments.log, &vm.config.log}}) {
    if (path->empty())
      continue;
    auto fd = open_output(*path, *vm.files);
    if (!fd)
      return early_end{usage, std::string{option} + ' ' + fd.why().what};
    *file = {*path, vm.files->add(std::move(*fd))};
  }
  return std::nullopt;
}

outcome<std::unique_ptr<line_writer>> open_events(const run_arguments& arguments,
                                                  const io::descriptor_set& files) {
  if (arguments.events.empty())
    return nullptr;
  auto fd = open_output(arguments.events, files);
  if (!fd)
    return early_end{usage, "--events " + fd.why().what};
  return std::make_unique<line_writer>(std::move(*fd));
}

outcome<io::unique_fd> open_payload_output(const run_arguments& arguments,
                                           const io::descriptor_set& files) {
  if (arguments.output_path().empty())
    return io::unique_fd{};
  auto fd = open_output(arguments.output_path(), files);
  if (!fd)
    return early_end{usage, "--payload-output " + fd.why().what};
  return std::move(*fd);
}

} // namespace crosvisor::cli
