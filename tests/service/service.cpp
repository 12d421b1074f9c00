// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/service.hpp"

#include "crosvisor/tests/actors/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.service

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : actor_fixture {
  io::backend host;
  service_actor service;
  vm_actor vm;

  fixture() {
    host.host.memory_mib = 1024;
    host.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "QEMU 7.2", {true, ""}, {}}};
    host.host.protected_vms = {false, "no pKVM"};
    host.host.disk_server = {true, "composite.so"};
    host.launcher = launcher;
    host.cids = claimer;
    host.last_cid = last_cid;
    host.streams = streams;
    host.vsock = listener;
    host.images = builder;
    service = ends_with_test(spawn_service(sys, host, options()));
    settle();
  }

  /// Without threads, of which a deterministic scheduler must not hear.
  static service_options options() {
    service_options deterministic;
    deterministic.detached_image_builders = false;
    return deterministic;
  }

  /// The acceptor finds no memory so often, one after the other.
  void kill_acceptors(int times) {
    listener->throws = times;
    listener->callbacks.on_lost(payload_output_port, "lost");
    settle();
    pass(1s);
  }

  /// `3000 yes, 5000 no (why)`
  std::string ports(const service_actor& of) {
    auto answer = ask<host_info>(of, caf::get_atom::value, host_atom::value)->get();
    std::string words;
    for (const auto& [port, served] : answer.vsock_ports)
      words += (words.empty() ? "" : ", ") + std::to_string(port)
               + (served.available ? " yes" : " no (" + served.detail + ")");
    return words;
  }

  /// The new VM's name, or the error's code and sentence.
  std::string create(const vm_config& config,
                     vm_files files = std::make_shared<io::descriptor_set>()) {
    auto said = std::make_shared<std::string>();
    auto made = std::make_shared<vm_actor>();
    sys.spawn([=, this](caf::event_based_actor* asker) {
      asker->request(service, test_timeout, create_atom::value, config, files)
        .then(
          [=](const vm_actor& handle, const vm_info& info) {
            *made = handle;
            *said = info.name;
          },
          [=](caf::error& why) {
            *said = to_string(static_cast<vm_errc>(why.code())) + ": " + sentence_of(why);
          });
    });
    settle();
    vm = *made;
    return *said;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(service_tests, fixture)

CAF_TEST(a good request is passed on to the registry) {
  CAF_CHECK_EQUAL(create(small_vm("demo")), "demo");
  CAF_CHECK_EQUAL(ask<vm_actor>(service, caf::get_atom::value, vm_name{"demo"})->get(), vm);
  CAF_CHECK_EQUAL(ask<vm_actor>(service, caf::get_atom::value, vm_cid{2048})->get(), vm);
  CAF_CHECK_EQUAL(ask<std::vector<vm_info>>(service, list_atom::value)->get().size(), 1u);
}

CAF_TEST(a bad request allocates nothing) {
  auto config = small_vm();
  config.memory_mib = 0;
  CAF_CHECK_EQUAL(create(config),
                  "invalid_config: memory_mib: 0 is out of range; allowed is 16 to 4194304");
  CAF_CHECK_EQUAL(create(small_vm(), nullptr),
                  "invalid_config: files: the descriptors are missing");
  config = small_vm();
  config.protected_vm = true;
  CAF_CHECK_EQUAL(create(config), "unsupported: protected: this host can't: no pKVM");
  CAF_CHECK_EQUAL(last_cid->last, no_cid);
  CAF_CHECK(claimer->claimed.empty());
  CAF_CHECK(ask<std::vector<vm_info>>(service, list_atom::value)->get().empty());
}

CAF_TEST(what the host can do is told) {
  CAF_CHECK_EQUAL(ask<host_info>(service, caf::get_atom::value, host_atom::value)->get().memory_mib,
                  1024u);
}

CAF_TEST(a drained service creates none any more) {
  CAF_CHECK(ask<caf::ok_atom>(service, drain_atom::value, caf::timespan{10s})->value);
  CAF_CHECK_EQUAL(create(small_vm()), "shutting_down: the service is shutting down");
}

CAF_TEST(the end of the service kills what still runs) {
  create(small_vm());
  ask<vm_info>(vm, start_atom::value);
  std::weak_ptr<fake_vmm> vmm = launcher->launched.at(0);
  launcher->launched.clear();
  caf::anon_send_exit(service, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK(vmm.expired());
}

CAF_TEST(the ports of guests are told as they are) {
  CAF_CHECK_EQUAL(ports(service), "3000 yes, 5000 yes");
  listener->callbacks.on_lost(5000, "lost");
  settle();
  CAF_CHECK_EQUAL(ports(service), "3000 yes, 5000 no (lost)");
}

CAF_TEST(a host without vsock serves no ports and runs vms) {
  host.vsock = nullptr;
  auto bare = ends_with_test(spawn_service(sys, host, options()));
  settle();
  CAF_CHECK_EQUAL(ports(bare), "3000 no (this service has no vsock), "
                               "5000 no (this service has no vsock)");
  service = bare;
  create(small_vm());
  CAF_CHECK(ask<vm_info>(vm, start_atom::value)->pending());
  launcher->launched.at(0)->callbacks.on_up(1);
  settle();
  auto asked =
    ask<vsock_socket>(vm, caf::connect_atom::value, std::uint32_t{5555}, caf::timespan{0s});
  CAF_CHECK_EQUAL(asked->why(), vm_errc::unsupported);
}

CAF_TEST(guests ports below 1024 are a matter of the options) {
  auto trusting = options();
  trusting.privileged_ports = true;
  for (const auto& served : {options(), trusting}) {
    service = ends_with_test(spawn_service(sys, host, served));
    create(small_vm());
    ask<vm_info>(vm, start_atom::value);
    launcher->launched.back()->callbacks.on_up(1);
    settle();
    auto asked =
      ask<vsock_socket>(vm, caf::connect_atom::value, std::uint32_t{22}, caf::timespan{0s});
    CAF_CHECK_EQUAL(asked->pending(), served.privileged_ports);
  }
}

CAF_TEST(an acceptor that is lost has a successor) {
  kill_acceptors(1);
  CAF_CHECK_EQUAL(listener->opens, 2);
  CAF_CHECK_EQUAL(listener->closes, 1);
  CAF_CHECK_EQUAL(ports(service), "3000 yes, 5000 yes");
}

CAF_TEST(a service whose acceptors all die ends with an error) {
  create(small_vm());
  kill_acceptors(100);
  CAF_CHECK_EQUAL(listener->opens, 11);
  auto answer = ask<host_info>(service, caf::get_atom::value, host_atom::value);
  CAF_CHECK(static_cast<bool>(answer->why()));
}

CAF_TEST(the end of the service ends its acceptor) {
  caf::anon_send_exit(service, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK_EQUAL(listener->closes, 1);
}

CAF_TEST(the longest stop is the sum of its rungs) {
  CAF_CHECK_EQUAL(longest_stop({}, 10s), caf::timespan{33s});
}

CAF_TEST(partitions and digests are made by the image builders) {
  auto files = std::make_shared<io::descriptor_set>();
  for (int i = 0; i < 2; ++i)
    files->add(io::unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)});
  partition_spec partition{partition_type::instance, 4096, {"instance.img", 0}};
  CAF_CHECK(ask<caf::ok_atom>(service, create_atom::value, partition, files)->value.has_value());
  idsig_spec idsig{false, {"a.apk", 0}, {"a.apk.idsig", 1}};
  auto info = ask<idsig_info>(service, create_atom::value, idsig, files, progress_actor{})->get();
  CAF_CHECK_EQUAL(info.apk_bytes, 4096u);
  CAF_CHECK_EQUAL(builder->jobs.size(), 2u);
}

CAF_TEST(a vm of partitions is built by the image builders) {
  auto config = small_vm("parts");
  config.disks.resize(1);
  config.disks[0].partitions.push_back({"a", {"a.img", 0}, image_format::raw, false, ""});
  CAF_CHECK_EQUAL(create(config), "parts");
  ask<vm_info>(vm, start_atom::value);
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  CAF_CHECK(launcher->launched[0]->request.disks != nullptr);
}

CAF_TEST(a host without image builders says so) {
  host.images = nullptr;
  auto plain = ends_with_test(spawn_service(sys, host, options()));
  partition_spec partition{partition_type::raw, 4096, {"p.img", 0}};
  auto refused = ask<caf::ok_atom>(plain, create_atom::value, partition,
                                   vm_files{std::make_shared<io::descriptor_set>()});
  CAF_CHECK_EQUAL(refused->why(), vm_errc::unsupported);
}

CAF_TEST_FIXTURE_SCOPE_END()
