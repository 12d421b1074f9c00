// SPDX-License-Identifier: Apache-2.0
// What `crosvisor run` needs before there is a VM: its configuration, its files, its outputs.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/line_writer.hpp"
#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/local_types.hpp"

#include <memory>
#include <optional>

namespace crosvisor::cli {

/// A VM that is ready to be created.
struct prepared_vm {
  vm_config config;
  vm_files files;
};

/// Replaces what the command line gives.
void override_config(vm_config& config, const run_options& options);

/// Reads the configuration file and opens what it names.
outcome<prepared_vm> prepare(const run_options& options);

/// Whether this host can run such a VM at all.
std::optional<early_end> check_choice(const run_options& options, const vm_config& config,
                                      const host_info& host);

/// What can be told now of a configuration on this host, so that nothing is started in vain.
std::optional<early_end> check_on_host(const run_options& options, const prepared_vm& vm,
                                       const host_info& host);

/// Opens what the guest writes to, as files of the VM's.
std::optional<early_end> open_outputs(const run_options& options, prepared_vm& vm);

/// Opens what the events are written to; null where nobody wants them.
outcome<std::unique_ptr<line_writer>> open_events(const run_options& options,
                                                  const io::descriptor_set& files);

/// Opens where the payload's output goes; an empty descriptor where nobody wants it.
outcome<io::unique_fd> open_payload_output(const run_options& options,
                                           const io::descriptor_set& files);

} // namespace crosvisor::cli
