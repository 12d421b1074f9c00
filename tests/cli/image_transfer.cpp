// SPDX-License-Identifier: Apache-2.0
// A push and a pull, with a door that answers as a test says.
#include "crosvisor/cli/image_transfer.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE cli.image_transfer

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using door = door_answers::door;

std::string sum_of(const std::string& bytes) {
  io::sha256 sum;
  sum.add(bytes);
  return sum.digits();
}

template <class T>
std::string told(const outcome<T>& what) {
  const auto* end = std::get_if<early_end>(&what);
  return end == nullptr ? "done" : std::to_string(end->exit_code) + ' ' + end->what;
}

struct fixture {
  temp_dir dir;
  fake_connection service;
  const std::string bytes = std::string(3 * max_image_piece_bytes, 'a') + "the end";
  std::string path = dir.write("disk.img", bytes);
  std::string there; ///< With the service.
  std::uint64_t id = 0;
  std::size_t under_way = 0;
  std::vector<std::string> said;

  fixture() {
    service.answers->begin_upload = [&](door, const image_upload& wanted) {
      CAF_CHECK_EQUAL(wanted.name, "disk");
      CAF_CHECK_EQUAL(wanted.size_bytes, bytes.size());
      CAF_CHECK_EQUAL(wanted.sha256, sum_of(bytes));
      return caf::result<upload_place>{upload_place{++id, there.size(), false}};
    };
    service.answers->put_piece = [&](door, const image_piece& piece) -> caf::result<std::uint64_t> {
      CAF_CHECK_EQUAL(piece.upload, id);
      CAF_CHECK_EQUAL(piece.offset, there.size());
      there += piece.bytes;
      return std::uint64_t{there.size()};
    };
    service.answers->finish_upload = [&](door, std::uint64_t which) -> caf::result<image_info> {
      CAF_CHECK_EQUAL(which, id);
      return image_info{"disk", "uid 0", there.size(), sum_of(there), 1, false};
    };
    service.answers->read_image = [&](door, const image_query& query) -> caf::result<image_part> {
      auto size = std::min<std::size_t>(bytes.size() - query.offset, max_image_piece_bytes);
      return image_part{bytes.substr(query.offset, size), bytes.size(), sum_of(bytes), 7};
    };
    block_ending_signals();
  }

  outcome<pushed_image> push() {
    auto pushed =
      push_image(service, path, "disk", [&](const std::string& what) { said.push_back(what); });
    service.settle();
    return pushed;
  }

  outcome<std::uint64_t> pull() {
    io::unique_fd to{::open((dir / "copy").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600)};
    auto pulled = pull_image(service, "disk", to.get(), "copy", {});
    service.settle();
    return pulled;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_transfer_tests, fixture)

CAF_TEST(a file is sent whole and in order) {
  auto pushed = push();
  CAF_CHECK_EQUAL(told(pushed), "done");
  CAF_CHECK(there == bytes);
  CAF_CHECK(said.empty());
}

CAF_TEST(what is there is not sent again) {
  there = bytes.substr(0, max_image_piece_bytes + 5);
  CAF_CHECK_EQUAL(told(push()), "done");
  CAF_CHECK(there == bytes);
  CAF_REQUIRE_EQUAL(said.size(), 1u);
  CAF_CHECK_EQUAL(said[0], path + ": goes on after 262149 of 786439 bytes");
}

CAF_TEST(an image that is stored is not sent) {
  service.answers->begin_upload = [&](door, const image_upload& wanted) {
    return caf::result<upload_place>{upload_place{0, wanted.size_bytes, true}};
  };
  auto pushed = push();
  CAF_REQUIRE_EQUAL(told(pushed), "done");
  CAF_CHECK(std::get<pushed_image>(pushed).was_there);
  CAF_CHECK_EQUAL(there, "");
}

CAF_TEST(an upload that is there no more is begun again and not for ever) {
  int refused = 0;
  auto put = service.answers->put_piece;
  service.answers->put_piece = [&, put](door self, const image_piece& piece) {
    if (++refused == 2)
      return caf::result<std::uint64_t>{caf::make_error(vm_errc::no_such_image, "no upload")};
    return piece.offset == there.size()
             ? put(self, piece)
             : caf::result<std::uint64_t>{caf::make_error(vm_errc::no_such_image, "no upload")};
  };
  CAF_CHECK_EQUAL(told(push()), "done");
  CAF_CHECK(there == bytes);
  service.answers->put_piece = [](door, const image_piece&) {
    return caf::result<std::uint64_t>{caf::make_error(vm_errc::no_such_image, "no upload")};
  };
  there.clear();
  CAF_CHECK_EQUAL(told(push()), "3 " + path + ": no upload");
}

CAF_TEST(a refusal ends it and is told) {
  service.answers->put_piece = [](door, const image_piece&) {
    return caf::result<std::uint64_t>{caf::make_error(vm_errc::io_failed, "no space left")};
  };
  CAF_CHECK_EQUAL(told(push()), "126 " + path + ": no space left");
  service.answers->begin_upload = [](door, const image_upload&) {
    return caf::result<upload_place>{caf::make_error(vm_errc::name_taken, "another is there")};
  };
  CAF_CHECK_EQUAL(told(push()), "6 " + path + ": another is there");
}

CAF_TEST(a file that is none is not pushed) {
  auto try_push = [&](const std::string& file) {
    return told(push_image(service, file, "disk", {}));
  };
  CAF_CHECK_EQUAL(try_push(dir / "none"), "2 " + (dir / "none") + ": no such file");
  CAF_CHECK_EQUAL(try_push(dir.path()), "2 " + dir.path() + ": is not a regular file");
  CAF_CHECK_EQUAL(try_push(dir.write("empty", "")), "2 " + (dir / "empty") + ": is empty");
}

CAF_TEST(an image is fetched whole) {
  auto pulled = pull();
  CAF_REQUIRE_EQUAL(told(pulled), "done");
  CAF_CHECK_EQUAL(std::get<std::uint64_t>(pulled), bytes.size());
  CAF_CHECK(read_file(dir / "copy") == bytes);
}

CAF_TEST(what comes has to be what was said) {
  service.answers->read_image = [&](door, const image_query&) -> caf::result<image_part> {
    return image_part{"abc", 3, sum_of("abd"), 7};
  };
  CAF_CHECK_EQUAL(told(pull()), "1 image:disk: what came has the checksum " + sum_of("abc")
                                  + ", and the image has " + sum_of("abd"));
  // One that a VM wrote has none.
  service.answers->read_image = [&](door, const image_query&) -> caf::result<image_part> {
    return image_part{"abc", 3, "", 7};
  };
  CAF_CHECK_EQUAL(told(pull()), "done");
}

CAF_TEST(an image that changes meanwhile is not mixed) {
  service.answers->read_image = [&](door, const image_query& query) -> caf::result<image_part> {
    auto size = std::min<std::size_t>(bytes.size() - query.offset, max_image_piece_bytes);
    return image_part{bytes.substr(query.offset, size), bytes.size(), "", query.offset};
  };
  CAF_CHECK_EQUAL(told(pull()), "6 image:disk: it is another image by now");
  // Nor believed to be as long as it says.
  service.answers->read_image = [&](door, const image_query&) -> caf::result<image_part> {
    return image_part{"abc", 4, "", 1};
  };
  CAF_CHECK_EQUAL(told(pull()), "6 image:disk: it is another image by now");
}

CAF_TEST_FIXTURE_SCOPE_END()
