// SPDX-License-Identifier: Apache-2.0
// One VM that has a keeper, from its launch or adoption to its end.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/keeper/found_keeper.hpp"
#include "crosvisor/io/keeper/keeper_host.hpp"
#include "crosvisor/io/keeper/keeper_link.hpp"
#include "crosvisor/io/keeper/keeper_remains.hpp"
#include "crosvisor/io/keeper/keeper_start.hpp"
#include "crosvisor/io/keeper/kept_streams.hpp"
#include "crosvisor/io/keeper/watched_keeper.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

class crash_files;

/// How long a keeper may take to end once its connection has, and its VMM once the keeper has.
inline constexpr std::chrono::seconds keeper_end_bound{5};

/// It keeps itself alive from its launch or adoption until what its keeper left has been removed.
/// Any thread, but for what says otherwise.
class kept_vmm : public std::enable_shared_from_this<kept_vmm> {
public:
  /// @param streams null: the VM runs without vsock.
  kept_vmm(keeper_host& host, vm_cid cid, vm_name name,
           const std::shared_ptr<guest_streams>& streams, vmm_callbacks callbacks);

  vm_cid cid() const noexcept { return cid_; }

  /// Whether it is the last life of a VM, and kept.
  bool is_aside() const noexcept { return aside_; }

  /// Starts its keeper and reports its failure, on a worker's thread.
  void launch(launch_request request);

  /// Keeps them as long as this is there. Before it is launched or adopted.
  void hold(std::shared_ptr<crash_files> files) { crash_files_ = std::move(files); }

  /// Takes one over that was found.
  void adopt(found_keeper found);

  /// See vmm_process.
  void ask(vmm_request what, vmm_process::completion done);
  void get_balloon(vmm_process::balloon_completion done);
  void set_balloon(std::uint64_t size_bytes, vmm_process::completion done);
  void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                     vmm_process::connection done);
  void signal(int number);
  void note(std::string key, std::string value);
  void get_origin(vmm_process::origin_completion done);
  void step_aside(std::function<void()> done);
  void release(std::function<void()> done);

  /// Nobody holds it any more: kills and releases it, unless its keeper is to have it.
  void abandon();

  /// Kills it with its keeper, at once.
  void expel();

  /// Lets go of its keeper and tells nothing more.
  void leave();

private:
  using answered = keeper_link::answered;

  void post(std::function<void(kept_vmm&)> task);
  void ask(nlohmann::json body, std::chrono::milliseconds bound, answered done);
  void ask(nlohmann::json body, vmm_process::completion done);
  void fetch_files(std::shared_ptr<descriptor_set> files, vmm_process::origin_completion done);

  // On the loop's thread.
  void attach(running_keeper keeper);
  void attach_found(found_keeper found);
  void connect(unique_fd socket);
  void receive(const std::string& type, keeper_message message);
  bool receive_fact(const std::string& type, keeper_message& message);
  void take_hello();
  bool take_step(const keeper_message& message);
  bool take_up(const keeper_message& message);
  void take_synced();
  bool take_connection(keeper_message& message);
  bool take_exit(const keeper_message& message);
  bool take_launch_failure(const keeper_message& message);
  void refuse(const std::string& type);
  void send_release();
  bool take_aside(const result<keeper_message>& answer);
  void arm(std::chrono::milliseconds bound, std::function<void(kept_vmm&)> task);
  void link_ended(std::string why);
  void process_ended(exit_status status);
  void keeper_ended();
  vmm_exit exit_of_keeper() const;
  void concluded(vmm_exit exit);
  void fail(launch_failure where, std::string what);
  void tell_released();
  void forget();

  void make_room(const std::function<void()>& done);

  /// On a worker's thread, or the caller's where the host has gone.
  void work(std::function<void()> task);

  keeper_host& host_; // Not to be touched by what may be called after its end.
  const std::shared_ptr<event_loop> loop_;
  const std::shared_ptr<living_keepers> living_;
  const vm_cid cid_;
  const vm_name name_;
  std::shared_ptr<crash_files> crash_files_;
  std::atomic<int> wanted_signal_{0}; // Before its keeper is started.
  std::atomic<bool> aside_{false};

  // The loop's, once it is launched or adopted.
  std::shared_ptr<kept_vmm> self_; // Until it has ended or was left.
  const std::shared_ptr<kept_stream_state> streams_;
  const std::shared_ptr<keeper_link> link_;
  std::shared_ptr<watched_keeper> process_;
  const std::shared_ptr<keeper_remains> remains_;
  vmm_callbacks callbacks_;
  boost::asio::steady_timer deadline_;
  std::shared_ptr<unique_fd> vmm_pidfd_;    // Null: not known.
  std::shared_ptr<const vm_origin> origin_; // As it was found, without files; null: none is kept.
  std::optional<std::pair<launch_failure, std::string>> failed_;
  std::string link_end_;     // Why, where the keeper is at fault.
  std::string keeper_words_; // What is said of the VM's end where nothing else is known.
  exit_status keeper_status_;
  std::int64_t launch_began_us_ = 0;
  bool adopted_ = false;
  bool exit_told_ = false;
  bool link_ended_ = false;
  bool process_ended_ = false;
  bool concluding_ = false;
  bool ended_ = false; // Nothing of it runs, and all was told.
  bool left_ = false;
  bool release_sent_ = false;
  bool releasing_ = false; // Somebody wants it to be gone.
  std::vector<std::function<void()>> released_;
};

} // namespace crosvisor::io
