// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_record.hpp"

#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.record

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  holdings before;
  temp_dir state;
  std::string path = state / "keepers/77";

  ~fixture() { CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before)); }

  keeper_record make() {
    auto made = keeper_record::make(state.path(), 77);
    CAF_REQUIRE(made);
    return std::move(*made);
  }

  keeper_record open() {
    auto made = keeper_record::open(state.path(), 77);
    CAF_REQUIRE(made);
    return std::move(*made);
  }
};

template <class T>
std::string problem(const result<T>& done) {
  return done ? "none" : done.why().what;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_record_tests, fixture)

CAF_TEST(what is written is there and the folder goes whole) {
  auto record = make();
  CAF_CHECK_EQUAL(names_in(path), "");
  CAF_CHECK(!*record.read_exit() && !*record.read_notes() && !*record.read_launch());
  CAF_CHECK(record.write_launch("text"));
  CAF_CHECK(record.write_notes({{"owner", "7"}}));
  CAF_CHECK(record.write_notes({{"owner", "8"}, {"raw", "\xff"}}));
  CAF_CHECK(record.write_exit({exit_kind::code, 7, death_reason::shutdown, "off"}));
  CAF_CHECK_EQUAL(names_in(path), "exit launch notes");
  CAF_CHECK(**record.read_launch() == "text");
  CAF_CHECK(**record.read_notes() == (vm_notes{{"owner", "8"}, {"raw", "\xff"}}));
  auto exit = record.read_exit();
  CAF_REQUIRE(exit && *exit);
  CAF_CHECK_EQUAL(to_string(**exit) + ", " + (**exit).detail, "exit code 7, off");
  CAF_CHECK(record.remove());
  CAF_CHECK_EQUAL(names_in(state / "keepers"), "");
}

CAF_TEST(the lock lasts as long as any copy of its descriptor) {
  auto in_use = "record \"" + path + "\" is that of a living keeper";
  std::optional<keeper_record> kept;
  {
    auto record = make();
    kept = keeper_record::inherit(unique_fd{::fcntl(record.fd(), F_DUPFD_CLOEXEC, 3)}, path);
  }
  CAF_CHECK_EQUAL(problem(keeper_record::make(state.path(), 77)), in_use);
  CAF_CHECK_EQUAL(problem(open().lock()), in_use);
  CAF_CHECK_EQUAL(problem(open().remove()), in_use);
  CAF_CHECK(kept->lock());
  kept.reset();
  CAF_CHECK(open().lock());
  CAF_CHECK(open().remove());
}

CAF_TEST(the record of a last life makes room for the next one) {
  auto last = make();
  CAF_CHECK(last.write_launch("last"));
  CAF_CHECK(last.step_aside());
  CAF_CHECK(last.step_aside());
  CAF_CHECK_EQUAL(names_in(state / "keepers"), "77.last");
  CAF_CHECK(keeper_record::exists(state.path(), 77));
  auto next = make();
  CAF_CHECK(next.write_launch("next"));
  CAF_CHECK_EQUAL(problem(next.step_aside()), "record \"" + path + ".last\": Directory not empty");
  CAF_CHECK(last.write_notes({{"owner", "7"}}));
  auto found = keeper_record::open(state.path(), 77, kept_life::last);
  CAF_REQUIRE(found);
  CAF_CHECK(**found->read_launch() == "last" && found->is_held());
  CAF_CHECK(last.remove());
  CAF_CHECK_EQUAL(names_in(state / "keepers"), "77");
  CAF_CHECK(next.step_aside());
  CAF_CHECK(next.remove());
  CAF_CHECK(!keeper_record::exists(state.path(), 77));
}

CAF_TEST(names of lives are read as they are written) {
  auto read = [](const char* name) {
    auto [cid, which] = parse_kept_life(name);
    return cid == no_cid ? std::string{"none"} : kept_life_name(cid, which);
  };
  for (const auto* name : {"77", "77.last", "4294967294.last"})
    CAF_CHECK_EQUAL(read(name), name);
  for (const auto* name :
       {"", "2", "77.", ".last", "77.last.last", "77.first", "4294967296", "-77"})
    CAF_CHECK_EQUAL(read(name), "none");
}

CAF_TEST(a new VM finds nothing of an earlier one) {
  CAF_CHECK(make().write_exit({}));
  auto record = make();
  CAF_CHECK_EQUAL(names_in(path), "");
}

CAF_TEST(half of a file is an error that names it) {
  auto record = make();
  state.write("keepers/77/exit", "{\"kind\":1,\"val");
  state.write("keepers/77/notes", "");
  CAF_CHECK_EQUAL(problem(record.read_exit()),
                  "record \"" + path + "/exit\" doesn't say how a VMM ended");
  CAF_CHECK_EQUAL(problem(record.read_notes()),
                  "record \"" + path + "/notes\" is no object of at most 16 texts");
  std::filesystem::remove(path + "/exit");
  std::filesystem::create_symlink("/etc/passwd", path + "/exit");
  CAF_CHECK_EQUAL(problem(record.read_exit()),
                  "record \"" + path + "/exit\": Too many levels of symbolic links");
  CAF_REQUIRE_EQUAL(::mkfifo((path + "/launch").c_str(), 0600), 0);
  CAF_CHECK_EQUAL(problem(record.read_launch()), "record \"" + path + "/launch\": Illegal seek");
}

CAF_TEST(what can not be written says so and leaves what was there) {
  auto record = make();
  CAF_CHECK(record.write_notes({{"a", "b"}}));
  std::filesystem::create_directory(path + "/notes.new");
  CAF_CHECK_EQUAL(problem(record.write_notes({})), "record \"" + path + "/notes\": Is a directory");
  CAF_CHECK(**record.read_notes() == (vm_notes{{"a", "b"}}));
  CAF_CHECK_EQUAL(problem(keeper_record::open(state.path(), 78)),
                  "record \"" + (state / "keepers/78") + "\": No such file or directory");
}

CAF_TEST_FIXTURE_SCOPE_END()
