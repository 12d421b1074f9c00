// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_supervisor.hpp"

#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_images

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

vm_config vm_of_partitions() {
  auto config = actor_fixture::small_vm("demo");
  config.disks.resize(1);
  config.disks[0].partitions.push_back({"boot", {"boot.img", 1}, image_format::raw, false, ""});
  return config;
}

struct fixture : supervised_vm {
  fixture() : supervised_vm(vm_of_partitions()) {}
};

/// The same VM, whose images are made when the test says so.
struct waiting_vm : actor_fixture {
  using promise = caf::typed_response_promise<image_product>;

  std::shared_ptr<image_job> job = std::make_shared<image_job>();
  std::shared_ptr<promise> answer = std::make_shared<promise>();
  image_builder_pool_actor slow_pool = ends_with_test(spawn_slow_pool());
  vm_actor vm;
  told_events told;

  waiting_vm() {
    auto config = vm_of_partitions();
    vm = caf::actor_cast<vm_actor>(ends_with_test(
      sys.spawn(actors::vm_supervisor,
                actors::vm_supervisor_options{
                  {2048, config, {}, std::make_shared<io::descriptor_set>(), nullptr, nullptr},
                  actors::describe_new_vm(2048, config, {}),
                  launcher,
                  timeouts,
                  ends_with_test(spawn_registry()),
                  nullptr,
                  false,
                  slow_pool})));
    told = listen(vm);
  }

  image_builder_pool_actor spawn_slow_pool() {
    return sys.spawn([job = job, answer = answer](image_builder_pool_actor::pointer pool) {
      return image_builder_pool_actor::behavior_type{
        [=](job_atom, const image_job& what) -> caf::result<image_product> {
          *job = what;
          *answer = pool->make_response_promise<image_product>();
          return *answer;
        },
        [](caf::get_atom, metrics_atom) { return std::vector<metric_family>{}; },
        [](create_atom, const partition_spec&, const vm_files&) { return caf::ok_atom::value; },
        [](create_atom, const idsig_spec&, const vm_files&, const progress_actor&) {
          return idsig_info{};
        },
        [](worker_atom, const image_builder_actor&) {},
        [=](finished_atom, std::uint64_t, const image_product& made) { answer->deliver(made); },
        [=](failed_atom, std::uint64_t, const caf::error& why) { answer->deliver(why); },
      };
    });
  }

  std::shared_ptr<outcome<vm_info>> start() { return ask<vm_info>(vm, start_atom::value); }

  std::shared_ptr<outcome<vm_info>> stop() {
    return ask<vm_info>(vm, stop_atom::value, caf::timespan{1s});
  }

  bool cancelled() const { return (*job)->control->cancelled(); }

  void build_fails(vm_errc code) {
    caf::anon_send(slow_pool, failed_atom::value, std::uint64_t{1},
                   caf::make_error(code, "the job was cancelled"));
    settle();
  }

  void build_succeeds() {
    io::built_vm_images images{vm_of_partitions(),
                               {},
                               std::make_shared<io::descriptor_set>(),
                               std::make_shared<const io::built_disks>()};
    caf::anon_send(slow_pool, finished_atom::value, std::uint64_t{1},
                   std::make_shared<io::image_product>(io::image_product{std::move(images)}));
    settle();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_images_tests, fixture)

CAF_TEST(images are made before the vmm is started) {
  builder->expand = [](io::vm_images& images) {
    images.config.memory_mib = 512;
    images.choice = {vmm_kind::crosvm, accel_kind::kvm, false};
  };
  auto started = start();
  CAF_REQUIRE_EQUAL(builder->jobs.size(), 1u);
  CAF_CHECK_EQUAL(builder->jobs[0], "vm demo");
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  CAF_CHECK(vmm().request.disks != nullptr);
  CAF_CHECK_EQUAL(vmm().request.config.memory_mib, 512u);
  CAF_CHECK(vmm().request.choice.vmm == vmm_kind::crosvm);
  CAF_CHECK_EQUAL(told->back().detail, "crosvm, kvm, 1 cpu, 512 MiB");
  CAF_REQUIRE_EQUAL(told->back().steps.size(), 1u);
  CAF_CHECK_EQUAL(told->back().steps[0].name, "images");
  vmm().callbacks.on_up(1);
  settle();
  CAF_CHECK(started->value.has_value());
  CAF_CHECK_EQUAL(story(), "created starting started");
}

CAF_TEST(a vm without partitions has nothing made) {
  supervised_vm plain;
  plain.start();
  CAF_CHECK(plain.builder->jobs.empty());
  CAF_CHECK_EQUAL(plain.launcher->launched.size(), 1u);
}

CAF_TEST(images that can not be made are a death with their reason) {
  builder->fails = io::failure{0, "disks[0].partitions[0] \"boot.img\": is empty"};
  auto started = start();
  CAF_CHECK_EQUAL(started->why(), vm_errc::invalid_config);
  CAF_CHECK_EQUAL(sentence_of(started->why()), "disks[0].partitions[0] \"boot.img\": is empty");
  CAF_CHECK_EQUAL(story(), "created dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
  CAF_CHECK_EQUAL(told->back().detail, "disks[0].partitions[0] \"boot.img\": is empty");
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(a lost pool is a death that says so) {
  caf::anon_send_exit(pool, caf::exit_reason::kill);
  settle();
  auto started = start();
  CAF_CHECK_EQUAL(started->why(), vm_errc::io_failed);
  CAF_CHECK_EQUAL(story(), "created dead");
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_slow_images_tests, waiting_vm)

CAF_TEST(a stop while images are made waits for the builder and launches nothing) {
  auto started = start();
  auto stopped = stop();
  CAF_CHECK(cancelled());
  CAF_CHECK(stopped->pending());
  CAF_CHECK_EQUAL(start()->why(), vm_errc::wrong_state);
  build_fails(vm_errc::cancelled);
  CAF_REQUIRE(stopped->value.has_value());
  CAF_CHECK_EQUAL(to_string(stopped->value->reason), "killed");
  CAF_CHECK_EQUAL(started->why(), vm_errc::start_failed);
  CAF_CHECK_EQUAL(told->back().detail, "stopped before it was started");
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(images that are there in spite of a stop are let go of) {
  start();
  auto stopped = stop();
  build_succeeds();
  CAF_CHECK(stopped->value.has_value());
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(a stop does not wait for a builder that is stuck) {
  start();
  auto stopped = stop();
  pass(timeouts.cancel);
  CAF_CHECK(stopped->value.has_value());
  // What comes after the death changes nothing.
  build_succeeds();
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(images that take too long are given up) {
  auto started = start();
  pass(timeouts.build);
  CAF_CHECK(cancelled());
  build_fails(vm_errc::cancelled);
  CAF_CHECK_EQUAL(started->why(), vm_errc::timed_out);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
  CAF_CHECK_EQUAL(told->back().detail, "the VM's images were not made in time");
}

CAF_TEST(a supervisor that goes down cancels what it had asked for) {
  start();
  caf::anon_send_exit(vm, caf::exit_reason::kill);
  settle();
  CAF_CHECK(cancelled());
}

CAF_TEST_FIXTURE_SCOPE_END()
