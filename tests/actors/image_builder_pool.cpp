// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/image_builder_pool.hpp"

#include "crosvisor/tests/actors/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.image_builder_pool

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : actor_fixture {
  image_builder_pool_actor pool = spawn_pool();

  fixture() { settle(); }

  static image_job vm_job(const std::string& name = "demo") {
    io::vm_images vm{small_vm(name), {}, std::make_shared<io::descriptor_set>()};
    return std::make_shared<const io::image_job>(io::image_job{std::move(vm)});
  }

  std::shared_ptr<outcome<image_product>> build(image_job job = vm_job()) {
    return ask<image_product>(pool, job_atom::value, std::move(job));
  }

  /// Files to work on, as a client passes them.
  static vm_files two_files() {
    auto files = std::make_shared<io::descriptor_set>();
    for (int i = 0; i < 2; ++i)
      files->add(io::unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)});
    return files;
  }

  std::shared_ptr<outcome<caf::ok_atom>> make_partition(std::uint64_t size,
                                                        vm_files files = two_files()) {
    return ask<caf::ok_atom>(pool, create_atom::value,
                             partition_spec{partition_type::raw, size, {"p.img", 0}}, files);
  }

  std::shared_ptr<outcome<idsig_info>> digest(progress_actor progress = {}) {
    idsig_spec spec{false, {"a.apk", 0}, {"a.idsig", 1}};
    return ask<idsig_info>(pool, create_atom::value, spec, two_files(), progress);
  }

  std::string done() const {
    std::string words;
    for (const auto& job : builder->jobs)
      words += (words.empty() ? "" : ", ") + job;
    return words;
  }
};

std::string said(const caf::error& why) {
  return to_string(static_cast<vm_errc>(why.code())) + ": " + sentence_of(why);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_builder_pool_tests, fixture)

CAF_TEST(each kind of job is done and answered with what it made) {
  auto built = build()->get();
  CAF_REQUIRE(std::holds_alternative<io::built_vm_images>(built->what));
  CAF_CHECK_EQUAL(std::get<io::built_vm_images>(built->what).config.name, "demo");
  CAF_CHECK(make_partition(4096)->value.has_value());
  auto info = digest()->get();
  CAF_CHECK_EQUAL(info.apk_bytes, 4096u);
  CAF_CHECK_EQUAL(done(), "vm demo, partition 4096, idsig");
}

CAF_TEST(a failure says whose fault it is) {
  builder->fails = io::failure{0, "disks[0]: has no room"};
  CAF_CHECK_EQUAL(said(build()->why()), "invalid_config: disks[0]: has no room");
  builder->fails = io::failure{28, "write: No space left on device"};
  CAF_CHECK_EQUAL(said(make_partition(1)->why()), "io_failed: write: No space left on device");
  builder->fails.reset();
  CAF_CHECK(build()->value.has_value());
}

CAF_TEST(what can be refused at once reaches no worker) {
  CAF_CHECK_EQUAL(said(make_partition(0)->why()),
                  "invalid_config: size: 0; a partition has at least one byte");
  CAF_CHECK_EQUAL(said(make_partition(1, nullptr)->why()),
                  "invalid_config: files: the descriptors are missing");
  CAF_CHECK_EQUAL(said(make_partition(1, std::make_shared<io::descriptor_set>())->why()),
                  "invalid_config: partition: came without a descriptor");
  CAF_CHECK(builder->jobs.empty());
}

CAF_TEST(a job that throws fails alone) {
  builder->during = [](const io::job_control&) { throw std::bad_alloc{}; };
  CAF_CHECK_EQUAL(said(build()->why()), "io_failed: image builder: std::bad_alloc");
  builder->during = [](const io::job_control&) {};
  CAF_CHECK(build()->value.has_value());
}

CAF_TEST(a bug in a job costs that job and its worker which is replaced) {
  auto single = spawn_pool(1, 8);
  settle();
  builder->during = [](const io::job_control&) { throw 42; };
  auto job = vm_job();
  auto lost = ask<image_product>(single, job_atom::value, job);
  CAF_CHECK_EQUAL(said(lost->why()), "io_failed: the image builder was lost");
  CAF_CHECK(job->control->cancelled());
  builder->during = [](const io::job_control&) {};
  CAF_CHECK(ask<image_product>(single, job_atom::value, vm_job())->value.has_value());
}

CAF_TEST(progress goes to whoever asked for it) {
  auto told = std::make_shared<std::vector<std::uint64_t>>();
  auto bar = ends_with_test(sys.spawn([=](progress_actor::pointer) {
    return progress_actor::behavior_type{
      [=](const job_progress& far) { told->push_back(far.done_bytes); }};
  }));
  builder->during = [](const io::job_control& control) {
    control.report(1024, 4096);
    control.report(4096, 4096);
  };
  CAF_CHECK(digest(bar)->value.has_value());
  CAF_REQUIRE_EQUAL(told->size(), 2u);
  CAF_CHECK_EQUAL(told->back(), 4096u);
}

CAF_TEST(a cancelled job ends as cancelled) {
  auto job = vm_job();
  job->control->cancel();
  CAF_CHECK_EQUAL(said(build(job)->why()), "cancelled: the job was cancelled");
  CAF_CHECK(builder->jobs.empty());
}

CAF_TEST(whoever goes down has its jobs cancelled) {
  auto single = spawn_pool(1, 8);
  settle();
  auto first = vm_job("first");
  auto second = vm_job("second");
  sys.spawn([=](caf::event_based_actor* client) {
    client->send(single, job_atom::value, first);
    client->send(single, job_atom::value, second);
    client->quit(caf::exit_reason::user_shutdown);
  });
  settle();
  CAF_CHECK(second->control->cancelled());
  CAF_CHECK(done() == "" || done() == "vm first");
  CAF_CHECK(ask<image_product>(single, job_atom::value, vm_job("third"))->value.has_value());
}

CAF_TEST(too many jobs are refused and the others wait their turn) {
  // Nobody runs while the requests are sent, so no worker takes one before the last is there.
  auto full = spawn_pool(1, 2);
  settle();
  auto refused = std::make_shared<int>(0);
  auto made = std::make_shared<int>(0);
  sys.spawn([=](caf::event_based_actor* client) {
    for (int i = 0; i < 5; ++i)
      client->request(full, test_timeout, job_atom::value, vm_job())
        .then([=](const image_product&) { ++*made; },
              [=](const caf::error& why) {
                CAF_CHECK_EQUAL(why.code(), static_cast<std::uint8_t>(vm_errc::busy));
                ++*refused;
              });
  });
  settle();
  CAF_CHECK_EQUAL(*made, 3);
  CAF_CHECK_EQUAL(*refused, 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
