// SPDX-License-Identifier: Apache-2.0
// Connections to a guest's ports.
#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_connect

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using connecting = std::shared_ptr<outcome<vsock_socket>>;

connecting open_port(supervised_vm& vm, std::uint32_t port, caf::timespan bound = 0s) {
  return vm.ask<vsock_socket>(vm.vm, caf::connect_atom::value, port, bound);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_connect_tests, supervised_vm)

CAF_TEST(a connection is handed to who asked for it) {
  start_and_run();
  auto asked = open_port(*this, 5555);
  CAF_REQUIRE_EQUAL(vmm().connects.size(), 1u);
  CAF_CHECK_EQUAL(vmm().connects[0].port, 5555u);
  CAF_CHECK(asked->pending());
  auto socket = std::make_shared<io::unique_fd>();
  vmm().connects[0].done(socket);
  settle();
  CAF_CHECK(asked->get() == socket);
}

CAF_TEST(the bound is five seconds unless it is told and always a possible one) {
  start_and_run();
  for (auto [wanted, used] :
       {std::pair{caf::timespan{0s}, 5000ms}, std::pair{caf::timespan{-1s}, 5000ms},
        std::pair{caf::timespan{20s}, 20000ms}, std::pair{caf::timespan{1}, 1ms},
        std::pair{caf::timespan{100h}, 3600000ms}}) {
    open_port(*this, 5555, wanted);
    CAF_CHECK(vmm().connects.back().bound == used);
  }
}

CAF_TEST(each failure is an error of its own) {
  start_and_run();
  for (auto [code, errc] :
       {std::pair{ECONNREFUSED, vm_errc::connection_refused},
        std::pair{ETIMEDOUT, vm_errc::timed_out}, std::pair{ENOTCONN, vm_errc::wrong_state},
        std::pair{ENODEV, vm_errc::unsupported}, std::pair{EMFILE, vm_errc::io_failed}}) {
    auto asked = open_port(*this, 5555);
    vmm().connects.back().done(io::failure{code, "port 5555: no"});
    settle();
    CAF_CHECK_EQUAL(asked->why(), errc);
    CAF_CHECK_EQUAL(sentence_of(asked->why()), "port 5555: no");
  }
}

CAF_TEST(only a running vm is connected to) {
  CAF_CHECK_EQUAL(open_port(*this, 5555)->why(), vm_errc::wrong_state);
  start();
  CAF_CHECK_EQUAL(open_port(*this, 5555)->why(), vm_errc::wrong_state);
  vmm().callbacks.on_up(1);
  settle();
  stop();
  CAF_CHECK_EQUAL(sentence_of(open_port(*this, 5555)->why()),
                  "can't connect to VM 2048: it is started and being stopped");
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(open_port(*this, 5555)->why(), vm_errc::wrong_state);
  CAF_CHECK(vmm().connects.empty());
}

CAF_TEST(privileged ports need their right) {
  start_and_run();
  CAF_CHECK_EQUAL(open_port(*this, 22)->why(), vm_errc::denied);
  CAF_CHECK_EQUAL(open_port(*this, 1023)->why(), vm_errc::denied);
  CAF_CHECK(open_port(*this, 1024)->pending());
  supervised_vm trusted{small_vm("demo"), {}, true};
  trusted.start_and_run();
  CAF_CHECK(open_port(trusted, 22)->pending());
  CAF_CHECK_EQUAL(trusted.vmm().connects.at(0).port, 22u);
}

CAF_TEST(without vsock it is unsupported) {
  supervised_vm bare{small_vm("demo"), {}, false, false};
  bare.start_and_run();
  CAF_CHECK_EQUAL(open_port(bare, 5555)->why(), vm_errc::unsupported);
  CAF_CHECK(bare.vmm().connects.empty());
}

CAF_TEST(an answer after death still comes) {
  start_and_run();
  auto asked = open_port(*this, 5555);
  exit_with(death_reason::shutdown);
  vmm().connects[0].done(io::failure{ENOTCONN, "the VM does not run"});
  settle();
  CAF_CHECK_EQUAL(asked->why(), vm_errc::wrong_state);
}

CAF_TEST_FIXTURE_SCOPE_END()
