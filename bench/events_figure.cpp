// SPDX-License-Identifier: Apache-2.0
// How many events a second a thousand subscribers of one VM are told.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/stand_ins.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace crosvisor::bench {

namespace {

constexpr std::size_t subscribers = 1000;
constexpr std::size_t events = 20; ///< A suspend and a resume are one each.
constexpr int rounds = 20;

/// Counts what all have been told, and wakes who waits for it.
class tally {
public:
  void add() {
    std::lock_guard lock{mutex_};
    if (++count_ == wanted_)
      reached_.notify_all();
  }

  void expect(std::size_t more) {
    std::lock_guard lock{mutex_};
    wanted_ = count_ + more;
  }

  void wait() {
    std::unique_lock lock{mutex_};
    if (!reached_.wait_for(lock, patience, [this] { return count_ >= wanted_; }))
      throw std::runtime_error("subscribers were not told");
  }

private:
  std::mutex mutex_;
  std::condition_variable reached_;
  std::size_t count_ = 0, wanted_ = 0;
};

class events_figure final : public figure {
public:
  events_figure() {
    auto& service = vms_.service();
    auto next = vms_.next();
    vm_ = vms_.create(next);
    service.start(vm_);
    tally_.expect(subscribers); // The state that it is in.
    for (std::size_t i = 0; i < subscribers; ++i) {
      told_.push_back(service.system().spawn(
        [this](subscriber_actor::pointer self) -> subscriber_actor::behavior_type {
          self->request(vm_, patience, caf::subscribe_atom::value).then([](const vm_info&) {});
          return {[this](const vm_event&) { tally_.add(); }};
        }));
    }
    tally_.wait();
  }

  ~events_figure() override {
    for (auto& one : told_)
      caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
    vms_.service().kill({vm_});
  }

  int repetitions() const override { return rounds; }

  sample measure() override {
    auto ours = time([&] {
      for (std::size_t i = 0; i < events; i += 2) {
        ask(suspend_atom::value);
        ask(resume_atom::value);
      }
    });
    auto bare = time([&] {
      vm_event event;
      for (std::size_t i = 0; i < events; ++i)
        for (const auto& one : told_)
          caf::anon_send(one, event);
    });
    ours_.push_back(rate(ours));
    bare_.push_back(rate(bare));
    return {ours, {{"bare_us", bare * 1e6}}};
  }

  void conclude(summary& to) const override {
    to.add({"events to " + std::to_string(subscribers) + " subscribers",
            rate_text(p50(ours_), "events"), "sent alone " + rate_text(p50(bare_), "events"),
            ratio_text(p50(ours_), p50(bare_)), "", false});
  }

private:
  static double rate(double took) { return static_cast<double>(events * subscribers) / took; }

  template <class Task>
  double time(Task task) {
    tally_.expect(events * subscribers);
    auto began = now_ns();
    task();
    tally_.wait();
    return seconds(now_ns() - began);
  }

  template <class Atom>
  void ask(Atom what) {
    vms_.service()
      .self()
      ->request(vm_, patience, what)
      .receive([](const vm_info&) {},
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
  }

  tally tally_; // Outlives those who add to it.
  stand_ins vms_;
  vm_actor vm_;
  std::vector<subscriber_actor> told_;
  std::vector<double> ours_, bare_;
};

} // namespace

std::unique_ptr<figure> make_events_figure(summary&) {
  return std::make_unique<events_figure>();
}

} // namespace crosvisor::bench
