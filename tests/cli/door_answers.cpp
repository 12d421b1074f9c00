// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/cli/door_answers.hpp"

#include "crosvisor/messages/error.hpp"

namespace crosvisor::tests {

namespace {

template <class T, class... Words, class... Given>
caf::result<T> call(const std::function<caf::result<T>(door_actor::pointer, Words...)>& answer,
                    door_actor::pointer self, const Given&... words) {
  if (answer)
    return answer(self, words...);
  return caf::make_error(vm_errc::unsupported, "the test has no answer");
}

} // namespace

door_actor::behavior_type answering_door(door_actor::pointer self,
                                         std::shared_ptr<door_answers> a) {
  using caf::get_atom, caf::put_atom, caf::connect_atom, caf::open_atom, caf::subscribe_atom,
    caf::unsubscribe_atom;
  return {
    [=](create_atom, const vm_config& x, const ticket_list& y) {
      return call(a->create, self, x, y);
    },
    [=](get_atom, const vm_name& name) { return call(a->find, self, name); },
    [=](get_atom, state_atom, vm_cid cid) { return call(a->state, self, cid); },
    [=](list_atom) { return call(a->list, self); },
    [=](get_atom, host_atom) { return call(a->host, self); },
    [=](get_atom, limits_atom) { return call(a->limits, self); },
    [=](start_atom, vm_cid cid) { return call(a->start, self, cid); },
    [=](stop_atom, vm_cid cid, caf::timespan grace) { return call(a->stop, self, cid, grace); },
    [=](kill_atom, vm_cid cid) { return call(a->kill, self, cid); },
    [=](suspend_atom, vm_cid cid) { return call(a->suspend, self, cid); },
    [=](resume_atom, vm_cid cid) { return call(a->resume, self, cid); },
    [=](get_atom, balloon_atom, vm_cid cid) { return call(a->balloon, self, cid); },
    [=](put_atom, balloon_atom, vm_cid cid, std::uint64_t bytes) {
      return call(a->set_balloon, self, cid, bytes);
    },
    [=](connect_atom, vm_cid cid, std::uint32_t port, caf::timespan bound) {
      return call(a->connect, self, cid, port, bound);
    },
    [=](open_atom, output_atom, vm_cid cid) { return call(a->open_output, self, cid); },
    [=](subscribe_atom, output_atom, vm_cid cid) { return call(a->subscribe_output, self, cid); },
    [=](credit_atom, vm_cid cid, std::uint64_t bytes) {
      if (a->credit)
        a->credit(self, cid, bytes);
    },
    [](unsubscribe_atom, output_atom, vm_cid) {},
    [=](get_atom, const log_query& query) { return call(a->log, self, query); },
    [=](subscribe_atom, vm_cid cid) { return call(a->subscribe, self, cid); },
    [](unsubscribe_atom, vm_cid) {},
    [=](subscribe_atom, vm_cid cid, std::uint64_t after) {
      return call(a->subscribe_after, self, cid, after);
    },
    [=](watch_atom, std::uint64_t after) { return call(a->watch, self, after); },
    [](unsubscribe_atom) {},
    [=](attach_atom, vm_cid cid) { return call(a->attach, self, cid); },
    [](detach_atom, vm_cid) {},
    [=](hold_atom, vm_cid cid) { return call(a->hold, self, cid); },
    [=](drop_atom, vm_cid cid) { return call(a->drop, self, cid); },
    [=](pass_atom, vm_cid cid) { return call(a->pass, self, cid); },
    [=](pass_atom, const ticket& word) { return call(a->take, self, word); },
    [=](drain_atom, caf::timespan grace) { return call(a->drain, self, grace); },
    [=](resume_atom) { return call(a->end_drain, self); },
    [=](create_atom, const partition_spec& x, const ticket_list& y) {
      return call(a->partition, self, x, y);
    },
    [=](create_atom, const idsig_spec& x, const ticket_list& y) {
      return call(a->idsig, self, x, y);
    },
    [=](create_atom, const image_upload& wanted) { return call(a->begin_upload, self, wanted); },
    [=](put_atom, const image_piece& piece) { return call(a->put_piece, self, piece); },
    [=](finish_atom, image_atom, std::uint64_t id) { return call(a->finish_upload, self, id); },
    [=](list_atom, image_atom) { return call(a->images, self); },
    [=](get_atom, const image_query& query) { return call(a->read_image, self, query); },
    [=](caf::delete_atom, image_atom, const std::string& name) {
      return call(a->remove_image, self, name);
    },
  };
}

} // namespace crosvisor::tests
