// SPDX-License-Identifier: Apache-2.0
// The service that is measured, as the command embeds it, in a directory of its own.
#pragma once

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/messages/error.hpp"
#include "crosvisor/service/embedded_service.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/scoped_actor.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::bench {

/// A VM, and the end of a pipe to read its console from.
struct watched_vm {
  vm_actor vm;
  io::unique_fd console;
};

/// One thread, which waits for what it asks; a refusal throws. Its end leaves no VM and no file.
class bench_service {
public:
  /// @param qemu QEMU's program; empty: searched for.
  /// @param vsock_device crosvisor-vsock; empty: VMs have none.
  /// @param keeper crosvisor-keeper; empty: VMs have none.
  explicit bench_service(const std::string& qemu, const std::string& vsock_device = {},
                         const std::string& keeper = {});
  bench_service(const bench_service&) = delete;
  bench_service& operator=(const bench_service&) = delete;
  ~bench_service();

  vm_actor create(vm_config config, vm_files files);
  /// The same with the configuration's files, as paths relative to `folder`; the VM writes its
  /// console to a pipe.
  watched_vm create_watched(vm_config config, const std::string& folder);
  vm_info start(const vm_actor& vm);
  /// All requests are sent before the first answer is waited for.
  void start(const std::vector<vm_actor>& vms);
  void kill(const std::vector<vm_actor>& vms);

  /// Waits until nothing works on what the dead ones left.
  void settle() const;

  /// Ends the VMs, and with them the service.
  void shut_down();

  /// An actor's answer; throws what it refuses.
  template <class T, class Actor, class... Words>
  T ask(const Actor& whom, const Words&... words) {
    T got;
    (*self_)
      ->request(whom, patience, words...)
      .receive([&](T& value) { got = std::move(value); },
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    return got;
  }

  caf::scoped_actor& self() { return *self_; }
  const embedded_service& embedded() const noexcept { return *service_; }
  caf::actor_system& system() { return service_->system(); }
  std::string path(const std::string& name) const { return folder_ / name; }

private:
  tests::temp_dir folder_;
  std::unique_ptr<embedded_service> service_;
  std::unique_ptr<caf::scoped_actor> self_;
};

} // namespace crosvisor::bench
