// SPDX-License-Identifier: Apache-2.0
// VMs whose VMM is a stand-in, with a service around them and without.
#pragma once

#include "crosvisor/bench/bare_vmm.hpp"
#include "crosvisor/bench/bench_service.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace crosvisor::bench {

/// What one stand-in is started from. It writes the time of its start to a file.
struct stand_in {
  vm_config config;
  vm_files files;
  std::string stamp;
};

/// A service whose QEMU is the stand-in, and the driver to start the same without it.
class stand_ins {
public:
  /// @param keeper see bench_service.
  explicit stand_ins(const std::string& keeper = {});

  bench_service& service() noexcept { return service_; }
  const io::vmm_driver& driver() const noexcept { return *driver_; }

  /// Another one, with a name of its own.
  stand_in next();

  vm_actor create(stand_in& from);
  bare_vmm bare(stand_in& from) const;

  /// Creates and starts so many, some at a time.
  void start(std::size_t count);

  /// The same, and says how many more there are descriptors for, with some left for what comes
  /// and goes.
  std::size_t start_some(std::size_t count);

private:
  bench_service service_;
  std::string kernel_;
  std::unique_ptr<io::vmm_driver> driver_;
  int count_ = 0;
};

/// When the stand-in's main() began, and removes the file; throws when it has not.
std::int64_t take_stamp(const std::string& path);

} // namespace crosvisor::bench
