// SPDX-License-Identifier: Apache-2.0
// Accepts connections for CAF.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/listener.hpp"

#include <caf/io/doorman.hpp>
#include <caf/io/network/acceptor.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::transport {

/// CAF's word for a listener. Runs on CAF's I/O thread. A host that has no descriptor left makes it
/// wait a moment, in which clients wait in the kernel's queue.
class guarded_doorman final : public caf::io::doorman {
public:
  /// @param listening a listening socket that does not block; taken over.
  /// @param slot the key, in its broker, of the actor that is served.
  guarded_doorman(caf::io::network::default_multiplexer& loop, io::unique_fd listening,
                  std::uint16_t slot, std::shared_ptr<listener_terms> terms,
                  connection_factory make);

  /// Accepts what waits, as far as that is not too much at a time.
  void accept_some();

  /// Accepts again after a pause.
  /// @returns whether it does; else it is to be asked once more.
  bool resume();

  // -- what CAF calls ---------------------------------------------------------

  bool new_connection() override { return true; }
  void launch() override;
  void graceful_shutdown() override;
  std::string addr() const override { return {}; }
  std::uint16_t port() const override { return slot_; }
  void add_to_loop() override { acceptor_.activate(this); }
  void remove_from_loop() override { acceptor_.passivate(); }

private:
  class acceptor final : public caf::io::network::acceptor {
  public:
    acceptor(caf::io::network::default_multiplexer& loop, int socket, guarded_doorman& owner)
        : caf::io::network::acceptor(loop, socket), owner_(owner) {}

    void handle_event(caf::io::network::operation event) override;

  private:
    guarded_doorman& owner_;
  };

  void take(io::unique_fd accepted);
  void wait(int why);

  acceptor acceptor_;
  std::uint16_t slot_;
  std::shared_ptr<listener_terms> terms_;
  connection_factory make_;
};

} // namespace crosvisor::transport
