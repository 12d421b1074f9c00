// SPDX-License-Identifier: Apache-2.0
// What a keeper does as long as it lives.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/keeper/keeper_channel.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/keeper/keeper_session.hpp"
#include "crosvisor/io/keeper/keeper_visitors.hpp"
#include "crosvisor/io/keeper/keeper_vm.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// A VM, its record and the services that come and go, one at a time. On the loop's thread alone;
/// the loop is stopped when nobody needs the VM any more. The loop runs no longer than this lives.
class vm_keeper {
public:
  /// @param launch_text the text of `launch`, for services.
  vm_keeper(std::shared_ptr<event_loop> loop, keeper_launch launch, unique_fd launch_text,
            keeper_record record);
  vm_keeper(const vm_keeper&) = delete;
  vm_keeper& operator=(const vm_keeper&) = delete;

  /// Makes everything ready and greets the first service. The VM is launched by the loop, if that
  /// service is still there then.
  result<void> begin(unique_fd service);

  /// Removes what begin() made before it failed, or was never called, and the record. Runs the
  /// loop.
  void undo();

private:
  result<void> listen();
  void welcome(unique_fd socket);
  result<void> talk(unique_fd socket);
  keeper_packet hello() const;
  void alone(std::unique_ptr<keeper_readers> left);
  void check_needed();
  void note(std::string key, std::string value);

  void launch();
  void ended(const vmm_exit& exit);
  result<void> watch_signals();
  void wait_for_signals();
  void terminate();

  void release(bool aside, std::function<void(result<void>)> done);
  void step_aside(const std::function<void(result<void>)>& done);
  result<void> put_aside();
  void leave(bool wholly);
  void forget_record();

  const std::shared_ptr<event_loop> loop_;
  keeper_launch launch_;
  const unique_fd launch_text_;
  std::shared_ptr<const unique_fd> vsock_; // Null once the VM is released.
  keeper_record record_;
  vm_notes notes_;
  std::shared_ptr<keeper_vm> vm_;
  std::shared_ptr<keeper_visitors> visitors_; // Null: nobody is to come any more.
  std::shared_ptr<keeper_session> session_;   // Null: no service is there.
  std::unique_ptr<keeper_readers> left_;      // Those of the session before.
  boost::asio::steady_timer patience_;
  boost::asio::steady_timer ladder_;
  boost::asio::steady_timer left_bound_;
  boost::asio::posix::stream_descriptor signals_;
  bool launched_ = false;
  bool terminated_ = false;
  bool released_ = false;
};

} // namespace crosvisor::io
