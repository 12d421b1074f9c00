// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/image_queue.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE actors.image_queue

using namespace crosvisor::actors;
using urgency = image_queue::urgency;

namespace {

/// All that may run now, in order.
std::string run_all(image_queue& queue) {
  std::string jobs;
  while (auto job = queue.next())
    jobs += (jobs.empty() ? "" : " ") + std::to_string(*job);
  return jobs;
}

} // namespace

CAF_TEST(images of vms go before files and otherwise first come is first served) {
  image_queue queue{4, 8};
  queue.add(1, urgency::file);
  queue.add(2, urgency::vm);
  queue.add(3, urgency::file);
  queue.add(4, urgency::vm);
  CAF_CHECK_EQUAL(run_all(queue), "2 4 1 3");
}

CAF_TEST(one worker is kept from files) {
  image_queue queue{3, 8};
  for (std::uint64_t job = 1; job <= 4; ++job)
    queue.add(job, urgency::file);
  CAF_CHECK_EQUAL(run_all(queue), "1 2");
  queue.add(5, urgency::vm);
  CAF_CHECK_EQUAL(run_all(queue), "5");
  queue.remove(1);
  CAF_CHECK_EQUAL(run_all(queue), "3");
}

CAF_TEST(a single worker does files too) {
  image_queue queue{1, 8};
  queue.add(1, urgency::file);
  queue.add(2, urgency::file);
  CAF_CHECK_EQUAL(run_all(queue), "1");
  queue.remove(1);
  CAF_CHECK_EQUAL(run_all(queue), "2");
}

CAF_TEST(more than may wait are refused) {
  image_queue queue{2, 2};
  CAF_CHECK(queue.add(1, urgency::vm));
  CAF_CHECK(queue.add(2, urgency::file));
  CAF_CHECK(!queue.add(3, urgency::vm));
  CAF_CHECK_EQUAL(run_all(queue), "1 2");
  CAF_CHECK(queue.add(4, urgency::vm));
}

CAF_TEST(a job that waits no longer is not run) {
  image_queue queue{2, 8};
  queue.add(1, urgency::vm);
  queue.add(2, urgency::vm);
  queue.remove(1);
  queue.remove(7);
  CAF_CHECK_EQUAL(queue.waiting(), 1u);
  CAF_CHECK_EQUAL(run_all(queue), "2");
}
