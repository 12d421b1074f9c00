// SPDX-License-Identifier: Apache-2.0
// What comes into being through the door: VMs and images, with the descriptors of their creators.
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/service/door/image_client.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <algorithm>

namespace crosvisor::door {

namespace {

caf::error no_service() {
  return caf::make_error(vm_errc::shutting_down, "the service has ended");
}

/// A set whose last holder, whoever that comes to be, leaves it to `close`.
vm_files make_files(const caller& whose, const descriptor_closer& close) {
  if (!close)
    return std::make_shared<io::descriptor_set>();
  return {new io::descriptor_set, [whose, close](io::descriptor_set* files) {
            close(whose, std::move(*files));
            delete files;
          }};
}

caf::error ticket_error(const io::failure& why) {
  if (why.code == 0)
    return caf::make_error(vm_errc::no_such_ticket,
                           "tickets: one was never given to this process, or was used, or is too "
                           "old");
  return caf::make_error(vm_errc::io_failed, why.what);
}

} // namespace

// -- descriptors --------------------------------------------------------------

std::optional<caf::error> doorkeeper_state::no_descriptors(const caller& who) const {
  if (who.kind != caller_kind::certificate && options_.tickets)
    return std::nullopt;
  return caf::make_error(vm_errc::unsupported,
                         "descriptors can't be passed to or from another host");
}

caf::expected<vm_files> doorkeeper_state::redeem(const ticket_list& list) {
  auto who = gate_->caller_of(self_->current_sender());
  if (!who)
    return who.error();
  auto files = make_files(*who, options_.close);
  auto is_stored = [](const ticket& one) { return one.starts_with(stored_image_prefix); };
  if (!std::all_of(list.tickets.begin(), list.tickets.end(), is_stored))
    if (auto none = no_descriptors(*who))
      return std::move(*none);
  if (list.tickets.size() > max_tickets_per_request)
    return caf::make_error(vm_errc::invalid_config,
                           "tickets: " + std::to_string(list.tickets.size()) + " given; at most "
                             + std::to_string(max_tickets_per_request) + " are allowed");
  std::optional<caf::error> problem;
  for (const auto& one : list.tickets) {
    if (auto image = stored_image_name(one)) {
      files->add_stored_image(std::move(*image));
      continue;
    }
    auto fd = options_.tickets->take(one, *who, io::ticket_store::direction::to_service);
    if (fd)
      files->add(std::move(*fd));
    else if (!problem) // The others are taken all the same, or they would stay open.
      problem = ticket_error(fd.why());
  }
  if (problem)
    return std::move(*problem);
  return files;
}

// -- VMs ----------------------------------------------------------------------

void doorkeeper_state::create(const permit& by, vm_config config, vm_files files,
                              caf::typed_response_promise<vm_info> answer) {
  auto problem = find_missing_file(config, files->size());
  if (!problem)
    problem = find_misuse(config, *files);
  if (problem) {
    answer.deliver(caf::make_error(vm_errc::invalid_config, std::move(*problem)));
    return;
  }
  open_stored(
    by, files, uses_of(config), 0, [=, this](const caf::error& why, const std::string&) mutable {
      auto request = runs_ones_own(config) ? door_request::create_custom : door_request::create;
      auto refused = why ? why : still(request, by);
      if (refused)
        answer.deliver(refused);
      else
        create_opened(by, std::move(config), std::move(files), answer);
    });
}

void doorkeeper_state::create_opened(const permit& by, vm_config config, vm_files files,
                                     caf::typed_response_promise<vm_info> answer) {
  auto counted = limits_.vms.take(by.who());
  if (draining_ || !counted) {
    answer.deliver(!draining_ ? counted.error()
                              : caf::make_error(vm_errc::shutting_down,
                                                "the service is being drained, and creates no VM "
                                                "meanwhile"));
    return;
  }
  self_
    ->request(options_.service, options_.timeouts.create, create_atom::value, config,
              std::move(files), by.who())
    .then(
      [this, answer, by, counted = *counted](const vm_actor& vm, vm_info& info) mutable {
        admit(by, vm, info, std::move(counted));
        answer.deliver(std::move(info));
      },
      [this, answer, by, name = config.name](caf::error& why) mutable {
        answer.deliver(hide_name_of_others(told(std::move(why), no_service()), by, name));
      });
}

void doorkeeper_state::admit(const permit& by, const vm_actor& vm, const vm_info& info,
                             quota::token counted) {
  // With a small range of CIDs one may be back before its last VM's end was heard here.
  if (auto* old = vms_.find(info.cid))
    forget(*old);
  auto& entry =
    vms_.add({{info.cid, info.name, {by.who()}, info.created_ms}, vm, std::move(counted)});
  self_->monitor(vm);
  // Nobody else has the handle yet: nothing has happened that this could miss.
  self_->request(vm, options_.timeouts.state, caf::subscribe_atom::value)
    .then([](const vm_info&) {}, [](const caf::error&) {});
  monitors_.add(by.address());
  entry.references.attach(by.address(), by.who());
  note(entry);
  if (draining_)
    stop_for_drain(entry);
}

/// The registry's sentence has the CID of whoever has the name.
caf::error doorkeeper_state::hide_name_of_others(caf::error why, const permit& by,
                                                 const vm_name& wanted) {
  if (why != vm_errc::name_taken)
    return why;
  const auto* vm = vms_.find_living(wanted);
  if (vm && gate_->still(door_request::find, by.who(), vm->id))
    return why;
  return caf::make_error(vm_errc::name_taken,
                         "name: a living VM is called " + io::in_quotes(wanted) + " already");
}

// -- images -------------------------------------------------------------------

template <class T, class Spec>
void doorkeeper_state::make_image(const permit& by, Spec spec, vm_files files,
                                  caf::typed_response_promise<T> answer) {
  auto problem = find_missing_file(spec, files->size());
  if (!problem)
    problem = find_misuse(spec, *files);
  if (problem) {
    answer.deliver(caf::make_error(vm_errc::invalid_config, std::move(*problem)));
    return;
  }
  open_stored(by, files, uses_of(spec), made_bytes(spec),
              [=, this](const caf::error& why, const std::string& made) mutable {
                if (why)
                  answer.deliver(why);
                else
                  make_opened<T>(by, std::move(spec), std::move(files), made, answer);
              });
}

template <class T, class Spec>
void doorkeeper_state::make_opened(const permit& by, Spec spec, vm_files files,
                                   const std::string& made, caf::typed_response_promise<T> answer) {
  auto counted = limits_.images.take(by.who());
  if (!counted)
    return end_making<T>(by.who(), made, answer, counted.error());
  auto client = self_->spawn(
    image_client,
    image_client_options{options_.service, caf::actor_cast<progress_actor>(by.sender()),
                         doorkeeper_actor{self_}, options_.timeouts.image});
  self_
    ->request(client, options_.timeouts.image, create_atom::value, std::move(spec),
              std::move(files))
    .then([=, this, who = by.who(),
           counted = *counted](T& what) { end_making<T>(who, made, answer, std::move(what)); },
          [=, this, who = by.who(), counted = *counted](caf::error& why) {
            end_making<T>(who, made, answer, told(std::move(why), no_service()));
          });
}

template void doorkeeper_state::make_image<caf::ok_atom, partition_spec>(
  const permit&, partition_spec, vm_files, caf::typed_response_promise<caf::ok_atom>);
template void
doorkeeper_state::make_image<idsig_info, idsig_spec>(const permit&, idsig_spec, vm_files,
                                                     caf::typed_response_promise<idsig_info>);

} // namespace crosvisor::door
