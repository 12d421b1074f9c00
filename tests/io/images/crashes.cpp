// SPDX-License-Identifier: Apache-2.0
// A process that is killed, or fails, at each step of an upload: there is the upload or the image,
// and never half of one. What is planned is read once by a process, so that each case has its own.
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/tests/io/images/store_fixture.hpp"

#include <sys/wait.h>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.images.crashes

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : store_fixture {
  const std::string bytes = some_bytes(max_image_piece_bytes * 2 + 100);

  /// @returns its wait status.
  template <class Deed>
  int in_process(const std::string& plans, Deed deed) {
    auto child = ::fork();
    if (child == 0) {
      ::setenv("CROSVISOR_FAILPOINTS", plans.c_str(), 1);
      open();
      ::_exit(store != nullptr && deed() ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
      ;
    return status;
  }

  static bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
  static bool is_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

  /// In the next process: it is whole, or is not listed and goes on.
  int check_next() {
    return in_process("", [&] {
      auto there = names(&alice);
      if (there != "" && (there != "disk.img" || pull(alice, "disk.img") != bytes))
        return false;
      auto place = begin(alice, "disk.img", bytes);
      if (!place || place->is_stored != (there == "disk.img"))
        return false;
      if (!place->is_stored && !go_on(alice, *place, bytes))
        return false;
      return pull(alice, "disk.img") == bytes && used("stored_images") == 1
             && used("image_uploads_per_user") == 0
             && names_in(dir / "state/images/uid-1000") == ".owner disk.img";
    });
  }

  int remove_it() {
    return in_process("", [&] { return static_cast<bool>(remove(alice, "disk.img")); });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(crash_tests, fixture)

CAF_TEST(killed at each step of an upload) {
  for (const auto* plan : {"begin_upload=kill", "write_file=kill", "write_file=kill:2",
                           "put_piece=kill", "put_piece=kill:3", "write_file=kill:4",
                           "write_file=kill:5", "store_image=kill", "image_stored=kill"}) {
    auto ended =
      in_process(plan, [&] { return static_cast<bool>(push(alice, "disk.img", bytes)); });
    CAF_CHECK(was_killed(ended));
    CAF_CHECK(is_well(check_next()));
    CAF_CHECK(is_well(remove_it()));
  }
}

CAF_TEST(a disk that is full at each step) {
  for (const auto* plan : {"begin_upload=ENOSPC", "write_file=ENOSPC:2", "put_piece=ENOSPC:2",
                           "write_file=ENOSPC:4", "store_image=ENOSPC", "image_stored=ENOSPC"}) {
    auto ended = in_process(plan, [&] {
      auto pushed = push(alice, "disk.img", bytes);
      return !pushed && pushed.why().code == ENOSPC && names(&alice).empty();
    });
    CAF_CHECK(is_well(ended));
    CAF_CHECK(is_well(check_next()));
    CAF_CHECK(is_well(remove_it()));
  }
}

CAF_TEST(a write that is short is gone on with) {
  auto ended = in_process("write_file=short",
                          [&] { return static_cast<bool>(push(alice, "disk.img", bytes)); });
  CAF_CHECK(is_well(ended));
  CAF_CHECK(is_well(check_next()));
}

CAF_TEST(killed while it is removed) {
  CAF_REQUIRE(is_well(check_next()));
  auto ended =
    in_process("remove_image=kill", [&] { return static_cast<bool>(remove(alice, "disk.img")); });
  CAF_CHECK(was_killed(ended));
  CAF_CHECK(is_well(check_next()));
}

CAF_TEST(killed before an image is opened to be written) {
  CAF_REQUIRE(is_well(check_next()));
  auto ended = in_process("open_image=kill:2", [&] {
    return static_cast<bool>(open_images(alice, {{"disk.img", true}, {"disk.img", false}}));
  });
  CAF_CHECK(was_killed(ended));
  CAF_CHECK(is_well(check_next()));
}

CAF_TEST_FIXTURE_SCOPE_END()
