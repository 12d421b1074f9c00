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

std::string shown_path(const run_options& options) {
  return io::printable(options.subject, 4096);
}

} // namespace

void override_config(vm_config& config, const run_options& options) {
  if (options.name)
    config.name = *options.name;
  if (options.memory_mib)
    config.memory_mib = *options.memory_mib;
  if (options.cpus)
    config.cpus = *options.cpus;
  if (options.vmm)
    config.vmm = *options.vmm;
  if (options.accel)
    config.accel = *options.accel;
  if (options.restart)
    config.restart = *options.restart;
}

outcome<prepared_vm> prepare(const run_options& options) {
  auto config = io::load_vm_config(options.subject);
  if (!config)
    return early_end{usage, config.why().what};
  override_config(*config, options);
  auto files = io::open_vm_files(*config, io::folder_of(options.subject));
  if (!files)
    return early_end{usage, shown_path(options) + ": " + files.why().what};
  return prepared_vm{std::move(*config), std::move(*files)};
}

std::optional<early_end> check_choice(const run_options& options, const vm_config& config,
                                      const host_info& host) {
  auto choice = choose_vmm(config, host);
  if (const auto* no = std::get_if<refusal>(&choice))
    return early_end{no->config_at_fault ? usage : start_failed,
                     shown_path(options) + ": " + no->why};
  return std::nullopt;
}

std::optional<early_end> check_on_host(const run_options& options, const prepared_vm& vm,
                                       const host_info& host) {
  if (auto end = check_choice(options, vm.config, host))
    return end;
  if (const auto& stored = vm.files->stored_images(); !stored.empty())
    return early_end{usage, shown_path(options) + ": image:" + stored.begin()->second
                              + " is a daemon's, and here is none; start crosvisord, or name a "
                                "file"};
  auto vmm = std::get<vmm_choice>(choose_vmm(vm.config, host)).vmm;
  if (auto fit = io::check_vm_files(vm.config, *vm.files, vmm); !fit)
    return early_end{usage, shown_path(options) + ": " + fit.why().what};
  return std::nullopt;
}

std::optional<early_end> open_outputs(const run_options& options, prepared_vm& vm) {
  for (auto [option, path, file] : {std::tuple{"--console", &options.console, &vm.config.console},
                                    {"--log", &options.log, &vm.config.log}}) {
    if (path->empty())
      continue;
    auto fd = open_output(*path, *vm.files);
    if (!fd)
      return early_end{usage, std::string{option} + ' ' + fd.why().what};
    *file = {*path, vm.files->add(std::move(*fd))};
  }
  return std::nullopt;
}

outcome<std::unique_ptr<line_writer>> open_events(const run_options& options,
                                                  const io::descriptor_set& files) {
  if (options.events.empty())
    return nullptr;
  auto fd = open_output(options.events, files);
  if (!fd)
    return early_end{usage, "--events " + fd.why().what};
  return std::make_unique<line_writer>(std::move(*fd));
}

outcome<io::unique_fd> open_payload_output(const run_options& options,
                                           const io::descriptor_set& files) {
  if (options.output_path().empty())
    return io::unique_fd{};
  auto fd = open_output(options.output_path(), files);
  if (!fd)
    return early_end{usage, "--payload-output " + fd.why().what};
  return std::move(*fd);
}

} // namespace crosvisor::cli
