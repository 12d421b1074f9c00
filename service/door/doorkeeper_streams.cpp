// SPDX-License-Identifier: Apache-2.0
// How streams to guests' ports go through the door.
#include "crosvisor/service/door/doorkeeper.hpp"

#include <caf/send.hpp>

#include <tuple>
#include <utility>

namespace crosvisor::door {

namespace {

caf::error against_the_rules(const char* what) {
  return caf::make_error(vm_errc::invalid_config, std::string{"stream: "} + what);
}

caf::error is_dead(const vm_entry& vm) {
  const auto& last = vm.last_state;
  auto what = "VM " + std::to_string(vm.id.cid) + " is dead: " + to_string(last.reason);
  return caf::make_error(vm_errc::wrong_state,
                         last.detail.empty() ? what : what + ": " + last.detail);
}

} // namespace

// -- what clients say -----------------------------------------------------------

caf::result<std::uint64_t> doorkeeper_state::connect_stream(const vm_permit& by, door_request asked,
                                                            std::uint32_t port,
                                                            caf::timespan bound) {
  if (!options_.streams)
    return caf::make_error(vm_errc::unsupported, "this service has no streams to guests' ports");
  bound = clamped(bound);
  const auto& vm = by.vm();
  if (auto full = limits_.connects.check(vm.id.cid, vm.connects()))
    return full;
  auto request = limits_.requests.take(by.who());
  if (!request)
    return request.error();
  auto counted = limits_.streams.take(by.who());
  if (!counted)
    return counted.error();
  stream_entry stream{caf::actor_cast<stream_client_actor>(by.sender()), vm.id.serial, asked,
                      std::move(*counted)};
  // One more user of it, however often this is copied.
  auto meanwhile = std::pair{*request, std::make_shared<quota::token>(vm.connecting)};
  auto answer = self_->make_response_promise<std::uint64_t>();
  self_
    ->request(vm.handle, bound + options_.timeouts.control, caf::connect_atom::value, port, bound)
    .then([this, answer, stream, cid = vm.id.cid,
           meanwhile](const vsock_socket& socket) { open_stream(answer, stream, cid, socket); },
          [answer, meanwhile, gone = no_such_vm(vm.id.cid)](caf::error& why) mutable {
            answer.deliver(told(std::move(why), gone));
          });
  return answer;
}

void doorkeeper_state::open_stream(caf::typed_response_promise<std::uint64_t> answer,
                                   stream_entry stream, vm_cid cid, const vsock_socket& socket) {
  auto refuse = [&](caf::error why) { answer.deliver(std::move(why)); };
  auto* vm = vms_.find(cid);
  if (!vm || vm->id.serial != stream.vm)
    return refuse(no_such_vm(cid));
  if (vm->is_dead())
    return refuse(is_dead(*vm));
  auto number = streams_.next_number();
  auto client = stream.client;
  auto to = options_.callers->outflow_to(caf::actor_cast<caf::strong_actor_ptr>(client));
  auto made =
    options_.streams->make(std::move(*socket), callbacks_of(number, client), std::move(to));
  if (!made)
    return refuse(caf::make_error(vm_errc::io_failed, made.why().what));
  stream.socket = std::move(*made);
  streams_.add(number, std::move(stream));
  monitors_.add(client.address());
  answer.deliver(number);
  self_->send(client, credit_atom::value, stream_atom::value, number, stream_window_bytes);
}

io::credited_socket_callbacks doorkeeper_state::callbacks_of(std::uint64_t number,
                                                             const stream_client_actor& client) {
  doorkeeper_actor self{self_};
  return {
    [self, client, number](std::string bytes, bool last) {
      caf::send_as(self, client, stream_piece{number, std::move(bytes), last});
    },
    [self, client, number](std::uint64_t bytes) {
      caf::send_as(self, client, credit_atom::value, stream_atom::value, number, bytes);
    },
    [self, number](bool hung_up, std::string why) {
      caf::send_as(self, self, finished_atom::value, stream_atom::value, number, hung_up,
                   std::move(why));
    },
  };
}

stream_entry* doorkeeper_state::stream_of(const permit& by, std::uint64_t number) {
  auto* stream = streams_.find(number, by.address());
  if (!stream || gate_->still(stream->asked, by.who()))
    return stream;
  end_stream(number, caf::make_error(vm_errc::denied, shown(by.who()) + " may not "
                                                        + to_string(stream->asked) + " any more"));
  return nullptr;
}

void doorkeeper_state::write_stream(const permit& by, stream_piece piece) {
  auto* stream = stream_of(by, piece.stream);
  if (stream && !stream->socket->put(std::move(piece.bytes), piece.last))
    end_stream(piece.stream, against_the_rules("a piece that is too long, more than was granted, "
                                               "nothing, or comes after the last"));
}

void doorkeeper_state::grant_stream(const permit& by, std::uint64_t number, std::uint64_t bytes) {
  auto* stream = stream_of(by, number);
  if (stream && !stream->socket->grant(bytes))
    end_stream(number, against_the_rules("more bytes are granted than 1 MiB"));
}

void doorkeeper_state::close_stream(const permit& by, std::uint64_t number) {
  if (!streams_.find(number, by.address()))
    return;
  streams_.remove(number);
  monitors_.remove(by.address());
}

// -- the end ----------------------------------------------------------------------

void doorkeeper_state::end_stream(std::uint64_t number, caf::error why) {
  auto* stream = streams_.find(number);
  if (stream->hung_up)
    return forget_stream(number, std::move(why));
  if (!stream->why)
    stream->why = std::move(why);
  stream->socket->close();
}

void doorkeeper_state::stream_over(std::uint64_t number, bool hung_up, std::string why) {
  auto* stream = is_own_message() ? streams_.find(number) : nullptr;
  if (!stream)
    return;
  if (stream->why)
    return forget_stream(number, *stream->why);
  if (hung_up && why.empty() && !std::exchange(stream->hung_up, true)) {
    // Whether the guest closed it or has died is known in a moment.
    self_->delayed_send(self_, hangup_bound, finished_atom::value, stream_atom::value, number,
                        hung_up, std::string{});
    return;
  }
  forget_stream(number, why.empty() ? caf::error{}
                                    : caf::make_error(vm_errc::io_failed,
                                                      "the connection to the guest: " + why));
}

void doorkeeper_state::forget_stream(std::uint64_t number, caf::error why) {
  auto client = streams_.find(number)->client;
  self_->send(client, closed_atom::value, number, std::move(why));
  monitors_.remove(client.address());
  streams_.remove(number);
}

void doorkeeper_state::finish_streams(const vm_entry& vm) {
  for (auto number : streams_.of_vm(vm.id.serial)) {
    auto* stream = streams_.find(number);
    if (stream->hung_up) {
      forget_stream(number, is_dead(vm));
      continue;
    }
    if (!stream->why)
      stream->why = is_dead(vm);
    stream->socket->finish();
  }
}

} // namespace crosvisor::door
