// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/kept_log_reader.hpp"

#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/log/rotating_file.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.log.kept_log_reader

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
namespace fs = std::filesystem;

namespace {

struct fixture {
  temp_dir state;
  std::unique_ptr<log_store> store;
  std::shared_ptr<kept_log_reader> reader = kept_log_reader::make(state.path());

  fixture() {
    auto opened = log_store::open(state.path(), 10);
    CAF_REQUIRE(opened);
    store = std::move(*opened);
  }

  log_dir make(vm_cid cid, const vm_name& name) {
    auto made = store->make(cid, name);
    CAF_REQUIRE(made);
    return *made;
  }

  static rotating_file writer(const log_dir& of, log_bounds bounds = {}) {
    return {of.fd, "console.log", bounds};
  }

  result<log_piece> read(log_query query) {
    std::promise<result<log_piece>> promise;
    auto piece = promise.get_future();
    reader->read(std::move(query),
                 [&](result<log_piece> got) { promise.set_value(std::move(got)); });
    CAF_REQUIRE(piece.wait_for(patience) == std::future_status::ready);
    return piece.get();
  }

  log_piece piece(log_position from = {}, const std::string& vm = "demo") {
    auto got = read({vm, log_kind::console, from, false});
    CAF_REQUIRE(got);
    return std::move(*got);
  }

  failure refusal(log_query query) {
    auto got = read(std::move(query));
    return got ? failure{} : got.why();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(kept_log_reader_tests, fixture)

CAF_TEST(a log is read by pieces from its beginning) {
  auto vm = make(2048, "demo");
  auto log = writer(vm);
  log.append("abc");
  auto first = piece();
  CAF_CHECK_EQUAL(first.bytes, "abc");
  CAF_CHECK_EQUAL(first.cid, 2048u);
  CAF_CHECK_EQUAL(first.name, "demo");
  CAF_CHECK(first.living);
  CAF_CHECK(!first.gap);
  auto nothing = piece(first.next);
  CAF_CHECK_EQUAL(nothing.bytes, "");
  log.append("def");
  CAF_CHECK_EQUAL(piece(first.next).bytes, "def");
  CAF_CHECK_EQUAL(piece(nothing.next).bytes, "def");
  CAF_CHECK_EQUAL(piece().bytes, "abcdef");
}

CAF_TEST(a piece has its bound and the next goes on in the next file) {
  auto vm = make(2048, "demo");
  auto log = writer(vm, {100'000, 8});
  std::string text;
  for (auto i = 0; text.size() < 600'000; ++i)
    text += std::to_string(i) + "\n";
  log.append(text);
  std::string all;
  std::vector<std::size_t> sizes;
  for (log_position at; sizes.empty() || sizes.back() > 0;) {
    auto got = piece(at);
    CAF_CHECK(!got.gap);
    sizes.push_back(got.bytes.size());
    all += got.bytes;
    at = got.next;
  }
  CAF_CHECK(all == text);
  CAF_REQUIRE_EQUAL(sizes.size(), 4u);
  CAF_CHECK_EQUAL(sizes[0], std::size_t{max_log_piece_bytes});
  CAF_CHECK_EQUAL(sizes[1], std::size_t{max_log_piece_bytes});
}

CAF_TEST(what was rotated away is told and passed over) {
  auto vm = make(2048, "demo");
  auto log = writer(vm, {4, 2});
  log.append("ab");
  auto first = piece();
  log.append("cdefghijklmnopqrstuv");
  auto second = piece(first.next);
  CAF_CHECK(second.gap);
  CAF_CHECK_EQUAL(second.bytes, "qrstuv");
  auto third = piece(second.next);
  CAF_CHECK(!third.gap);
  CAF_CHECK_EQUAL(third.bytes, "");
}

CAF_TEST(a position survives each rotation that keeps its file) {
  auto vm = make(2048, "demo");
  auto log = writer(vm, {4, 4});
  log.append("ab");
  auto at = piece().next;
  log.append("cdefghijklmnop"); // Four full files; ours is the oldest.
  auto got = piece(at);
  CAF_CHECK(!got.gap);
  CAF_CHECK_EQUAL(got.bytes, "cdefghijklmnop");
}

CAF_TEST(an inode that is used again is another file) {
  auto vm = make(2048, "demo");
  std::string folder = state / "logs/2048-demo/console.log";
  std::ofstream{folder} << "abcdef";
  auto at = piece().next;
  struct stat before, after;
  auto reused = false;
  CAF_REQUIRE_EQUAL(::stat(folder.c_str(), &before), 0);
  // What has the inode now is made later, with as many bytes.
  for (auto i = 0; i < 50 && !reused; ++i) {
    fs::remove(folder);
    std::ofstream{folder} << "ghijkl";
    CAF_REQUIRE_EQUAL(::stat(folder.c_str(), &after), 0);
    reused = before.st_ino == after.st_ino
             && (before.st_ctim.tv_nsec != after.st_ctim.tv_nsec
                 || before.st_ctim.tv_sec != after.st_ctim.tv_sec);
  }
  if (!reused)
    CAF_MESSAGE("skipped in part: this file system uses no inode again at once");
  auto got = piece(at);
  CAF_CHECK(got.gap);
  CAF_CHECK_EQUAL(got.bytes, "ghijkl");
}

CAF_TEST(positions of strangers lead to the beginning) {
  auto vm = make(2048, "demo");
  auto log = writer(vm);
  log.append("abc");
  auto at = piece().next;
  for (auto offset : {std::uint64_t{4}, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    auto got = piece({at.file, offset});
    CAF_CHECK(got.gap);
    CAF_CHECK_EQUAL(got.bytes, "abc");
  }
  auto unknown = piece({~at.file, 0});
  CAF_CHECK(unknown.gap);
  CAF_CHECK_EQUAL(unknown.bytes, "abc");
  CAF_CHECK(!piece({0, 2}).gap);
  CAF_CHECK_EQUAL(piece({at.file, 3}).bytes, "");
}

CAF_TEST(the end can be asked for) {
  auto vm = make(2048, "demo");
  auto end = read({"demo", log_kind::console, {}, true});
  CAF_REQUIRE(end);
  CAF_CHECK_EQUAL(end->next.file, 0u);
  auto log = writer(vm, {4, 4});
  log.append("abcdefgh"); // The newest is full, and the next is not made yet.
  end = read({"demo", log_kind::console, {}, true});
  CAF_REQUIRE(end);
  CAF_CHECK_EQUAL(end->bytes, "");
  CAF_CHECK(end->living);
  log.append("ijkl");
  CAF_CHECK_EQUAL(piece(end->next).bytes, "ijkl");
}

CAF_TEST(a dead VM has what it had and no more comes) {
  auto vm = make(2048, "demo");
  writer(vm).append("last words");
  vm.fd = nullptr;
  auto got = piece();
  CAF_CHECK_EQUAL(got.bytes, "last words");
  CAF_CHECK(!got.living);
}

CAF_TEST(of a name the newest VM is read and each by its CID) {
  auto old = make(2048, "demo");
  writer(old).append("old");
  fs::last_write_time(state / "logs/2048-demo",
                      fs::file_time_type::clock::now() - std::chrono::seconds{10});
  auto young = make(2049, "demo");
  writer(young).append("young");
  CAF_CHECK_EQUAL(piece().bytes, "young");
  CAF_CHECK_EQUAL(piece().cid, 2049u);
  CAF_CHECK_EQUAL(piece({}, "2048").bytes, "old");
  // Who goes on by name after another VM has taken it is told.
  auto at = piece({}, "2048").next;
  CAF_CHECK(piece(at).gap);
}

CAF_TEST(each kind of log is its own) {
  auto vm = make(2048, "demo");
  for (auto name : {"console", "log", "vmm"})
    rotating_file{vm.fd, std::string{name} + ".log", {}}.append(name);
  for (auto kind : {log_kind::console, log_kind::log, log_kind::vmm}) {
    auto got = read({"demo", kind, {}, false});
    CAF_REQUIRE(got);
    CAF_CHECK_EQUAL(got->bytes, to_string(kind));
  }
  auto wrong = refusal({"demo", static_cast<log_kind>(77), {}, false});
  CAF_CHECK_EQUAL(wrong.code, 0);
  CAF_CHECK_EQUAL(wrong.what,
                  "there is no such kind of log; there are console, log, vmm and crash");
}

CAF_TEST(logs that are not kept are not found) {
  make(2048, "demo");
  state.write("secret", "x");
  for (auto vm : {"other", "2049", "", "..", "../secret", "/etc", "2048-demo", "demo/../demo"}) {
    auto why = refusal({vm, log_kind::console, {}, false});
    CAF_CHECK_EQUAL(why.code, ENOENT);
    CAF_CHECK_EQUAL(why.what, "no logs of \"" + std::string{vm} + "\" are kept");
  }
  auto long_one = refusal({std::string(1u << 20, 'x'), log_kind::console, {}, false});
  CAF_CHECK_EQUAL(long_one.code, ENOENT);
  CAF_CHECK_LESS(long_one.what.size(), 200u);
}

CAF_TEST(symlinks are not followed) {
  auto vm = make(2048, "demo");
  fs::create_symlink(state.write("secret", "secret"), state / "logs/2048-demo/console.log");
  CAF_CHECK_EQUAL(piece().bytes, "");
  fs::create_directory_symlink(state / "logs/2048-demo", state / "logs/2050-link");
  CAF_CHECK_EQUAL(refusal({"link", log_kind::console, {}, false}).code, ENOENT);
}

CAF_TEST(too many that wait are refused and each is answered once) {
  auto vm = make(2048, "demo");
  writer(vm).append("x");
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  mailbox<int> codes;
  auto wait = [&](result<log_piece> got) {
    opened.wait_for(patience);
    codes.put(got ? 0 : got.why().code);
  };
  log_query query{"demo", log_kind::console, {}, false};
  // Two threads stand at the gate; who has begun no more waits.
  std::thread late{[&] {
    for (auto i = 0; i < 1000; ++i)
      reader->read(query, [&](result<log_piece> got) {
        if (!got)
          return codes.put(got.why().code);
        wait(std::move(got));
      });
    gate.set_value();
  }};
  auto all = codes.wait(1000);
  late.join();
  CAF_CHECK_EQUAL(all.size(), 1000u);
  auto refused = std::count(all.begin(), all.end(), EBUSY);
  auto waited = static_cast<long>(max_waiting_log_reads);
  CAF_CHECK_GREATER_OR_EQUAL(1000 - refused, waited);
  CAF_CHECK_LESS_OR_EQUAL(1000 - refused, waited + 2);
  CAF_CHECK_EQUAL(std::count(all.begin(), all.end(), 0), 1000 - refused);
  CAF_CHECK_EQUAL(piece().bytes, "x");
}

CAF_TEST(a reader that goes answers first and leaves nothing) {
  auto vm = make(2048, "demo");
  writer(vm).append("x");
  piece();
  reader = nullptr;
  holdings before;
  reader = kept_log_reader::make(state.path());
  mailbox<std::string> pieces;
  for (auto i = 0; i < 100; ++i)
    reader->read({"demo", log_kind::console, {}, false},
                 [&](result<log_piece> got) { pieces.put(got ? got->bytes : got.why().what); });
  reader = nullptr;
  auto all = pieces.wait(0);
  CAF_CHECK_EQUAL(all.size(), 100u);
  CAF_CHECK_EQUAL(std::count(all.begin(), all.end(), "x"), 100);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(pieces beside a writer that rotates all the time have each byte once) {
  constexpr auto lines = 20'000;
  auto vm = make(2048, "demo");
  std::atomic<std::size_t> read_bytes = 0;
  std::string expected;
  for (auto i = 0; i < lines; ++i)
    expected += std::to_string(i) + "\n";
  std::thread writing{[&] {
    auto log = writer(vm, {4096, 8});
    std::size_t written = 0;
    for (auto i = 0; i < lines; ++i) {
      auto line = std::to_string(i) + "\n";
      written += line.size();
      log.append(line);
      while (written > read_bytes + 16'384) // Never more ahead than what is kept.
        std::this_thread::yield();
    }
  }};
  std::string text;
  auto gaps = 0;
  auto begin = std::chrono::steady_clock::now();
  for (log_position at;
       text.size() < expected.size() && std::chrono::steady_clock::now() - begin < patience;) {
    auto got = piece(at);
    at = got.next;
    text += got.bytes;
    gaps += got.gap ? 1 : 0;
    read_bytes = gaps > 0 ? SIZE_MAX / 2 : text.size();
  }
  read_bytes = SIZE_MAX / 2;
  writing.join();
  CAF_CHECK_EQUAL(gaps, 0);
  CAF_CHECK(text == expected);
}

CAF_TEST(a VM can begin while its logs are looked at) {
  make(2048, "demo");
  std::atomic<bool> done = false;
  std::thread looking{[&] {
    while (!done)
      reader->read({"2048", log_kind::console, {}, false}, [](result<log_piece>) {});
  }};
  auto failed = 0;
  for (auto i = 0; i < 300; ++i)
    failed += store->make(2048, "demo") ? 0 : 1;
  done = true;
  looking.join();
  CAF_CHECK_EQUAL(failed, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
