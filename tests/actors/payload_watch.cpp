// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/payload_watch.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.payload_watch

using namespace crosvisor;
using actors::payload_watch;

namespace {

struct fixture {
  payload_watch watch;

  static std::string words_of(const std::vector<actors::payload_news>& news) {
    std::string words;
    for (const auto& one : news)
      words += (words.empty() ? "" : " ") + to_string(one.kind);
    return words;
  }

  /// The news of a line, or `ignored`.
  std::string say(payload_status_kind kind, std::int32_t exit_code = 0,
                  payload_error error = payload_error::unknown) {
    auto step = watch.take({kind, exit_code, error, ""});
    last = step.news;
    return step.in_order ? words_of(step.news) : "ignored";
  }

  std::vector<actors::payload_news> last;
};

using enum payload_status_kind;

} // namespace

CAF_TEST_FIXTURE_SCOPE(payload_watch_tests, fixture)

CAF_TEST(a good payload goes forward) {
  CAF_CHECK_EQUAL(say(started), "payload_started");
  CAF_CHECK_EQUAL(say(ready), "ready");
  CAF_CHECK_EQUAL(say(finished, 7), "finished");
  CAF_CHECK(last.at(0).then.finished);
  CAF_CHECK_EQUAL(last.at(0).then.exit_code, 7);
}

CAF_TEST(what repeats or goes back is ignored) {
  say(ready);
  CAF_CHECK_EQUAL(say(started), "ignored");
  CAF_CHECK_EQUAL(say(ready), "ignored");
  CAF_CHECK_EQUAL(say(finished, 1), "finished");
  CAF_CHECK_EQUAL(say(finished, 0), "ignored");
  CAF_CHECK_EQUAL(say(ready), "ignored");
  CAF_CHECK_EQUAL(say(started), "ignored");
}

CAF_TEST(a step that is left out is told all the same when it is the start) {
  CAF_CHECK_EQUAL(say(finished, 3), "payload_started finished");
  CAF_CHECK(last.at(0).then.started);
  CAF_CHECK(!last.at(0).then.finished);
  CAF_CHECK(last.at(1).then.finished);
}

CAF_TEST(output is a start and the word after it is in order and no news) {
  CAF_CHECK_EQUAL(words_of(watch.output_connected()), "payload_started");
  CAF_CHECK_EQUAL(words_of(watch.output_connected()), "");
  CAF_CHECK_EQUAL(say(started), "");
  CAF_CHECK_EQUAL(say(started), "ignored");
  CAF_CHECK_EQUAL(say(ready), "ready");
}

CAF_TEST(an error counts once and whenever it comes) {
  CAF_CHECK_EQUAL(say(error, 0, payload_error::payload_changed), "payload_error");
  CAF_CHECK(last.at(0).then.failed);
  CAF_CHECK(!last.at(0).then.started);
  CAF_CHECK_EQUAL(to_string(last.at(0).then.error), "payload_changed");
  CAF_CHECK_EQUAL(say(error, 0, payload_error::unknown), "ignored");
  CAF_CHECK_EQUAL(say(finished, 1), "payload_started finished");
  CAF_CHECK_EQUAL(to_string(last.at(1).then.error), "payload_changed");
  payload_watch other;
  other.take({finished, 0, {}, ""});
  CAF_CHECK_EQUAL(words_of(other.take({error, 0, {}, ""}).news), "payload_error");
}

CAF_TEST_FIXTURE_SCOPE_END()
