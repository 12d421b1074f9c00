// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/made_file.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cerrno>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE cli.made_file

using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

int code_of(const crosvisor::io::result<made_file>& made) {
  return made ? 0 : made.why().code;
}

} // namespace

CAF_TEST(a file that is kept stays and one that is not goes) {
  temp_dir dir;
  {
    auto kept = made_file::make(dir / "kept");
    auto dropped = made_file::make(dir / "dropped");
    CAF_REQUIRE(kept && dropped);
    kept->keep();
    CAF_CHECK_EQUAL(names_in(dir.path()), "dropped kept");
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "kept");
}

CAF_TEST(a file that is there is never made and never removed) {
  temp_dir dir;
  dir.write("there", "content");
  auto made = made_file::make(dir / "there");
  CAF_REQUIRE(!made);
  CAF_CHECK_EQUAL(made.why().code, EEXIST);
  CAF_CHECK_EQUAL(made.why().what, (dir / "there") + ": is there already; it is not touched");
  {
    auto opened = made_file::open_or_make(dir / "there");
    CAF_REQUIRE(opened);
    CAF_CHECK(opened->was_there());
  }
  CAF_CHECK_EQUAL(read_file(dir / "there"), "content");
}

CAF_TEST(a file that is missing is made by either) {
  temp_dir dir;
  {
    auto made = made_file::open_or_make(dir / "new");
    CAF_REQUIRE(made);
    CAF_CHECK(!made->was_there());
    auto copy = made->duplicate();
    CAF_REQUIRE(copy);
    CAF_CHECK_EQUAL(::write(copy->get(), "x", 1), 1);
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(a moved file is removed once) {
  temp_dir dir;
  std::optional<made_file> last;
  {
    auto made = made_file::make(dir / "moved");
    CAF_REQUIRE(made);
    last.emplace(std::move(*made));
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "moved");
  last.reset();
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(no folder and a directory are failures) {
  temp_dir dir;
  CAF_CHECK_EQUAL(code_of(made_file::open_or_make(dir / "no/such")), ENOENT);
  CAF_CHECK_EQUAL(code_of(made_file::open_or_make(dir.path())), EISDIR);
}
