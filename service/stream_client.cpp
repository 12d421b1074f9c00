// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/stream_client.hpp"

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/messages/error.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>
#include <utility>

namespace crosvisor {

namespace {

/// What a stream's own socket tells besides.
using stream_end_actor = stream_client_actor::extend<
  // The socket has ENDED: whether its holder has closed it, and what went wrong, in words.
  caf::reacts_to<finished_atom, bool, std::string>>;

/// One stream's end in this process.
class stream_client_state {
public:
  using pointer = stream_end_actor::stateful_pointer<stream_client_state>;

  static inline const char* name = "stream-client";

  explicit stream_client_state(pointer self) : self_(self), monitors_(self) {}

  stream_end_actor::behavior_type make_behavior(stream_options options);

private:
  void refuse(caf::error why) {
    options_.on_open(std::move(why));
    self_->quit();
  }

  void opened(std::uint64_t number);
  io::credited_socket_callbacks callbacks() const;
  /// The door says no more; what it has said is still the holder's.
  void closed(caf::error why);
  void socket_over(bool hung_up);
  void end();

  bool is_mine(std::uint64_t number) const { return socket_ && !ending_ && number == number_; }

  pointer self_;
  actors::monitor_set monitors_;
  stream_options options_;
  std::uint64_t number_ = 0;
  std::shared_ptr<io::credited_socket> socket_;
  std::optional<caf::error> ending_; ///< As the door has it.
  bool over_ = false;                ///< The socket is closed.
};

void stream_client_state::opened(std::uint64_t number) {
  number_ = number;
  auto own = options_.sockets->make_local(callbacks());
  if (!own) {
    self_->send(options_.door, caf::close_atom::value, stream_atom::value, number);
    return refuse(caf::make_error(vm_errc::io_failed, own.why().what));
  }
  socket_ = std::move(own->socket);
  self_->send(options_.door, credit_atom::value, stream_atom::value, number, stream_window_bytes);
  options_.on_open(std::move(own->other_end));
}

io::credited_socket_callbacks stream_client_state::callbacks() const {
  stream_end_actor self{self_};
  auto door = options_.door;
  auto number = number_;
  return {
    [self, door, number](std::string bytes, bool last) {
      caf::send_as(self, door, stream_piece{number, std::move(bytes), last});
    },
    [self, door, number](std::uint64_t bytes) {
      caf::send_as(self, door, credit_atom::value, stream_atom::value, number, bytes);
    },
    [self](bool hung_up, std::string why) {
      caf::send_as(self, self, finished_atom::value, hung_up, std::move(why));
    },
  };
}

void stream_client_state::closed(caf::error why) {
  ending_ = std::move(why);
  if (over_)
    return end();
  socket_->end();
}

void stream_client_state::socket_over(bool hung_up) {
  over_ = true;
  if (!ending_ && hung_up) {
    self_->send(options_.door, caf::close_atom::value, stream_atom::value, number_);
    ending_ = caf::error{};
  }
  if (ending_)
    end();
}

void stream_client_state::end() {
  options_.on_end(*ending_);
  self_->quit();
}

stream_end_actor::behavior_type stream_client_state::make_behavior(stream_options options) {
  options_ = std::move(options);
  self_->set_down_handler([this](const caf::down_msg&) {
    auto lost = caf::make_error(caf::exit_reason::remote_link_unreachable);
    if (!socket_)
      refuse(std::move(lost));
    else if (!ending_)
      closed(std::move(lost));
  });
  monitors_.add(options_.door.address());
  auto broken = [this] {
    self_->send(options_.door, caf::close_atom::value, stream_atom::value, number_);
    closed(caf::make_error(vm_errc::io_failed, "the service sent what was not asked for"));
  };
  self_
    ->request(options_.door, options_.bound + options_.answer_bound, caf::connect_atom::value,
              stream_atom::value, options_.cid, options_.port, options_.bound)
    .then([this](std::uint64_t number) { opened(number); },
          [this](caf::error& why) { refuse(std::move(why)); });
  return {
    [this, broken](stream_piece& piece) {
      if (is_mine(piece.stream) && !socket_->put(std::move(piece.bytes), piece.last))
        broken();
    },
    [this, broken](credit_atom, stream_atom, std::uint64_t number, std::uint64_t bytes) {
      if (is_mine(number) && !socket_->grant(bytes))
        broken();
    },
    [this](closed_atom, std::uint64_t number, caf::error& why) {
      if (is_mine(number))
        closed(std::move(why));
    },
    [this](finished_atom, bool hung_up, const std::string& why) {
      socket_over(hung_up || !why.empty());
    },
  };
}

stream_end_actor::behavior_type stream_client(stream_client_state::pointer self,
                                              stream_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace

void open_stream(caf::actor_system& system, stream_options options) {
  system.spawn(stream_client, std::move(options));
}

} // namespace crosvisor
