// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_readers.hpp"

#include "crosvisor/io/keeper/keeper_values.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::io {

struct keeper_readers::state {
  std::shared_ptr<guest_streams> streams;
  std::weak_ptr<keeper_channel> channel;
  std::map<std::uint64_t, reader> readers;

  void feed(reader& to) {
    auto open = channel.lock();
    if (!open || open->waiting_bytes() > 0)
      return;
    auto step = std::min(to.granted, max_under_way - std::min(to.under_way, max_under_way));
    if (step == 0)
      return;
    to.granted -= step;
    to.under_way += step;
    streams->grant(to.id, step);
  }

  void pass_on(std::uint64_t number, output_chunk chunk) {
    auto found = readers.find(number);
    auto open = channel.lock();
    if (found == readers.end() || !open)
      return;
    auto& to = found->second;
    to.under_way -= std::min<std::uint64_t>(to.under_way, chunk.bytes.size());
    nlohmann::json packet{{"type", "chunk"},
                          {"reader", number},
                          {"offset", chunk.offset},
                          {"missed", chunk.missed},
                          {"last", chunk.last}};
    open->send({to_line(packet), std::move(chunk.bytes)});
    if (chunk.last)
      readers.erase(found);
    else
      feed(to);
  }
};

keeper_readers::keeper_readers(std::shared_ptr<guest_streams> streams,
                               std::weak_ptr<keeper_channel> channel)
    : state_(std::make_shared<state>(state{std::move(streams), std::move(channel), {}})) {}

keeper_readers::~keeper_readers() {
  for (const auto& [number, each] : std::exchange(state_->readers, {}))
    state_->streams->remove_reader(each.id);
}

bool keeper_readers::add(std::uint64_t number) {
  if (state_->readers.size() >= max_readers || state_->readers.count(number) > 0)
    return false;
  auto id = state_->streams->add_reader([weak = std::weak_ptr{state_}, number](output_chunk chunk) {
    if (auto self = weak.lock())
      self->pass_on(number, std::move(chunk));
  });
  state_->readers.emplace(number, reader{id});
  return true;
}

void keeper_readers::grant(std::uint64_t number, std::uint64_t bytes) {
  auto found = state_->readers.find(number);
  if (found == state_->readers.end())
    return;
  auto& granted = found->second.granted;
  granted = bytes > UINT64_MAX - granted ? UINT64_MAX : granted + bytes;
  state_->feed(found->second);
}

void keeper_readers::remove(std::uint64_t number) {
  auto found = state_->readers.find(number);
  if (found == state_->readers.end())
    return;
  auto id = found->second.id;
  state_->readers.erase(found);
  state_->streams->remove_reader(id);
}

void keeper_readers::drained() {
  for (auto& [number, each] : state_->readers)
    state_->feed(each);
}

} // namespace crosvisor::io
