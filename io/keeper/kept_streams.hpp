// SPDX-License-Identifier: Apache-2.0
// Guests' streams that a keeper reads.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/keeper/keeper_link.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

/// What readers and connections there are of one VM, and what its keeper is told of them once there
/// is one. On the loop's thread.
class kept_stream_state;

/// The streams of a VM as its service has them. Before the launch everything is remembered here,
/// and handed over then; without a launch, or when the keeper has gone, readers get their end.
class kept_streams final : public guest_streams {
public:
  kept_streams(std::shared_ptr<event_loop> loop, stream_callbacks callbacks);
  ~kept_streams() override;

  void take_output(stream_socket socket) override;
  void take_status(stream_socket socket) override;
  result<unique_fd> open_output() override;
  reader_id add_reader(chunk_handler handler) override;
  void grant(reader_id reader, std::uint64_t bytes) override;
  void remove_reader(reader_id reader) override;
  void finish(std::function<void()> done) override;

  const std::shared_ptr<kept_stream_state>& state() const noexcept { return state_; }

private:
  void take(stream_socket socket, const char* type);

  const std::shared_ptr<event_loop> loop_;
  const std::shared_ptr<kept_stream_state> state_;
  std::atomic<reader_id> next_reader_{1};
};

class kept_stream_state {
public:
  explicit kept_stream_state(stream_callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  /// From now on the keeper has them. At most once.
  void attach(std::shared_ptr<keeper_link> link);

  /// There is no keeper, or no more.
  void end();

  /// Whether this was a message of the streams'; false also for one that can't be read.
  bool receive(const std::string& type, const keeper_message& message);

  void take(stream_socket socket, const char* type);
  void open_output(unique_fd writer);
  void add_reader(std::uint64_t reader, guest_streams::chunk_handler handler);
  void grant(std::uint64_t reader, std::uint64_t bytes);
  void remove_reader(std::uint64_t reader);
  void finish(std::function<void()> done);

  /// The keeper is left with them: readers hear nothing further, not even an end.
  void leave();

  /// Nobody holds the streams any more: readers hear nothing further.
  void let_go();

private:
  struct chunk_reader {
    guest_streams::chunk_handler handler;
    std::uint64_t granted = 0; ///< In all.
    std::uint64_t offset = 0;  ///< Where its next chunk begins.
  };

  bool receive_chunk(const keeper_message& message);
  void end_reader(std::uint64_t reader);
  void send(nlohmann::json body, std::vector<unique_fd> fds = {});

  stream_callbacks callbacks_;
  std::shared_ptr<keeper_link> link_; // Null: not yet, or no more.
  bool ended_ = false;
  std::vector<std::pair<const char*, stream_socket>> taken_; // Like the next: before there is one.
  std::vector<unique_fd> outputs_;
  std::map<std::uint64_t, chunk_reader> readers_;
};

/// A guest's connection that a keeper has, too, under a number on this link. Whoever lets go of it
/// without giving it to the VM's streams has the keeper let go of it as well.
stream_socket make_kept_connection(std::shared_ptr<event_loop> loop,
                                   const std::shared_ptr<keeper_link>& link, std::uint64_t number,
                                   unique_fd socket);

/// Streams of VMs that have keepers, over `loop`, which it and all its streams share.
std::shared_ptr<guest_stream_factory> make_kept_streams(std::shared_ptr<event_loop> loop);

} // namespace crosvisor::io
