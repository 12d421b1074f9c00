// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/log_showing.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"

#include <caf/test/dsl.hpp>

#include <deque>

#undef CAF_SUITE
#define CAF_SUITE cli.log_showing

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using strings = std::vector<std::string>;

/// A log that is given out piece by piece.
struct fixture {
  void add(const std::string& bytes, bool living = false, bool gap = false) {
    log_piece piece;
    piece.cid = 2048;
    piece.name = "demo";
    piece.bytes = bytes;
    piece.next = {7, ++end};
    piece.living = living;
    piece.gap = gap;
    pieces.push_back(piece);
  }

  answer<log_piece> read(const log_query& query) {
    CAF_CHECK_EQUAL(query.position.offset, position);
    asked.push_back(query.vm);
    if (pieces.empty())
      return caf::make_error(vm_errc::no_such_vm, "no logs");
    auto piece = pieces.front();
    pieces.pop_front();
    position = piece.next.offset;
    return piece;
  }

  /// What was shown, `*` for each wait and `[sentence]` for what was said.
  std::string shown(bool follow) {
    std::string text;
    log_display on{[&](std::string_view bytes) {
                     text += bytes;
                     return bytes == "full" ? static_cast<int>(failed) : static_cast<int>(done);
                   },
                   [&](const std::string& what) { text += '[' + what + ']'; },
                   [&](std::chrono::milliseconds) { text += '*'; }};
    auto ended = show_log([this](const log_query& query) { return read(query); }, "demo",
                          log_kind::console, follow, on);
    if (const auto* why = std::get_if<caf::error>(&ended))
      return text + '!' + sentence_of(*why);
    code = std::get<log_shown>(ended).exit_code;
    shown_bytes = std::get<log_shown>(ended).bytes;
    return text;
  }

  strings last(std::size_t count) {
    return last_lines([this](const log_query& query) { return read(query); }, 2048,
                      log_kind::console, count);
  }

  std::deque<log_piece> pieces;
  std::uint64_t end = 0;
  std::uint64_t position = 0;
  strings asked;
  int code = -1;
  std::size_t shown_bytes = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(log_showing_tests, fixture)

CAF_TEST(what there is is shown to its end) {
  add("one\n", true);
  add("two\n", true);
  add("", true);
  CAF_CHECK_EQUAL(shown(false), "one\ntwo\n");
  CAF_CHECK_EQUAL(code, 0);
  CAF_CHECK_EQUAL(shown_bytes, 8u);
}

CAF_TEST(what comes is followed until the VM is dead and all was read) {
  add("one\n", true);
  add("", true);
  add("", true);
  add("two\n", true);
  add("", true);
  add("last\n", false);
  add("words\n", false);
  add("", false);
  CAF_CHECK_EQUAL(shown(true), "one\n**two\n*last\nwords\n");
  CAF_CHECK(pieces.empty());
}

CAF_TEST(the VM that was found is followed though another may get its name) {
  add("one\n", true);
  add("", false);
  shown(true);
  CAF_CHECK_EQUAL(asked, (strings{"demo", "2048"}));
}

CAF_TEST(what was rotated away is told where it is missing) {
  add("one\n", true);
  add("nine\n", true, true);
  add("", true, true);
  add("", false);
  CAF_CHECK_EQUAL(shown(true), "one\n[a part of the log was rotated away before it was shown]nine\n"
                               "[a part of the log was rotated away before it was shown]");
}

CAF_TEST(a reader that has enough ends it) {
  add("one\n", true);
  add("full", true);
  CAF_CHECK_EQUAL(shown(true), "one\nfull");
  CAF_CHECK_EQUAL(code, 1);
}

CAF_TEST(a log that is not kept is an error) {
  CAF_CHECK_EQUAL(shown(false), "!no logs");
  add("one\n", true);
  position = 0;
  CAF_CHECK_EQUAL(shown(true), "one\n!no logs");
}

CAF_TEST(the last lines are those of all pieces in their order) {
  add("one\r\ntwo\nth", true);
  add("ree\n\nfour\n", false);
  add("", false);
  CAF_CHECK_EQUAL(last(3), (strings{"two", "three", "four"}));
}

CAF_TEST(the last lines are fit for a terminal) {
  add("\n\na\x1b[2Jb\n" + std::string(500, 'x') + "\n\n");
  add("");
  auto lines = last(5);
  CAF_REQUIRE_EQUAL(lines.size(), 2u);
  CAF_CHECK_EQUAL(lines[0], "a\\x1b[2Jb");
  CAF_CHECK_EQUAL(lines[1].substr(160), "...");
}

CAF_TEST(of a long log the end alone is looked at) {
  for (int i = 0; i < 100; ++i)
    add(std::string(1000, 'x') + '\n');
  add("end\n");
  add("");
  auto lines = last(100);
  CAF_CHECK_EQUAL(lines.back(), "end");
  CAF_CHECK(lines.size() < 11);
}

CAF_TEST(without a log there are no last lines) {
  CAF_CHECK(last(10).empty());
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(the logs of a service are asked for by their query) {
  fake_connection service;
  service.answers->log = [](door_answers::door, const log_query& query) -> caf::result<log_piece> {
    log_piece piece;
    piece.bytes = query.vm + ' ' + to_string(query.log) + ' ' + std::to_string(query.position.file);
    return piece;
  };
  auto piece = service_logs(service, {})({"demo", log_kind::vmm, {4, 5}, false});
  CAF_REQUIRE(std::holds_alternative<log_piece>(piece));
  CAF_CHECK_EQUAL(std::get<log_piece>(piece).bytes, "demo vmm 4");
}

CAF_TEST(the logs of a daemon that was lost go on) {
  fake_connection service;
  bool first = true;
  service.answers->log = [&](door_answers::door self, const log_query&) -> caf::result<log_piece> {
    if (std::exchange(first, false)) {
      self->quit(caf::exit_reason::kill);
      return no_answer<log_piece>(self);
    }
    return log_piece{};
  };
  CAF_CHECK(std::holds_alternative<log_piece>(service_logs(service, {})({"demo", {}, {}, false})));
  CAF_CHECK_EQUAL(service.reconnects, 1);
}
