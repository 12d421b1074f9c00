// SPDX-License-Identifier: Apache-2.0
// A keeper that lives, on its way to a hello.
#pragma once

#include "crosvisor/io/keeper/found_keeper.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/keeper/keeper_remains.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

using kept_name = std::pair<vm_cid, kept_life>;

/// Whose record is held, so that it lives. Use from one thread.
class greeted_keeper {
public:
  /// @param boot_id the host's, as long as this lives.
  /// @param record to look whether it lives; not locked.
  greeted_keeper(const keeper_places& places, const std::string& boot_id, kept_name life,
                 keeper_record record);

  kept_name life() const noexcept { return life_; }
  int socket() const noexcept { return socket_.get(); }
  bool is_connected() const noexcept { return connected_; }

  /// Whether it did; ENOENT and ECONNREFUSED: not yet.
  result<void> connect();

  /// When there is something to be read; once.
  result<found_keeper> read_hello();

private:
  /// Its number; its uid is ours.
  result<pid_t> check_peer();
  result<void> check_hello(const nlohmann::json& hello, pid_t pid) const;
  result<found_keeper> read_vm(const nlohmann::json& hello, std::vector<unique_fd>& fds) const;

  const std::string& boot_id_;
  kept_name life_;
  std::string path_;
  keeper_record record_;
  unique_fd socket_;
  unique_fd pidfd_;
  bool connected_ = false;
};

} // namespace crosvisor::io
