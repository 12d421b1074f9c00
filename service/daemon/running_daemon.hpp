// SPDX-License-Identifier: Apache-2.0
// A daemon that serves, and what signals and its service manager want of it.
#pragma once

#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/tickets/descriptor_door.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"
#include "crosvisor/service/daemon/daemon_places.hpp"
#include "crosvisor/service/daemon/daemon_sockets.hpp"
#include "crosvisor/service/daemon/ending.hpp"
#include "crosvisor/service/daemon/pulse.hpp"
#include "crosvisor/service/daemon/tls_identity_holder.hpp"
#include "crosvisor/service/door.hpp"
#include "crosvisor/service/embedded_service.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <utility> // Boost.Asio 1.74 forgets it in C++20 mode.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

/// Begins to serve, and leaves nothing behind. Use from one thread, on which run() does all that
/// signals ask for and that the service manager is told; actors post to it.
class running_daemon {
public:
  /// @param config as load_config_of() has it. @param user whether it is a user's own.
  running_daemon(daemon_config config, daemon_places places, bool user);
  running_daemon(const running_daemon&) = delete;
  running_daemon& operator=(const running_daemon&) = delete;
  /// Kills the VMs that are left and were not left to their keepers, ends every thread, and removes
  /// the sockets.
  ~running_daemon();

  /// Makes the directories and sockets, probes the host, takes back what VMs there are, and serves;
  /// blocks for as long as that takes. Once, with the signals of io/service_signals.hpp blocked and
  /// before there are threads.
  io::result<void> start();

  /// Blocks until the daemon has to end.
  daemon_end run();

private:
  io::result<void> open_sockets();
  io::result<void> open_journal();
  io::result<void> open_images();
  io::result<void> start_service();
  io::result<void> adopt();
  void give_back();
  io::result<void> open_door();
  io::result<void> listen();
  io::result<void> hear_signals();
  void spawn_watchers();
  door_options options_of_door(const std::shared_ptr<io::ticket_store>& tickets) const;

  limit_source limits_elsewhere(const std::shared_ptr<io::ticket_store>& tickets) const;

  void wait_for_signal();
  void close_entrance();
  void stop();
  void leave();
  void reload();
  io::result<void> apply(daemon_config next);
  void end(daemon_end how, const std::string& why);

  boost::asio::io_context loop_{1};
  daemon_config started_; ///< What was configured when it began.
  daemon_config config_;  ///< What is now.
  daemon_places places_;
  bool user_;
  bool stopping_ = false;
  std::optional<daemon_end> end_;

  std::optional<daemon_sockets> sockets_; ///< From open_sockets() on.
  std::shared_ptr<shared_grants> grants_;
  std::shared_ptr<tls_identity_holder> identity_ = std::make_shared<tls_identity_holder>();
  std::shared_ptr<io::event_journal> journal_;
  std::shared_ptr<io::image_store> images_;
  std::shared_ptr<std::atomic<bool>> leaving_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<embedded_service> service_;
  std::vector<adopted_vm> adopted_;     ///< Until there is a door.
  std::vector<adopted_vm> autostarted_; ///< Until they are started.
  std::shared_ptr<transport::peers> peers_;
  door_actor door_;
  std::shared_ptr<io::log_store_use> log_use_ = std::make_shared<io::log_store_use>();
  std::shared_ptr<io::descriptor_door_use> descriptor_use_ =
    std::make_shared<io::descriptor_door_use>();
  std::unique_ptr<io::descriptor_door> descriptor_door_;
  ending_actor ending_;
  pulse_actor pulse_; ///< Null: nobody wants to be told.
  boost::asio::posix::stream_descriptor signals_{loop_};
};

} // namespace crosvisor
