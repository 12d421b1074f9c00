// SPDX-License-Identifier: Apache-2.0
// One real guest in a test: what it is made of, what it is asked, and what was told of it.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/tests/system/guest_host.hpp"
#include "crosvisor/tests/system/guest_stream.hpp"
#include "crosvisor/tests/system/output_pipe.hpp"

#include <caf/scoped_actor.hpp>

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace crosvisor::tests {

/// A VM to be: a configuration, and the descriptors that go with it.
class guest_plan {
public:
  /// The demo guest with `action`; see guest/init. `params` are added to its command line.
  explicit guest_plan(const std::string& action, const std::string& params = "");

  /// The guest with another file as its kernel, and nothing else.
  static guest_plan with_kernel(const std::string& path);

  /// The demo guest from copies in `dir` that nobody but their owner can read.
  guest_plan& closed_boot_files(const temp_dir& dir);
  guest_plan& name(const std::string& name);
  guest_plan& memory(std::uint32_t mib);
  guest_plan& disk(const std::string& path, bool writable, image_format format = image_format::raw);
  /// Adds a disk without partitions.
  guest_plan& disk_of_partitions(bool writable);
  /// Adds one to the last disk.
  guest_plan& partition(const std::string& label, const std::string& path, bool writable = false,
                        image_format format = image_format::raw);
  guest_plan& console(output_pipe& to);
  guest_plan& log(output_pipe& to);

  vm_config config;
  std::shared_ptr<io::descriptor_set> files = std::make_shared<io::descriptor_set>();

private:
  guest_plan() = default;
  file_ref open(const std::string& path, int flags);
  file_ref add(output_pipe& to);
};

/// An actor of its own for each VM, which creates it, asks it, and is its first subscriber.
/// Whatever does not come within its bound fails the test.
class guest_vm {
public:
  guest_vm(guest_host& host, guest_plan plan);

  const vm_info& info() const noexcept { return info_; }
  const vm_actor& handle() const noexcept { return vm_; }
  /// All that came so far.
  const std::vector<vm_event>& events() const noexcept { return events_; }
  /// `created starting started dead`.
  std::string kinds() const;

  /// Asks, and waits for the answer or the error.
  template <class Result, class... Ts>
  std::variant<Result, caf::error> ask(const Ts&... xs) {
    std::variant<Result, caf::error> outcome;
    self_->request(vm_, answer_bound, xs...)
      .receive([&](Result& value) { outcome = std::move(value); },
               [&](caf::error& why) { outcome = std::move(why); });
    return outcome;
  }

  /// The same, where an error fails the test.
  template <class Result, class... Ts>
  Result demand(const Ts&... xs) {
    auto outcome = ask<Result>(xs...);
    if (auto* why = std::get_if<caf::error>(&outcome))
      fail(sentence_of(*why));
    return std::move(std::get<Result>(outcome));
  }

  /// Starts it, and waits until its VMM runs it.
  void start();
  /// Only asks for it.
  void begin_start();
  /// A connection to a port of the guest's.
  guest_stream connect(std::uint32_t port);
  /// Its payload's output.
  guest_stream open_output();
  vm_info state() { return demand<vm_info>(caf::get_atom::value, state_atom::value); }

  /// The next event of that kind, whatever comes before it.
  vm_event await(vm_event_kind kind, caf::timespan bound = boot_bound);
  vm_event await_death(caf::timespan bound = boot_bound) {
    return await(vm_event_kind::dead, bound);
  }

private:
  static constexpr caf::timespan answer_bound = std::chrono::seconds{120};

  /// Fails the test, and says what is known of the VM.
  [[noreturn]] void fail(const std::string& what) const;

  guest_host& host_;
  caf::scoped_actor self_;
  vm_actor vm_;
  vm_info info_;
  std::vector<vm_event> events_;
};

/// What a test checks of a death, in one line: `shutdown, code 0`, `killed, signal 9`.
std::string summary_of(const vm_event& death);

} // namespace crosvisor::tests
