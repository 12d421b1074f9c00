// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/logging.hpp"

#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.logging

using namespace crosvisor;

namespace {

// What a process of its own writes to standard error, where the journal reads or doesn't. The
// logger looks once, with its first line.
template <class Task>
std::string logged(bool journal, Task task) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  auto child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    struct stat is;
    ::fstat(STDERR_FILENO, &is);
    auto stream = std::to_string(is.st_dev) + ":" + std::to_string(is.st_ino + (journal ? 0 : 1));
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    task();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text(4096, '\0');
  ::waitpid(child, nullptr, 0);
  auto got = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

void one_of_each() {
  log::debug("vm {} was looked at", 1);
  log::info("vm {} started vmm pid {}", 2048, 4711);
  log::warn("vm {} lost bytes", 2048);
  log::error("vm {} failed", 2048);
}

} // namespace

CAF_TEST(the journal gets priorities and no times) {
  auto text = logged(true, [] {
    log::set_level(log::level::debug);
    one_of_each();
  });
  CAF_CHECK_EQUAL(text, "<7>vm 1 was looked at\n<6>vm 2048 started vmm pid 4711\n"
                        "<4>vm 2048 lost bytes\n<3>vm 2048 failed\n");
}

CAF_TEST(people get times and no priorities) {
  auto text = logged(false, [] { log::error("vm {} failed", 2048); });
  CAF_MESSAGE(text);
  // Digits as they are in 2026-11-24T07:30:00.123.
  for (auto& byte : text)
    byte = byte >= '0' && byte <= '9' ? '0' : byte;
  CAF_CHECK_EQUAL(text, "0000-00-00T00:00:00.000 error vm 0000 failed\n");
}

CAF_TEST(lines below the level are dropped) {
  auto lines = [](log::level least) {
    auto text = logged(true, [&] {
      log::set_level(least);
      one_of_each();
    });
    return std::count(text.begin(), text.end(), '\n');
  };
  CAF_CHECK_EQUAL(lines(log::level::info), 3);
  CAF_CHECK_EQUAL(lines(log::level::warn), 2);
  CAF_CHECK_EQUAL(lines(log::level::error), 1);
  CAF_CHECK_EQUAL(lines(log::level::off), 0);
  CAF_CHECK_EQUAL(logged(true, one_of_each), "<4>vm 2048 lost bytes\n<3>vm 2048 failed\n");
}

CAF_TEST(braces of a value are no format) {
  auto text = logged(true, [] { log::error("vm \"{}\" failed", "{}%v%n"); });
  CAF_CHECK_EQUAL(text, "<3>vm \"{}%v%n\" failed\n");
}

CAF_TEST(a line about a vm reads like any other) {
  auto text = logged(true, [] { log::error({2048, "demo"}, "vm {} failed", 2048); });
  CAF_CHECK_EQUAL(text, "<3>vm 2048 failed\n");
}

CAF_TEST(lines go to a writer with the vm that they are about) {
  auto text = logged(true, [] {
    log::write_to([](log::level of, const log::about_vm* vm, std::string_view line) {
      auto words = fmt::format("{} {} {}: {}\n", static_cast<int>(of), vm ? vm->cid : 0,
                               vm ? vm->name : "-", line);
      ::write(STDERR_FILENO, words.data(), words.size());
    });
    log::warn({2048, "demo"}, "vm {} lost bytes", 2048);
    log::info({2048, "demo"}, "below the level");
    log::error("no vm");
    log::write_to(nullptr);
    log::error("as before");
  });
  CAF_CHECK_EQUAL(text, "2 2048 demo: vm 2048 lost bytes\n3 0 -: no vm\n<3>as before\n");
}
