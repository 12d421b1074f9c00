// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/service_signals.hpp"

#include "crosvisor/tests/io/in_child.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.service_signals

using namespace crosvisor;
using namespace crosvisor::tests;

CAF_TEST(signals are read where they would have killed) {
  auto said = said_in_child([] {
    io::block_service_signals();
    auto signals = io::open_service_signals();
    std::string numbers;
    auto read = [&] {
      while (auto signal = io::read_signal(signals->get()))
        numbers += std::to_string(*signal) + ' ';
    };
    read();
    // To the process, whose threads all have them blocked.
    std::thread{[] { ::kill(::getpid(), SIGHUP); }}.join();
    read();
    ::kill(::getpid(), SIGTERM);
    ::kill(::getpid(), SIGPIPE);
    read();
    ::kill(::getpid(), SIGINT);
    read();
    return numbers;
  });
  CAF_CHECK_EQUAL(said, "1 15 2 ");
}
