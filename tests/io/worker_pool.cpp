// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/worker_pool.hpp"

#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>
#include <csignal>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE io.worker_pool

using namespace crosvisor::io;
using namespace crosvisor::tests;

CAF_TEST(everything that was posted is run) {
  std::atomic<int> runs = 0;
  {
    worker_pool pool{3};
    for (auto i = 0; i < 500; ++i)
      pool.post([&] { ++runs; });
  }
  CAF_CHECK_EQUAL(runs.load(), 500);
}

CAF_TEST(one thread runs tasks in their order) {
  std::vector<int> order;
  {
    worker_pool pool{1};
    for (auto i = 0; i < 100; ++i)
      pool.post([&, i] { order.push_back(i); });
  }
  CAF_CHECK_EQUAL(order.size(), 100u);
  CAF_CHECK(std::is_sorted(order.begin(), order.end()));
}

CAF_TEST(slow tasks keep no other waiting until all threads are slow) {
  mailbox<std::thread::id> done;
  std::latch slow{1};
  worker_pool pool{3};
  pool.post([&] { slow.wait(); });
  pool.post([&] { slow.wait(); });
  for (auto i = 0; i < 10; ++i)
    pool.post([&] { done.put(std::this_thread::get_id()); });
  auto ids = done.wait(10);
  slow.count_down();
  CAF_CHECK_EQUAL(ids.size(), 10u);
  CAF_CHECK_EQUAL(std::set<std::thread::id>(ids.begin(), ids.end()).size(), 1u);
}

CAF_TEST(a task may post another while the pool ends) {
  std::atomic<bool> ran = false;
  {
    worker_pool pool{2};
    pool.post([&] { pool.post([&] { ran = true; }); });
  }
  CAF_CHECK(ran);
}

CAF_TEST(threads have every signal blocked but those of faults) {
  mailbox<sigset_t> masks;
  worker_pool pool{1};
  pool.post([&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    masks.put(mask);
  });
  auto mask = masks.wait(1).front();
  CAF_CHECK(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE));
  CAF_CHECK(!sigismember(&mask, SIGSEGV));
}

CAF_TEST(a pool without threads has its tasks run by a loop) {
  event_loop loop{event_loop::on_this_thread{}};
  worker_pool pool{loop};
  std::vector<int> order;
  std::thread::id where;
  pool.post([&] {
    order.push_back(1);
    where = std::this_thread::get_id();
    pool.post([&] { order.push_back(3); });
    loop.post([&] { loop.stop(); });
  });
  pool.post([&] { order.push_back(2); });
  CAF_CHECK(order.empty());
  CAF_CHECK(loop.runs_here());
  loop.run();
  CAF_CHECK_EQUAL(order, (std::vector<int>{1, 2, 3}));
  CAF_CHECK(where == std::this_thread::get_id());
}

CAF_TEST(a pool that ends before its loop has run its tasks) {
  event_loop loop{event_loop::on_this_thread{}};
  bool ran = false;
  {
    worker_pool pool{loop};
    pool.post([&] { ran = true; });
  }
  CAF_CHECK(ran);
  loop.post([&] { loop.stop(); });
  loop.run();
}

CAF_TEST(a thread is made when it is needed) {
  mailbox<std::thread::id> done;
  worker_pool pool{worker_pool::when_needed{}, 1};
  for (int i = 0; i < 3; ++i)
    pool.post([&] { done.put(std::this_thread::get_id()); });
  auto ids = done.wait(3);
  CAF_REQUIRE_EQUAL(ids.size(), 3u);
  CAF_CHECK(ids.front() != std::this_thread::get_id());
  CAF_CHECK_EQUAL(std::set<std::thread::id>(ids.begin(), ids.end()).size(), 1u);
}
