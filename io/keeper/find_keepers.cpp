// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/keeper/found_keeper.hpp"
#include "crosvisor/io/keeper/greeted_keeper.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/keeper/watched_keeper.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

using steady = std::chrono::steady_clock;

/// Between two tries to connect to a keeper that has just been started.
constexpr std::chrono::milliseconds connect_pause{10};

std::vector<kept_name> recorded_lives(const std::string& state_dir) {
  std::vector<kept_name> lives;
  auto path = keeper_records_path(state_dir);
  auto all = open_private_dir(path);
  auto names = all ? list_dir(all->get()) : result<std::vector<std::string>>{all.why()};
  if (!names)
    log::error("records of keepers can't be listed: {}", names.why().what);
  for (const auto& name : names ? *names : std::vector<std::string>{}) {
    if (auto life = parse_kept_life(name); life.first != no_cid)
      lives.push_back(life);
    else
      log::warn("records of keepers have {} among them, which is none",
                in_quotes(path + "/" + name));
  }
  return lives;
}

/// Whether it is this process or the host that can't connect now, and may be able to soon.
bool passes(int code) {
  constexpr int passing[] = {EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC};
  return std::find(std::begin(passing), std::end(passing), code) != std::end(passing);
}

/// Asks all that live at once.
class keeper_search {
public:
  keeper_search(const keeper_places& places, const std::string& boot_id, steady::time_point until)
      : places_(places), boot_id_(boot_id), until_(until) {}

  found_keepers run() {
    for (auto life : recorded_lives(places_.state_dir))
      look_at(life);
    reach(failpoint::find_keepers);
    while (!asked_.empty() && steady::now() < until_)
      turn();
    for (auto& late : asked_)
      give_up(late.life(), "it does not answer on its socket");
    return choose();
  }

private:
  void look_at(kept_name life) {
    auto record = keeper_record::open(places_.state_dir, life.first, life.second);
    if (!record)
      return record.why().code == ENOENT ? look_for(life) : give_up(life, record.why().what);
    if (record->is_held())
      asked_.emplace_back(places_, boot_id_, life, std::move(*record));
    else if (auto locked = record->lock(); locked)
      take_ended(life, *record);
    else
      give_up(life, locked.why().what);
  }

  /// One whose record is gone: it never began, or has just stepped aside.
  void look_for(kept_name life) {
    kept_name aside{life.first, kept_life::last};
    auto is_known = lives_.count(aside) > 0
                    || std::any_of(asked_.begin(), asked_.end(),
                                   [&](const auto& other) { return other.life() == aside; });
    if (life != aside && !is_known)
      look_at(aside);
  }

  /// With its record's lock held.
  void take_ended(kept_name life, keeper_record& record) {
    auto text = record.read_launch();
    auto drop = [&](const std::string& why) {
      log::warn("record of vm {} is dropped: {}", life.first, why);
      if (auto removed = record.remove(); !removed)
        log::error("record of vm {} stays: {}", life.first, removed.why().what);
    };
    if (!text || !*text)
      return drop(text ? "it was never launched" : text.why().what);
    auto launch = decode_keeper_launch(**text, false);
    if (!launch)
      return drop(launch.why().what);
    found_keeper ended;
    ended.which = life.second;
    ended.vm.cid = life.first;
    ended.vm.config = std::move(launch->request.config);
    ended.vm.choice = launch->request.choice;
    ended.vm.notes = std::move(launch->request.notes);
    auto notes = record.read_notes();
    if (notes && *notes)
      ended.vm.notes = std::move(**notes);
    else if (!notes)
      log::warn("vm {} has the notes of its launch: {}", life.first, notes.why().what);
    lives_.insert_or_assign(life, std::move(ended));
  }

  void give_up(kept_name life, const std::string& why) {
    log::error("keeper of vm {} is left alone, and its CID not used: {}", life.first, why);
    found_.unusable.insert(life.first);
  }

  std::chrono::milliseconds left() const {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - steady::now());
    return std::max(left, std::chrono::milliseconds{0});
  }

  void turn() {
    connect_all();
    std::vector<pollfd> waits;
    auto all_connected = true;
    for (const auto& keeper : asked_) {
      waits.push_back({keeper.is_connected() ? keeper.socket() : -1, POLLIN, 0});
      all_connected = all_connected && keeper.is_connected();
    }
    auto bound = all_connected ? left() : std::min(left(), connect_pause);
    if (waits.empty() || ::poll(waits.data(), waits.size(), static_cast<int>(bound.count())) <= 0)
      return;
    auto all = std::exchange(asked_, {});
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0)
        asked_.push_back(std::move(all[i]));
      else
        take_hello(all[i]);
    }
  }

  void connect_all() {
    for (auto& keeper : std::exchange(asked_, {})) {
      auto connected = keeper.is_connected() ? result<void>{} : keeper.connect();
      auto code = connected ? 0 : connected.why().code;
      // One that was just started does not listen yet, or has ended.
      if (connected || passes(code))
        asked_.push_back(std::move(keeper));
      else if (code != ENOENT && code != ECONNREFUSED)
        give_up(keeper.life(), connected.why().what);
      else if (!has_ended(keeper.life()))
        asked_.push_back(std::move(keeper));
    }
  }

  void take_hello(greeted_keeper& keeper) {
    auto found = keeper.read_hello();
    if (found)
      lives_.insert_or_assign(keeper.life(), std::move(*found));
    else if (!has_ended(keeper.life()))
      give_up(keeper.life(), found.why().what);
  }

  /// Then it is one of those that have, or there is none of that name any more.
  bool has_ended(kept_name life) {
    auto record = keeper_record::open(places_.state_dir, life.first, life.second);
    if (!record && record.why().code == ENOENT) {
      look_for(life);
      return true;
    }
    if (!record || record->is_held() || !record->lock())
      return false;
    take_ended(life, *record);
    return true;
  }

  // -- of two lives ------------------------------------------------------------------

  found_keepers choose() {
    auto living = found_.unusable;
    for (auto& [life, keeper] : lives_) {
      auto [cid, which] = life;
      // The present one comes before the last in the map.
      auto next = found_.all.find(cid);
      if (found_.unusable.count(cid) > 0)
        continue;
      if (next != found_.all.end() && next->second.socket && keeper.socket)
        found_.last.emplace(cid, std::move(keeper));
      else if (next != found_.all.end() && has_begun(next->second))
        drop(life, keeper);
      else if (next != found_.all.end())
        drop({cid, kept_life::present}, std::exchange(next->second, std::move(keeper)));
      else
        found_.all.emplace(cid, std::move(keeper));
    }
    for (const auto& [cid, keeper] : found_.all)
      if (keeper.socket)
        living.insert(cid);
    places_.remove_all_but(living);
    return std::move(found_);
  }

  /// Whether there is something to be told of it; else it is the wait for it that goes on.
  bool has_begun(const found_keeper& keeper) const {
    if (keeper.socket)
      return true;
    auto record = keeper_record::open(places_.state_dir, keeper.vm.cid, keeper.which);
    auto exit = record ? record->read_exit() : record.why();
    return exit && *exit;
  }

  /// It has nothing that runs.
  void drop(kept_name life, const found_keeper& keeper) {
    auto [cid, which] = life;
    constexpr int end_bound_ms = 5000;
    if (keeper.pidfd && kill_process(keeper.pidfd.get()))
      wait_for_end(keeper.pidfd.get(), end_bound_ms);
    auto record = keeper_record::open(places_.state_dir, cid, which);
    auto removed = record ? record->remove() : record.why();
    if (!removed)
      return log::error("record of vm {} stays: {}", cid, removed.why().what);
    which == kept_life::last ? places_.remove_last(cid) : places_.remove(cid);
  }

  const keeper_places& places_;
  const std::string& boot_id_;
  const steady::time_point until_;
  std::vector<greeted_keeper> asked_;
  std::map<kept_name, found_keeper> lives_;
  found_keepers found_;
};

} // namespace

found_keepers find_keepers(const keeper_places& places, const std::string& boot_id,
                           std::chrono::milliseconds bound) {
  return keeper_search{places, boot_id, steady::now() + bound}.run();
}

} // namespace crosvisor::io
