// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/image_requests.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/cli/vm_run.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace crosvisor::cli {

namespace {

vm_config config_of(const run_app_arguments& arguments) {
  vm_config config;
  config.memory_mib = 0; // The operating system's.
  auto& app = config.app;
  app.apk.path = arguments.subject;
  app.idsig.path = arguments.idsig;
  app.instance.path = arguments.instance;
  app.encrypted_storage.path = arguments.storage;
  app.config_path = arguments.config_path;
  app.payload_binary = arguments.payload_binary;
  app.os = arguments.os;
  app.debug = arguments.debug;
  for (std::size_t i = 0; i < arguments.extra_apks.size(); ++i)
    app.extra_apks.push_back({{arguments.extra_apks[i], 0}, {arguments.extra_idsigs[i], 0}});
  override_config(config, arguments);
  return config;
}

void tell(const std::string& what) {
  say("crosvisor: " + what + '\n');
}

/// Only the service knows whether an image is there. It is used as it is: the guest checks an
/// idsig.
bool is_stored_already(const std::string& path, const early_end& end) {
  return stored_image_name(path) && end.exit_code == conflict;
}

std::optional<early_end> digest(image_requests& images, const std::string& apk,
                                const std::string& idsig, bool allow_unsigned) {
  auto info = images.update_idsig(apk, idsig, allow_unsigned);
  if (auto* end = std::get_if<early_end>(&info)) {
    if (is_stored_already(idsig, *end))
      return std::nullopt;
    return *end;
  }
  if (!std::get<idsig_info>(info).was_current)
    tell("wrote " + io::printable(idsig, 4096));
  return std::nullopt;
}

std::optional<early_end> make_if_missing(image_requests& images, const std::string& path,
                                         const partition_spec& spec) {
  auto is_stored = stored_image_name(path).has_value();
  if (path.empty() || (!is_stored && (::access(path.c_str(), F_OK) == 0 || errno != ENOENT)))
    return std::nullopt;
  auto made = images.make_partition(path, spec);
  if (auto* end = std::get_if<early_end>(&made)) {
    if (is_stored_already(path, *end))
      return std::nullopt;
    return *end;
  }
  tell("made " + io::printable(path, 4096) + ", " + to_string(spec.type));
  return std::nullopt;
}

/// The app's files, as far as they are to be made.
std::optional<early_end> make_files(image_requests& images, const run_app_arguments& arguments) {
  if (auto end = digest(images, arguments.subject, arguments.idsig, arguments.allow_unsigned))
    return end;
  for (std::size_t i = 0; i < arguments.extra_apks.size(); ++i)
    if (auto end = digest(images, arguments.extra_apks[i], arguments.extra_idsigs[i],
                          arguments.allow_unsigned))
      return end;
  if (auto end = make_if_missing(images, arguments.instance,
                                 {partition_type::instance, arguments.instance_bytes, {}}))
    return end;
  return make_if_missing(images, arguments.storage,
                         {partition_type::encryptedstore, arguments.storage_bytes, {}});
}

/// What can be told where it is this process that runs the VM; before its files are made, what can
/// be told without them.
std::optional<early_end> check_here(connection& service, const run_app_arguments& arguments,
                                    const prepared_vm& vm) {
  auto* embedded = service.embedded();
  if (embedded == nullptr)
    return std::nullopt;
  if (vm.files == nullptr)
    return check_choice(arguments, vm.config, embedded->host().host);
  return check_on_host(arguments, vm, embedded->host().host);
}

outcome<int> try_run_app(const run_app_arguments& arguments) {
  prepared_vm vm{config_of(arguments), nullptr};
  auto subject = io::printable(arguments.subject, 4096);
  if (auto problem = find_problem(vm.config))
    return early_end{usage, subject + ": " + *problem};
  auto opened = open_connection(arguments.connect, needs_of(arguments));
  if (auto* end = std::get_if<early_end>(&opened))
    return *end;
  auto& service = *std::get<0>(opened);
  if (auto end = check_here(service, arguments, vm))
    return *end;
  image_requests images{service};
  if (auto end = make_files(images, arguments))
    return *end;
  auto files = io::open_vm_files(vm.config, ".");
  if (!files)
    return early_end{usage, subject + ": " + files.why().what};
  vm.files = std::move(*files);
  if (auto end = check_here(service, arguments, vm))
    return *end;
  return run_vm(arguments, service, std::move(vm));
}

} // namespace

int run_app(const run_app_arguments& arguments) {
  block_ending_signals();
  auto ended = try_run_app(arguments);
  if (const auto* end = std::get_if<early_end>(&ended))
    return complain(end->exit_code, end->what);
  return std::get<int>(ended);
}

} // namespace crosvisor::cli
