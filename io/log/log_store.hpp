// SPDX-License-Identifier: Apache-2.0
// The folder of all VMs' logs, of which those of dead VMs are kept for a while.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string>

namespace crosvisor::io {

/// `<cid>-<name>`: the folder of one VM's logs, below `logs` in the service's state directory. In
/// it are console.log, log.log and vmm.log, each with its rotated ones.
std::string log_dir_name(vm_cid cid, const vm_name& name);

/// One VM's log directory, locked as long as anybody holds its descriptor.
struct log_dir {
  std::string name;
  std::shared_ptr<const unique_fd> fd;
};

/// How many dead VMs' logs are kept, and how many made room for others. Any thread.
struct log_store_use {
  std::atomic<std::size_t> kept{0};
  std::atomic<std::uint64_t> removed{0};
};

/// Makes log directories, and removes those of the VMs that died longest ago. Two services may
/// share a state directory: neither removes what the other's living VMs write to. Blocks as long as
/// working on files does. Any thread.
class log_store {
public:
  /// How many are kept where another process counts them, as the service does for its keepers.
  static constexpr std::size_t keep_all = std::numeric_limits<std::size_t>::max();

  /// Opens `state_dir`/logs, made where it is missing; what it holds and nobody has locked counts
  /// as dead VMs'.
  /// @param kept how many dead VMs' logs are kept.
  /// @param use kept up to date; null: nobody asks.
  static result<std::unique_ptr<log_store>> open(const std::string& state_dir, std::size_t kept,
                                                 std::shared_ptr<log_store_use> use = nullptr);

  log_store(unique_fd dir, std::string path, std::size_t kept, std::shared_ptr<log_store_use> use);

  /// The directory of a VM that begins, emptied of what an earlier one of the same CID and name
  /// left.
  result<log_dir> make(vm_cid cid, const vm_name& name);

  /// The VM never ran: removes its directory if nothing was logged.
  void discard(const std::string& name);

  /// The VM is dead.
  void retire(std::string name);

private:
  bool remove_unless_locked(const std::string& name);
  void forget_oldest();
  void tell_use();

  unique_fd dir_;
  std::string path_;
  std::size_t kept_;
  std::shared_ptr<log_store_use> use_;
  std::mutex mutex_;
  std::deque<std::string> retired_; // The longest dead first.
};

} // namespace crosvisor::io
