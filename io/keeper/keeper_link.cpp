// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_link.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"

#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

const failure no_keeper{ENOTCONN, "the VM's keeper is not there"};

/// What a member of text is; empty where it is none.
std::string text_of(const json& body, const char* key) {
  auto found = body.find(key);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

} // namespace

result<void> keeper_link::open(unique_fd socket, handlers told) {
  keeper_channel::handlers from;
  from.on_packet = [weak = weak_from_this()](keeper_packet packet) {
    if (auto self = weak.lock())
      self->receive(std::move(packet));
  };
  from.on_end = [weak = weak_from_this()] {
    if (auto self = weak.lock())
      self->end("its connection has ended");
  };
  auto made = keeper_channel::make(loop_, std::move(socket), std::move(from));
  if (!made)
    return made.why();
  channel_ = std::move(*made);
  handlers_ = std::move(told);
  for (auto& packet : std::exchange(early_, {}))
    channel_->send(std::move(packet));
  return {};
}

void keeper_link::send(json body, std::vector<unique_fd> fds) {
  keeper_packet packet{to_line(body), {}, std::move(fds)};
  if (channel_)
    channel_->send(std::move(packet));
  else if (!closed_)
    early_.push_back(std::move(packet));
}

void keeper_link::request(json body, std::chrono::milliseconds bound, answered done) {
  if (closed_)
    return loop_.post([done = std::move(done)] { done(no_keeper); });
  auto id = next_id_++;
  auto deadline = std::make_unique<boost::asio::steady_timer>(loop_.context(), bound);
  deadline->async_wait([weak = weak_from_this(), id, bound](const boost::system::error_code& why) {
    if (auto self = weak.lock(); self && !why)
      self->answer(id, failure{ETIMEDOUT, "timed out: the VM's keeper did not answer within "
                                            + std::to_string(bound.count()) + " ms"});
  });
  pending_.emplace(id, pending{std::move(done), std::move(deadline)});
  body["id"] = id;
  send(std::move(body));
}

void keeper_link::receive(keeper_packet packet) {
  keeper_message message{json::parse(packet.text, nullptr, false), std::move(packet.bytes),
                         std::move(packet.fds)};
  if (!message.body.is_object())
    return end("it sent what is no JSON object: " + in_quotes(packet.text));
  auto type = text_of(message.body, "type");
  if (type == "answer")
    return take_answer(std::move(message));
  auto self = shared_from_this(); // What is told may close it.
  if (handlers_.on_message)
    handlers_.on_message(type, std::move(message));
}

void keeper_link::take_answer(keeper_message message) {
  auto id = message.body.find("id");
  auto code = message.body.find("code");
  if (id == message.body.end() || !id->is_number_unsigned() || code == message.body.end()
      || !code->is_number_integer())
    return end("it sent an answer without a number");
  auto number = id->get<std::uint64_t>();
  auto errno_value = code->get<std::int64_t>();
  auto what = text_of(message.body, "what");
  if (errno_value == 0 && what.empty())
    return answer(number, std::move(message));
  answer(number, failure{static_cast<int>(errno_value), std::move(what)});
}

void keeper_link::answer(std::uint64_t id, result<keeper_message> with) {
  auto found = pending_.find(id);
  if (found == pending_.end())
    return; // It was too late.
  auto done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(with));
}

void keeper_link::end(std::string why) {
  auto self = shared_from_this();
  auto told = std::exchange(handlers_, {});
  close();
  if (told.on_end)
    told.on_end(std::move(why));
}

void keeper_link::close() {
  auto self = shared_from_this();
  closed_ = true;
  handlers_ = {};
  early_.clear();
  if (auto channel = std::exchange(channel_, nullptr))
    channel->close();
  for (auto& [id, asked] : std::exchange(pending_, {}))
    asked.done(no_keeper);
}

} // namespace crosvisor::io
