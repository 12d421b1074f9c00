// SPDX-License-Identifier: Apache-2.0
// A CAF application with the service in its own process: runs one virtual machine, and shows what
// happens to it on standard error and what its payload writes on standard output.
#include <crosvisor/crosvisor.hpp>

#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <unistd.h>

#include <iostream>

namespace {

using namespace std::chrono_literals;

constexpr auto answer_bound = 10s;
/// Images are made and a VMM is started meanwhile.
constexpr auto start_bound = 3min;
/// What a guest gets to heed its power button.
constexpr auto grace = 10s;
/// How much of the payload's output may be under way.
constexpr std::uint64_t window = 256 << 10;

/// Follows one VM to its end, and begins it.
using viewer_actor =
  caf::typed_actor<caf::reacts_to<crosvisor::vm_event>, caf::reacts_to<crosvisor::output_chunk>>;

struct viewer_state {
  /// CAF gives an aggregate the actor as its first member, in C++20.
  viewer_state() = default;

  bool dead = false;
  bool has_output = false;
};

int fail(const std::string& what) {
  std::cerr << "crosvisor-embed: " << what << std::endl;
  return 1;
}

void show(const crosvisor::vm_event& event) {
  std::cerr << "vm " << event.cid << ' ' << to_string(event.kind);
  if (event.kind == crosvisor::vm_event_kind::dead)
    std::cerr << ": " << to_string(event.reason);
  std::cerr << std::endl;
}

viewer_actor::behavior_type viewer(viewer_actor::stateful_pointer<viewer_state> self,
                                   const crosvisor::vm_actor& vm) {
  auto failed = [self](caf::error& why) { self->quit(std::move(why)); };
  self->request(vm, answer_bound, caf::subscribe_atom::value)
    .then([](const crosvisor::vm_info&) {}, failed);
  // Without credit nothing is sent. A host without vsock for guests has no output to send.
  self->request(vm, answer_bound, caf::subscribe_atom::value, crosvisor::output_atom::value)
    .then(
      [self, vm](caf::ok_atom) {
        self->state.has_output = true;
        self->send(vm, crosvisor::credit_atom::value, window);
      },
      [](const caf::error& why) {
        std::cerr << "no output: " << crosvisor::sentence_of(why) << std::endl;
      });
  self->request(vm, start_bound, crosvisor::start_atom::value)
    .then([](const crosvisor::vm_info&) {},
          [](const caf::error& why) { fail(crosvisor::sentence_of(why)); });
  return {
    [self](const crosvisor::vm_event& event) {
      show(event);
      self->state.dead = event.kind == crosvisor::vm_event_kind::dead;
      if (self->state.dead && !self->state.has_output)
        self->quit();
    },
    [self, vm](const crosvisor::output_chunk& piece) {
      std::cout << piece.bytes << std::flush;
      self->send(vm, crosvisor::credit_atom::value, static_cast<std::uint64_t>(piece.bytes.size()));
      self->state.has_output = !piece.last;
      if (self->state.dead && piece.last)
        self->quit();
    },
  };
}

/// Runs the VM to its end.
int run(caf::actor_system& system, const crosvisor::service_actor& service,
        crosvisor::vm_config config, crosvisor::vm_files files) {
  caf::scoped_actor self{system};
  crosvisor::vm_actor vm;
  std::string problem;
  auto failed = [&](const caf::error& why) { problem = crosvisor::sentence_of(why); };
  self
    ->request(service, answer_bound, crosvisor::create_atom::value, std::move(config),
              std::move(files))
    .receive([&](crosvisor::vm_actor& made, const crosvisor::vm_info&) { vm = std::move(made); },
             failed);
  if (!problem.empty())
    return fail(problem);
  auto follower = self->spawn<caf::monitored>(viewer, vm);
  self->receive([](const caf::down_msg&) {});
  // A dead one is remembered for a while.
  auto ended_well = false;
  self->request(vm, answer_bound, caf::get_atom::value, crosvisor::state_atom::value)
    .receive(
      [&](const crosvisor::vm_info& info) {
        ended_well =
          info.reason == crosvisor::death_reason::shutdown && info.payload.exit_code == 0;
      },
      failed);
  return ended_well ? 0 : 1;
}

/// Ends what is left, so that the process leaves no VM behind.
void drain(caf::actor_system& system, const crosvisor::service_actor& service) {
  caf::scoped_actor self{system};
  self->request(service, grace + start_bound, crosvisor::drain_atom::value, caf::timespan{grace})
    .receive([](caf::ok_atom) {}, [](const caf::error& why) { fail(crosvisor::sentence_of(why)); });
  self->send_exit(service, caf::exit_reason::user_shutdown);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: crosvisor-embed CONFIG.json\n";
    return 2;
  }
  auto config = crosvisor::io::load_vm_config(argv[1]);
  if (!config)
    return fail(config.why().what);
  auto files = crosvisor::io::open_vm_files(*config, crosvisor::io::folder_of(argv[1]));
  if (!files)
    return fail(files.why().what);
  auto options = crosvisor::find_service_options(crosvisor::process_environment(), ::geteuid());
  if (!options)
    return fail(options.why().what);
  // The host goes after the actor system, which uses it to its end.
  auto host = crosvisor::service_host::make(std::move(*options));
  if (!host)
    return fail(host.why().what);
  caf::actor_system_config system_config;
  crosvisor::register_types(system_config);
  caf::actor_system system{system_config};
  auto service = crosvisor::spawn_service(system, **host);
  auto status = run(system, service, std::move(*config), std::move(*files));
  drain(system, service);
  return status;
}
