// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/kept_streams.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/output_sockets.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

/// What a stream_socket has that is a keeper's connection, too.
struct kept_connection {
  std::shared_ptr<event_loop> loop;
  std::weak_ptr<keeper_link> link;
  std::uint64_t number = 0;
  bool taken = false;

  void operator()(unique_fd* socket) {
    delete socket;
    if (!taken)
      loop->post([weak = link, number = number] {
        if (auto to = weak.lock())
          to->send({{"type", "let_go"}, {"connection", number}});
      });
  }
};

} // namespace

stream_socket make_kept_connection(std::shared_ptr<event_loop> loop,
                                   const std::shared_ptr<keeper_link>& link, std::uint64_t number,
                                   unique_fd socket) {
  return {new unique_fd{std::move(socket)}, kept_connection{std::move(loop), link, number}};
}

// -- on the loop's thread --------------------------------------------------------

void kept_stream_state::attach(std::shared_ptr<keeper_link> link) {
  if (ended_)
    return; // Nobody has them any more.
  link_ = std::move(link);
  for (auto& [id, reader] : readers_) {
    send({{"type", "add_reader"}, {"reader", id}});
    if (reader.granted > 0)
      send({{"type", "grant"}, {"reader", id}, {"bytes", reader.granted}});
  }
  for (auto& writer : std::exchange(outputs_, {}))
    open_output(std::move(writer));
  for (auto& [type, socket] : std::exchange(taken_, {}))
    take(std::move(socket), type);
}

void kept_stream_state::send(json body, std::vector<unique_fd> fds) {
  if (link_)
    link_->send(std::move(body), std::move(fds));
}

void kept_stream_state::end() {
  ended_ = true;
  link_ = nullptr;
  taken_.clear();
  outputs_.clear(); // Their readers are at the end.
  std::vector<std::uint64_t> left;
  for (const auto& [id, reader] : readers_)
    if (reader.granted > 0)
      left.push_back(id);
  for (auto id : left)
    end_reader(id);
}

void kept_stream_state::end_reader(std::uint64_t reader) {
  auto found = readers_.find(reader);
  if (found == readers_.end())
    return;
  auto last = std::move(found->second);
  readers_.erase(found);
  last.handler({last.offset, {}, 0, true});
}

bool kept_stream_state::receive(const std::string& type, const keeper_message& message) {
  if (type == "chunk")
    return receive_chunk(message);
  if (type == "status") {
    auto status = status_from_json(message.body);
    if (status && callbacks_.on_status)
      callbacks_.on_status(std::move(*status));
    return status.has_value();
  }
  std::string what;
  if (type != "bad_status" || !read_member(message.body, "what", what))
    return false;
  if (callbacks_.on_bad_status)
    callbacks_.on_bad_status(std::move(what));
  return true;
}

bool kept_stream_state::receive_chunk(const keeper_message& message) {
  output_chunk chunk;
  std::uint64_t reader = 0;
  auto member = [&](const char* key, auto& to) { return read_member(message.body, key, to); };
  if (!member("reader", reader) || !member("offset", chunk.offset)
      || !member("missed", chunk.missed) || !member("last", chunk.last))
    return false;
  auto found = readers_.find(reader);
  if (found == readers_.end())
    return true; // It was removed meanwhile.
  chunk.bytes = message.bytes;
  found->second.offset = chunk.offset + chunk.bytes.size();
  auto handler = found->second.handler;
  if (chunk.last)
    readers_.erase(found);
  handler(std::move(chunk));
  return true;
}

void kept_stream_state::take(stream_socket socket, const char* type) {
  if (ended_)
    return;
  reach(failpoint::take_connection);
  if (!link_) {
    taken_.emplace_back(type, std::move(socket));
    return;
  }
  if (auto* kept = std::get_deleter<kept_connection>(socket); kept && kept->link.lock() == link_) {
    kept->taken = true;
    return send({{"type", type}, {"connection", kept->number}});
  }
  std::vector<unique_fd> fds;
  fds.push_back(std::move(*socket));
  send({{"type", type}}, std::move(fds));
}

void kept_stream_state::open_output(unique_fd writer) {
  if (ended_)
    return; // Closed, it is the reader's end.
  std::vector<unique_fd> fds;
  fds.push_back(std::move(writer));
  if (link_)
    return send({{"type", "open_output"}}, std::move(fds));
  outputs_.push_back(std::move(fds.front()));
}

void kept_stream_state::add_reader(std::uint64_t reader, guest_streams::chunk_handler handler) {
  readers_[reader].handler = std::move(handler);
  send({{"type", "add_reader"}, {"reader", reader}});
}

void kept_stream_state::grant(std::uint64_t reader, std::uint64_t bytes) {
  auto found = readers_.find(reader);
  if (found == readers_.end())
    return;
  auto& granted = found->second.granted;
  granted += std::min(bytes, std::numeric_limits<std::uint64_t>::max() - granted);
  send({{"type", "grant"}, {"reader", reader}, {"bytes", bytes}});
  if (ended_ && granted > 0)
    end_reader(reader);
}

void kept_stream_state::remove_reader(std::uint64_t reader) {
  if (readers_.erase(reader) > 0)
    send({{"type", "remove_reader"}, {"reader", reader}});
}

void kept_stream_state::finish(std::function<void()> done) {
  if (!link_) { // It was never launched, or nothing of it is left.
    end();
    return done();
  }
  link_->request({{"type", "finish"}}, keeper_answer_bound,
                 [done = std::move(done)](const result<keeper_message>&) { done(); });
}

void kept_stream_state::leave() {
  callbacks_ = {};
  readers_.clear();
  end();
}

void kept_stream_state::let_go() {
  callbacks_ = {};
  while (!readers_.empty())
    remove_reader(readers_.begin()->first);
  if (!link_)
    end();
}

// -- any thread ------------------------------------------------------------------

kept_streams::kept_streams(std::shared_ptr<event_loop> loop, stream_callbacks callbacks)
    : loop_(std::move(loop)), state_(std::make_shared<kept_stream_state>(std::move(callbacks))) {}

kept_streams::~kept_streams() {
  loop_->post([state = state_] { state->let_go(); });
}

void kept_streams::take(stream_socket socket, const char* type) {
  loop_->post([state = state_, socket = std::move(socket), type]() mutable {
    state->take(std::move(socket), type);
  });
}

void kept_streams::take_output(stream_socket socket) {
  take(std::move(socket), "take_output");
}

void kept_streams::take_status(stream_socket socket) {
  take(std::move(socket), "take_status");
}

result<unique_fd> kept_streams::open_output() {
  if (auto why = injected(failpoint::open_output))
    return *why;
  auto made = make_output_sockets();
  if (!made)
    return made.why();
  loop_->post([state = state_, writer = std::make_shared<unique_fd>(std::move(made->writer))] {
    state->open_output(std::move(*writer));
  });
  return std::move(made->reader);
}

guest_streams::reader_id kept_streams::add_reader(chunk_handler handler) {
  auto id = next_reader_++;
  loop_->post([state = state_, id, handler = std::move(handler)]() mutable {
    state->add_reader(id, std::move(handler));
  });
  return id;
}

void kept_streams::grant(reader_id reader, std::uint64_t bytes) {
  loop_->post([state = state_, reader, bytes] { state->grant(reader, bytes); });
}

void kept_streams::remove_reader(reader_id reader) {
  loop_->post([state = state_, reader] { state->remove_reader(reader); });
}

void kept_streams::finish(std::function<void()> done) {
  loop_->post(
    [state = state_, done = std::move(done)]() mutable { state->finish(std::move(done)); });
}

namespace {

class kept_stream_factory final : public guest_stream_factory {
public:
  explicit kept_stream_factory(std::shared_ptr<event_loop> loop) : loop_(std::move(loop)) {}

  std::shared_ptr<guest_streams> make_streams(stream_callbacks callbacks) override {
    return std::make_shared<kept_streams>(loop_, std::move(callbacks));
  }

private:
  const std::shared_ptr<event_loop> loop_;
};

} // namespace

std::shared_ptr<guest_stream_factory> make_kept_streams(std::shared_ptr<event_loop> loop) {
  return std::make_shared<kept_stream_factory>(std::move(loop));
}

} // namespace crosvisor::io
