// SPDX-License-Identifier: Apache-2.0
// What stands between a connection's bytes and CAF, which trusts whoever is connected.
#pragma once

#include "crosvisor/service/transport/basp_header.hpp"
#include "crosvisor/service/transport/message_shapes.hpp"
#include "crosvisor/service/transport/node_key.hpp"
#include "crosvisor/service/transport/node_table.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace crosvisor::transport {

/// What becomes of a header or a payload.
enum class verdict : std::uint8_t {
  pass,  ///< CAF gets it; of a header with a payload: once the payload passes too.
  skip,  ///< CAF never sees it, and nothing is answered.
  close, ///< The connection ends; why() says why.
};

/// Judges what the other side of one connection sends in CAF's protocol, BASP: 32 bytes of header,
/// then as many of payload as the header says. No socket, no thread, no clock; use from one thread
/// at a time.
class basp_guard {
public:
  /// @param limit the most bytes of a payload.
  explicit basp_guard(std::uint32_t limit) noexcept : limit_(limit) {}
  virtual ~basp_guard() = default;

  /// Judges a header, of exactly basp_header_bytes. With `pass` or `skip`, awaited() bytes of
  /// payload follow, unless that is none.
  verdict header(std::string_view bytes);

  /// Judges the payload of the header that passed or was skipped last. CAF may be given both, if
  /// both pass, and neither otherwise.
  verdict payload(std::string_view bytes);

  /// How many bytes of payload the last header announced, within the limit.
  std::uint32_t awaited() const noexcept { return header_.payload_bytes; }

  /// Whether the handshake is done.
  bool greeted() const noexcept { return peer_.has_value(); }

  /// The other side's node, once the handshake is done.
  const std::optional<node_key>& peer() const noexcept { return peer_; }

  /// Whether the other side said that it does not admit this one.
  bool refused() const noexcept { return refused_; }

  /// Why it said `close`.
  const char* why() const noexcept { return why_; }

  /// CAF gets what passed, from now on.
  virtual void hand_over() noexcept {}

protected:
  virtual verdict judge_header(const basp_header& header) = 0;
  virtual verdict judge_payload(const basp_header& header, wire_reader payload) = 0;

  verdict close(const char* why) noexcept {
    why_ = why;
    return verdict::close;
  }

  std::optional<node_key> peer_;

private:
  std::uint32_t limit_;
  basp_header header_;
  const char* why_ = "";
  bool refused_ = false;
};

/// The most actors of a client that may talk to the door at a time; CAF keeps some 500 bytes for
/// each, until the client says that it is gone.
inline constexpr std::size_t max_client_actors = 1024;

/// The service's side: what a client may say.
///
/// - One handshake, which binds the client's node id to its caller (node_table.hpp says how). CAF
///   clients repeat it; that is skipped.
/// - Messages of the door's interface, to the door, each from some actor of the client's and
///   whole; requests or not, but no answers, no streams, nothing urgent or to be passed on.
/// - That it watches the door (and other actors, which is skipped), or that one of its own actors
///   is gone, with an error that is code and words.
/// - Signs of life, and what a CAF client asks of a spawn server; both skipped.
class service_guard : public basp_guard {
public:
  struct terms {
    node_key own;           ///< The service's node.
    std::uint64_t door = 0; ///< The door's actor id.
    message_shapes shapes;  ///< What it handles.
    std::uint32_t message_bytes = 0;
  };

  /// @param nodes where the client's node is bound, with what is on its way there.
  service_guard(std::shared_ptr<const terms> allowed, std::shared_ptr<node_table> nodes,
                std::shared_ptr<io::outflow> to = nullptr);

  /// Gives the node free again, unless CAF knows of it: then its broker does (guarded_broker.hpp).
  ~service_guard() override;

  service_guard(const service_guard&) = delete;
  service_guard& operator=(const service_guard&) = delete;

  /// Who it is, which has to be known before the first header. A client's node id has one of these
  /// process ids; any, where there are none.
  void identify(const caller& who, std::vector<std::uint32_t> process_ids);

  /// From now on CAF says when the node is gone.
  void hand_over() noexcept override { handed_over_ = true; }

private:
  verdict judge_header(const basp_header& header) override;
  verdict judge_payload(const basp_header& header, wire_reader payload) override;
  verdict judge_handshake(wire_reader payload);
  verdict judge_message(const basp_header& header, wire_reader payload);
  verdict judge_monitor(const basp_header& header, wire_reader payload);
  verdict judge_down(const basp_header& header, wire_reader payload);
  bool between_us(wire_reader& payload) const;

  std::shared_ptr<const terms> allowed_;
  std::shared_ptr<node_table> nodes_;
  std::shared_ptr<io::outflow> to_;
  std::optional<caller> who_;
  std::vector<std::uint32_t> process_ids_;
  std::unordered_set<std::uint64_t> actors_;
  bool handed_over_ = false;
};

/// The client's side: what a service may say, so that one that is hostile reaches no more than the
/// actors that talk to it, and these with no more than the door's answers, the events that they
/// subscribed to, and errors. It spawns nothing, asks no configuration, and names nobody else.
class client_guard : public basp_guard {
public:
  struct terms {
    node_key own;             ///< The client's node.
    message_shapes answers;   ///< Only as answers.
    message_shapes telegrams; ///< Only unasked.
    std::uint32_t message_bytes = 0;
  };

  explicit client_guard(std::shared_ptr<const terms> allowed);

private:
  verdict judge_header(const basp_header& header) override;
  verdict judge_payload(const basp_header& header, wire_reader payload) override;
  verdict judge_handshake(wire_reader payload);
  verdict judge_message(const basp_header& header, wire_reader payload);

  std::shared_ptr<const terms> allowed_;
};

} // namespace crosvisor::transport
