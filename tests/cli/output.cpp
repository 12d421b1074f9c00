// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/line_writer.hpp"
#include "crosvisor/cli/output_file.hpp"
#include "crosvisor/cli/signal_watch.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#undef CAF_SUITE
#define CAF_SUITE cli.output

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto bound = 10s;

struct fixture {
  fixture() {
    std::string pattern = fs::temp_directory_path() / "crosvisor-test-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    std::signal(SIGPIPE, SIG_IGN);
  }

  ~fixture() { fs::remove_all(folder); }

  std::string content(const char* name) {
    std::ifstream file{folder / name};
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }

  std::string problem(const std::string& path) {
    auto opened = open_output(path, inputs);
    return opened ? "" : opened.why().what;
  }

  fs::path folder;
  io::descriptor_set inputs;
};

struct pipe_ends {
  pipe_ends() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) == 0) {
      read = io::unique_fd{fds[0]};
      write = io::unique_fd{fds[1]};
    }
  }
  io::unique_fd read, write;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(output_tests, fixture)

CAF_TEST(an output file is private and emptied) {
  auto path = (folder / "console.txt").string();
  std::ofstream{path} << "old";
  CAF_CHECK_EQUAL(problem(path), "");
  CAF_CHECK_EQUAL(content("console.txt"), "");
  CAF_CHECK_EQUAL(problem((folder / "new.txt").string()), "");
  struct stat info {};
  CAF_REQUIRE_EQUAL(::stat((folder / "new.txt").c_str(), &info), 0);
  CAF_CHECK_EQUAL(info.st_mode & 0777u, 0600u);
}

CAF_TEST(an output that can not be had is named) {
  auto fifo = (folder / "fifo").string();
  ::mkfifo(fifo.c_str(), 0600);
  CAF_CHECK_EQUAL(problem(fifo), '"' + fifo + "\": is a FIFO that nobody reads, or a socket");
  CAF_CHECK_EQUAL(problem("/"), "\"/\": is a directory");
  CAF_CHECK_EQUAL(problem("/nonexistent/x"), "\"/nonexistent/x\": no such folder");
}

CAF_TEST(a file that the VM is made of is not emptied) {
  auto path = (folder / "disk.img").string();
  std::ofstream{path} << "precious";
  inputs.add(io::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)});
  CAF_CHECK_EQUAL(problem(path),
                  '"' + path + "\": is a disk or a file of the VM's; give another one");
  CAF_CHECK_EQUAL(content("disk.img"), "precious");
}

CAF_TEST(lines arrive in their order) {
  auto opened = open_output((folder / "lines").string(), inputs);
  CAF_REQUIRE(static_cast<bool>(opened));
  line_writer writer{std::move(*opened)};
  for (auto line : {"one", "two", "three"})
    writer.add(line);
  CAF_CHECK(writer.flush(bound));
  CAF_CHECK_EQUAL(content("lines"), "one\ntwo\nthree\n");
}

CAF_TEST(a reader that is gone swallows the rest) {
  pipe_ends pipe;
  pipe.read.reset();
  line_writer writer{std::move(pipe.write)};
  writer.add("one");
  CAF_CHECK(!writer.flush(bound));
  CAF_CHECK(writer.broken());
  writer.add("two");
  CAF_CHECK(!writer.flush(bound));
}

CAF_TEST(a reader that stands still holds nobody up) {
  pipe_ends pipe;
  line_writer writer{pipe.write.get()};
  for (int i = 0; i < 2000; ++i)
    writer.add(std::string(1000, 'x'));
  CAF_CHECK(!writer.flush(1ms));
  CAF_CHECK(!writer.broken());
  // Lets the writer's thread go before its descriptor does.
  pipe.read.reset();
  CAF_CHECK(!writer.flush(bound));
}

CAF_TEST(signals are heard on a thread and end nothing) {
  // In a process of its own, since a signal ends a process if one of its threads lets it.
  auto child = ::fork();
  if (child == 0) {
    block_ending_signals();
    std::promise<int> heard;
    auto number = heard.get_future();
    auto watch = signal_watch::start([&](int which) { heard.set_value(which); });
    ::kill(::getpid(), SIGHUP);
    bool ok =
      watch && number.wait_for(bound) == std::future_status::ready && number.get() == SIGHUP;
    if (watch)
      watch->reset();
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  CAF_CHECK_EQUAL(status, 0);
}

CAF_TEST(a signal that was ignored from the beginning stays so) {
  auto child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    block_ending_signals();
    std::promise<int> heard;
    auto number = heard.get_future();
    auto watch = signal_watch::start([&](int which) { heard.set_value(which); });
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGTERM);
    bool ok =
      watch && number.wait_for(bound) == std::future_status::ready && number.get() == SIGTERM;
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  CAF_CHECK_EQUAL(status, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
