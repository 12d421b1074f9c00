// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/crash_files.hpp"

#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <future>

#undef CAF_SUITE
#define CAF_SUITE io.guest.crash_files

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  holdings before;
  temp_dir dir;
  std::optional<event_loop> loop{std::in_place, "test-crash"};
  std::shared_ptr<const unique_fd> folder =
    std::make_shared<const unique_fd>(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY));

  ~fixture() {
    loop.reset();
    folder = nullptr;
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  std::shared_ptr<crash_files> make(log_bounds bounds,
                                    std::chrono::milliseconds bound = std::chrono::minutes{10}) {
    return std::make_shared<crash_files>(
      *loop, 2048, [folder = folder] { return folder; }, bounds, bound);
  }

  /// Sends a file, and waits until its connection is closed.
  std::string send(crash_files& to, const std::string& content, bool whole = true) {
    connected_pair pair;
    to.take(std::move(pair.near));
    say(pair.far, content);
    if (whole)
      ::shutdown(pair.far.get(), SHUT_WR);
    auto heard = read_all(pair.far);
    settle();
    return heard;
  }

  /// Until what the loop has to do now is done.
  void settle() {
    std::promise<void> done;
    loop->post([&] { done.set_value(); });
    done.get_future().wait();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(crash_files_tests, fixture)

CAF_TEST(the newest files are kept and each byte of them) {
  auto files = make({1024, 3});
  for (const auto* content : {"first", "second", "third", "fourth"})
    CAF_CHECK_EQUAL(send(*files, content), "");
  CAF_CHECK_EQUAL(files->received(), 4u);
  CAF_CHECK_EQUAL(names_in(dir.path()), "crash.log crash.log.1 crash.log.2");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "fourth");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log.1"), "third");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log.2"), "second");
}

CAF_TEST(what is too large is cut and its connection closed) {
  auto files = make({8, 2});
  CAF_CHECK_EQUAL(send(*files, "12345678"), "");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "12345678");
  send(*files, "123456789", false); // The rest is not waited for.
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "12345678");
  CAF_CHECK_EQUAL(names_in(dir.path()), "crash.log crash.log.1");
}

CAF_TEST(what takes too long is kept as far as it came) {
  auto files = make({1024, 2}, std::chrono::milliseconds{200});
  CAF_CHECK_EQUAL(send(*files, "half of", false), "");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "half of");
}

CAF_TEST(nothing is no file) {
  auto files = make({1024, 2});
  send(*files, "");
  CAF_CHECK_EQUAL(files->received(), 0u);
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(few are taken at a time) {
  auto files = make({1024, 2});
  std::vector<connected_pair> open(max_crash_connections);
  for (auto& pair : open)
    files->take(std::move(pair.near));
  settle();
  CAF_CHECK_EQUAL(send(*files, "one too many"), "");
  CAF_CHECK_EQUAL(files->received(), 0u);
  ::shutdown(open[0].far.get(), SHUT_WR);
  read_all(open[0].far);
  send(*files, "now");
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "now");
}

CAF_TEST(a vm without logs keeps none) {
  auto files = std::make_shared<crash_files>(
    *loop, 2048, [] { return nullptr; }, log_bounds{8, 1});
  CAF_CHECK_EQUAL(send(*files, "x"), "");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(the door gives each vm its own) {
  auto door = std::make_shared<guest_door>(
    std::shared_ptr<event_loop>{std::shared_ptr<void>{}, &*loop}, vsock_calls{});
  auto files = make({1024, 2});
  door->add(2048, files);
  connected_pair others;
  door->deliver({2049, crash_file_port, std::move(others.near)});
  CAF_CHECK_EQUAL(read_all(others.far), "");
  connected_pair own;
  door->deliver({2048, crash_file_port, std::move(own.near)});
  say(own.far, "mine");
  ::shutdown(own.far.get(), SHUT_WR);
  read_all(own.far);
  settle();
  CAF_CHECK_EQUAL(read_file(dir / "crash.log"), "mine");
  std::weak_ptr<crash_files> gone = files;
  files = nullptr;
  settle(); // The deadline of what has ended lets go of it in a turn of its own.
  CAF_REQUIRE(gone.expired());
  connected_pair late;
  door->deliver({2048, crash_file_port, std::move(late.near)});
  CAF_CHECK_EQUAL(read_all(late.far), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
