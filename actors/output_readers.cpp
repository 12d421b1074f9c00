// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/output_readers.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace crosvisor::actors {

output_readers::~output_readers() {
  for (const auto& [who, reader] : readers_)
    reader.streams->remove_reader(reader.id);
}

void output_readers::subscribe(const caf::strong_actor_ptr& who) {
  auto address = caf::actor_cast<caf::actor_addr>(who);
  if (!who)
    return;
  if (auto i = readers_.find(address); i != readers_.end() && i->second.streams == streams_)
    return;
  unsubscribe(who);
  monitors_.add(address);
  auto id = streams_->add_reader(
    [vm = vm_supervisor_actor{self_}, to = caf::actor_cast<output_reader_actor>(who)](
      output_chunk chunk) { caf::send_as(vm, to, std::move(chunk)); });
  readers_.emplace(address, reading{streams_, id});
}

void output_readers::grant(const caf::strong_actor_ptr& who, std::uint64_t bytes) {
  if (auto i = readers_.find(caf::actor_cast<caf::actor_addr>(who)); i != readers_.end())
    i->second.streams->grant(i->second.id, bytes);
}

void output_readers::unsubscribe(const caf::strong_actor_ptr& who) {
  auto address = caf::actor_cast<caf::actor_addr>(who);
  if (forget(address))
    monitors_.remove(address);
}

bool output_readers::forget(const caf::actor_addr& who) {
  auto i = readers_.find(who);
  if (i == readers_.end())
    return false;
  i->second.streams->remove_reader(i->second.id);
  readers_.erase(i);
  return true;
}

} // namespace crosvisor::actors
