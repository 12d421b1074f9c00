// SPDX-License-Identifier: Apache-2.0
// What the door asks of VMs and of the service for those who may.
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/service/door/output_relay.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cerrno>

namespace crosvisor::door {

namespace {

caf::error no_service() {
  return caf::make_error(vm_errc::shutting_down, "the service has ended");
}

} // namespace

caf::timespan clamped(caf::timespan wanted) {
  return std::clamp(wanted, caf::timespan::zero(), max_grace);
}

caf::result<vm_info> doorkeeper_state::get_state(const vm_permit& by) {
  return ask_vm<vm_info>(by, options_.timeouts.state, caf::get_atom::value, state_atom::value);
}

caf::result<std::vector<vm_info>> doorkeeper_state::list(const permit& by) {
  return ask<std::vector<vm_info>>(by, options_.service, no_service(), options_.timeouts.state,
                                   list_atom::value);
}

caf::result<host_info> doorkeeper_state::get_host(const permit& by) {
  return ask<host_info>(by, options_.service, no_service(), options_.timeouts.state,
                        caf::get_atom::value, host_atom::value);
}

caf::result<vm_info> doorkeeper_state::stop(const vm_permit& by, caf::timespan grace) {
  grace = clamped(grace);
  return ask_vm<vm_info>(by, grace + options_.longest_stop, stop_atom::value, grace);
}

// -- descriptors --------------------------------------------------------------

caf::result<ticket> doorkeeper_state::connect(const vm_permit& by, std::uint32_t port,
                                              caf::timespan bound) {
  bound = clamped(bound);
  const auto& vm = by.vm();
  if (auto full = limits_.connects.check(vm.id.cid, vm.connects()))
    return full;
  // One more user of it, however often this is copied.
  auto connecting = std::make_shared<quota::token>(vm.connecting);
  return ask_for_descriptor<ticket>(by, std::move(connecting), bound + options_.timeouts.control,
                                    caf::connect_atom::value, port, bound);
}

caf::result<ticket> doorkeeper_state::open_output(const vm_permit& by) {
  return ask_for_descriptor<ticket>(by, nullptr, options_.timeouts.state, caf::open_atom::value,
                                    output_atom::value);
}

template <class T, class... Words>
caf::result<ticket> doorkeeper_state::ask_for_descriptor(const vm_permit& by, quota::token also,
                                                         caf::timespan bound, Words... words) {
  if (auto none = no_descriptors(by.who()))
    return std::move(*none);
  auto request = limits_.requests.take(by.who());
  if (!request)
    return request.error();
  auto counted = std::pair{*request, std::move(also)};
  auto answer = self_->make_response_promise<T>();
  auto gone = no_such_vm(by.vm().id.cid);
  self_->request(by.vm().handle, bound, std::move(words)...)
    .then(
      [this, answer, who = by.who(), counted](const passed_fd& fd) { hand_out(answer, fd, who); },
      [answer, counted, gone](caf::error& why) mutable {
        answer.deliver(told(std::move(why), gone));
      });
  return answer;
}

void doorkeeper_state::hand_out(caf::typed_response_promise<ticket> answer, const passed_fd& fd,
                                const caller& who) {
  auto kept = options_.tickets->put(std::move(*fd), who, io::ticket_store::direction::to_client);
  if (kept) {
    answer.deliver(std::move(*kept));
    return;
  }
  auto code = kept.why().code == EDQUOT ? vm_errc::busy : vm_errc::io_failed;
  answer.deliver(caf::make_error(code, kept.why().what));
}

// -- output as messages -------------------------------------------------------

caf::result<caf::ok_atom> doorkeeper_state::subscribe_output(const vm_permit& by) {
  auto& vm = by.vm();
  auto address = by.address();
  if (vm.readers.contains(address))
    return caf::ok_atom::value;
  if (auto full = limits_.output_readers.check(vm.id.cid, vm.readers.size()))
    return full;
  auto counted = limits_.subscriptions.take(by.who());
  if (!counted)
    return counted.error();
  auto relay = self_->spawn(
    output_relay, output_relay_options{vm.handle, caf::actor_cast<output_reader_actor>(by.sender()),
                                       doorkeeper_actor{self_}, options_.timeouts.state});
  vm.readers.emplace(address, vm_entry::reader{relay, std::move(*counted)});
  monitors_.add(address);
  auto answer = self_->make_response_promise<caf::ok_atom>();
  self_->request(relay, options_.timeouts.state, caf::subscribe_atom::value, output_atom::value)
    .then([answer](caf::ok_atom ok) mutable { answer.deliver(ok); },
          [this, answer, address, relay, cid = vm.id.cid](caf::error& why) mutable {
            auto* still = vms_.find(cid);
            if (still && still->readers.contains(address)
                && still->readers.at(address).relay == relay)
              remove_reader(*still, address);
            answer.deliver(told(std::move(why), no_such_vm(cid)));
          });
  return answer;
}

void doorkeeper_state::grant_output(const vm_permit& by, std::uint64_t bytes) {
  if (auto i = by.vm().readers.find(by.address()); i != by.vm().readers.end())
    self_->send(i->second.relay, credit_atom::value, bytes);
}

void doorkeeper_state::unsubscribe_output(const permit& by, vm_cid cid) {
  if (auto* vm = vms_.find(cid))
    remove_reader(*vm, by.address());
}

void doorkeeper_state::remove_reader(vm_entry& vm, const caf::actor_addr& who) {
  auto node = vm.readers.extract(who);
  if (!node)
    return;
  caf::anon_send_exit(node.mapped().relay, caf::exit_reason::user_shutdown);
  monitors_.remove(who);
}

} // namespace crosvisor::door
