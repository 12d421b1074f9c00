// SPDX-License-Identifier: Apache-2.0
// How a door is made, and which message does what.
#include "crosvisor/service/door/doorkeeper.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

namespace crosvisor::door {

caf::error told(caf::error why, caf::error if_gone) {
  if (why.category() == caf::atom("crosvisor"))
    return why;
  if (why == caf::sec::request_timeout)
    return caf::make_error(vm_errc::timed_out, "the service does not answer in time");
  if (why == caf::sec::request_receiver_down || why.category() == caf::atom("exit"))
    return if_gone;
  return caf::make_error(vm_errc::io_failed, "the service failed: " + to_string(why));
}

bool doorkeeper_state::is_own_message() const {
  return self_->current_sender() == self_->ctrl();
}

void doorkeeper_state::down(const caf::down_msg& gone) {
  if (gone.source == options_.service.address())
    return self_->quit(gone.reason);
  if (auto* vm = vms_.find(gone.source))
    return forget(*vm);
  monitors_.forget(gone.source);
  watchers_.remove(gone.source);
  auto lost = gone.reason == caf::exit_reason::remote_link_unreachable;
  for (auto& [cid, vm] : vms_.all()) {
    vm.subscribers.remove(gone.source);
    vm.readers.erase(gone.source); // The relay has seen it, too.
    leave(vm, gone.source, lost);
  }
}

void doorkeeper_state::begin(door_options options) {
  options_ = std::move(options);
  gate_ = std::make_unique<const gate>(options_.callers, options_.grants, vms_);
  limits_ = door_limits{options_.bounds};
  vms_.remember_at_most(options_.kept_logs);
  self_->set_down_handler([this](const caf::down_msg& gone) { down(gone); });
  // What follows comes from clients at will: none of it may end the door, or show in a log.
  self_->set_default_handler(caf::drop);
  self_->set_error_handler([](const caf::error&) {});
  self_->set_exit_handler([this](caf::exit_msg& end) {
    const auto& sender = self_->current_sender();
    if (!sender || sender->node() == self_->node())
      self_->quit(std::move(end.reason));
  });
  self_->monitor(options_.service);
  if (options_.journal)
    told_ = options_.journal->load();
  adopt(std::exchange(options_.adopted, {}));
}

doorkeeper_actor::behavior_type doorkeeper_state::make_behavior(door_options options) {
  begin(std::move(options));
  const auto& times = options_.timeouts;
  return {
    [this](create_atom, vm_config& config, const ticket_list& tickets) {
      return let_with<vm_info>(
        tickets, runs_ones_own(config) ? door_request::create_custom : door_request::create,
        [&](const permit& by, vm_files files, auto answer) {
          create(by, std::move(config), std::move(files), answer);
        });
    },
    [this](caf::get_atom, const vm_name& vm) {
      return let(door_request::find, vm, [&](const vm_permit& by) { return get_state(by); });
    },
    [this](caf::get_atom, state_atom, vm_cid cid) {
      return let(door_request::get_state, cid, [&](const vm_permit& by) { return get_state(by); });
    },
    [this](list_atom) {
      return let(door_request::list, [&](const permit& by) { return list(by); });
    },
    [this](caf::get_atom, host_atom) {
      return let(door_request::get_host, [&](const permit& by) { return get_host(by); });
    },
    [this](caf::get_atom, limits_atom) {
      return let(door_request::get_limits, [&](const permit& by) { return get_limits(by); });
    },
    [this, &times](start_atom start, vm_cid cid) {
      return let(door_request::start, cid,
                 [&](const vm_permit& by) { return ask_vm<vm_info>(by, times.start, start); });
    },
    [this](stop_atom, vm_cid cid, caf::timespan grace) {
      return let(door_request::stop, cid, [&](const vm_permit& by) { return stop(by, grace); });
    },
    [this](kill_atom kill, vm_cid cid) {
      return let(door_request::kill, cid, [&](const vm_permit& by) {
        return ask_vm<vm_info>(by, options_.longest_stop, kill);
      });
    },
    [this, &times](suspend_atom suspend, vm_cid cid) {
      return let(door_request::suspend, cid,
                 [&](const vm_permit& by) { return ask_vm<vm_info>(by, times.control, suspend); });
    },
    [this, &times](resume_atom resume, vm_cid cid) {
      return let(door_request::resume, cid,
                 [&](const vm_permit& by) { return ask_vm<vm_info>(by, times.control, resume); });
    },
    [this, &times](caf::get_atom get, balloon_atom balloon, vm_cid cid) {
      return let(door_request::get_balloon, cid, [&](const vm_permit& by) {
        return ask_vm<balloon_info>(by, times.control, get, balloon);
      });
    },
    [this, &times](caf::put_atom put, balloon_atom balloon, vm_cid cid, std::uint64_t size) {
      return let(door_request::set_balloon, cid, [&](const vm_permit& by) {
        return ask_vm<caf::ok_atom>(by, times.control, put, balloon, size);
      });
    },
    [this](caf::connect_atom, vm_cid cid, std::uint32_t port, caf::timespan bound) {
      auto request =
        port < first_unprivileged_port ? door_request::connect_privileged : door_request::connect;
      return let(request, cid, [&](const vm_permit& by) { return connect(by, port, bound); });
    },
    [this](caf::open_atom, output_atom, vm_cid cid) {
      return let(door_request::open_output, cid,
                 [&](const vm_permit& by) { return open_output(by); });
    },
    [this](caf::subscribe_atom, output_atom, vm_cid cid) {
      return let(door_request::subscribe_output, cid,
                 [&](const vm_permit& by) { return subscribe_output(by); });
    },
    [this](credit_atom, vm_cid cid, std::uint64_t bytes) {
      let(door_request::grant_output, cid, [&](const vm_permit& by) { grant_output(by, bytes); });
    },
    [this](caf::unsubscribe_atom, output_atom, vm_cid cid) {
      let(door_request::unsubscribe_output, [&](const permit& by) { unsubscribe_output(by, cid); });
    },
    [this](caf::get_atom, log_query& query) {
      auto by = gate_->enter_logs(self_->current_sender(), query.vm);
      return by ? read_log(*by, std::move(query)) : caf::result<log_piece>{by.error()};
    },
    [this](caf::subscribe_atom, vm_cid cid) {
      return let(door_request::subscribe, cid, [&](const vm_permit& by) { return subscribe(by); });
    },
    [this](caf::unsubscribe_atom, vm_cid cid) {
      let(door_request::unsubscribe, [&](const permit& by) { unsubscribe(by, cid); });
    },
    [this](caf::subscribe_atom, vm_cid cid, std::uint64_t after) {
      auto by = gate_->enter_told(self_->current_sender(), cid);
      return by ? subscribe_after(*by, after) : caf::result<caf::ok_atom>{by.error()};
    },
    [this](watch_atom, std::uint64_t after) {
      return let(door_request::watch, [&](const permit& by) { return watch(by, after); });
    },
    [this](caf::unsubscribe_atom) {
      let(door_request::unwatch, [&](const permit& by) { unwatch(by); });
    },
    [this](attach_atom, vm_cid cid) {
      return let(door_request::attach, cid, [&](const vm_permit& by) { return attach(by); });
    },
    [this](detach_atom, vm_cid cid) {
      let(door_request::detach, [&](const permit& by) { detach(by, cid); });
    },
    [this](hold_atom, vm_cid cid) {
      return let(door_request::hold, cid, [&](const vm_permit& by) { return hold(by); });
    },
    [this](drop_atom, vm_cid cid) {
      return let(door_request::drop, cid, [&](const vm_permit& by) { return drop(by); });
    },
    [this](pass_atom, vm_cid cid) {
      return let(door_request::pass, cid, [&](const vm_permit& by) { return pass(by); });
    },
    [this](pass_atom, const ticket& word) {
      return let(door_request::take_passed,
                 [&](const permit& by) { return take_passed(by, word); });
    },
    [this](drain_atom, caf::timespan grace) {
      return let(door_request::drain, [&](const permit&) { return drain(grace); });
    },
    [this](resume_atom) {
      return let(door_request::end_drain, [&](const permit&) { return end_drain(); });
    },
    [this](create_atom, partition_spec& spec, const ticket_list& tickets) {
      return let_with<caf::ok_atom>(
        tickets, door_request::make_partition, [&](const permit& by, vm_files files, auto answer) {
          make_image<caf::ok_atom>(by, std::move(spec), std::move(files), answer);
        });
    },
    [this](create_atom, idsig_spec& spec, const ticket_list& tickets) {
      return let_with<idsig_info>(
        tickets, door_request::make_idsig, [&](const permit& by, vm_files files, auto answer) {
          make_image<idsig_info>(by, std::move(spec), std::move(files), answer);
        });
    },
    [this](create_atom, image_upload& wanted) {
      return let(door_request::begin_upload,
                 [&](const permit& by) { return begin_upload(by, std::move(wanted)); });
    },
    [this](caf::put_atom, image_piece& piece) {
      return let(door_request::put_piece,
                 [&](const permit& by) { return put_piece(by, std::move(piece)); });
    },
    [this](finish_atom, image_atom, std::uint64_t upload) {
      return let(door_request::finish_upload,
                 [&](const permit& by) { return finish_upload(by, upload); });
    },
    [this](list_atom, image_atom) {
      return let(door_request::list_images, [&](const permit& by) { return list_images(by); });
    },
    [this](caf::get_atom, image_query& query) {
      return let(door_request::read_image,
                 [&](const permit& by) { return read_image(by, std::move(query)); });
    },
    [this](caf::delete_atom, image_atom, std::string& image) {
      return let(door_request::remove_image,
                 [&](const permit& by) { return remove_image(by, std::move(image)); });
    },
    [this](const vm_event& event) { hear(event); },
    [this](expired_atom, vm_cid cid, std::uint64_t number) { lost_expired(cid, number); },
    [this](finished_atom, std::uint64_t number, log_piece& piece) {
      log_read_done(number, std::move(piece));
    },
    [this](failed_atom, std::uint64_t number, std::int32_t code, std::string& what) {
      log_read_failed(number, code, std::move(what));
    },
    [this](finished_atom, std::uint64_t number, const store_answer& what) {
      store_answered(number, what);
    },
  };
}

doorkeeper_actor::behavior_type doorkeeper(doorkeeper_state::pointer self, door_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::door
