// SPDX-License-Identifier: Apache-2.0
// A door that answers as a test says.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <caf/result.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// One function for each message of a door's; called on the door's thread. What has none is
/// answered `unsupported`.
struct door_answers {
  using door = door_actor::pointer;
  template <class T, class... Words>
  using reply = std::function<caf::result<T>(door, Words...)>;

  reply<vm_info, const vm_config&, const ticket_list&> create;
  reply<vm_info, const vm_name&> find;
  reply<vm_info, vm_cid> state, start, kill, suspend, resume, attach, hold, drop, subscribe;
  reply<vm_info, vm_cid, caf::timespan> stop;
  reply<std::vector<vm_info>> list;
  reply<host_info> host;
  reply<std::vector<limit_info>> limits;
  reply<balloon_info, vm_cid> balloon;
  reply<caf::ok_atom, vm_cid, std::uint64_t> set_balloon;
  reply<ticket, vm_cid, std::uint32_t, caf::timespan> connect;
  reply<ticket, vm_cid> open_output, pass;
  reply<caf::ok_atom, vm_cid> subscribe_output;
  std::function<void(door, vm_cid, std::uint64_t)> credit;
  reply<log_piece, const log_query&> log;
  reply<caf::ok_atom, vm_cid, std::uint64_t> subscribe_after;
  reply<std::uint64_t, std::uint64_t> watch;
  reply<caf::ok_atom, caf::timespan> drain;
  reply<caf::ok_atom> end_drain;
  reply<vm_info, const ticket&> take;
  reply<caf::ok_atom, const partition_spec&, const ticket_list&> partition;
  reply<idsig_info, const idsig_spec&, const ticket_list&> idsig;
  reply<upload_place, const image_upload&> begin_upload;
  reply<std::uint64_t, const image_piece&> put_piece;
  reply<image_info, std::uint64_t> finish_upload;
  reply<std::vector<image_info>> images;
  reply<image_part, const image_query&> read_image;
  reply<caf::ok_atom, const std::string&> remove_image;
};

door_actor::behavior_type answering_door(door_actor::pointer self,
                                         std::shared_ptr<door_answers> answers);

/// An answer that never comes.
template <class T>
caf::result<T> no_answer(door_actor::pointer self) {
  return self->make_response_promise<T>();
}

} // namespace crosvisor::tests
