// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_request.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.descriptor_request

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

const ticket good = "0123456789abcdef0123456789abcdef";

bool is_request(std::string_view packet, std::size_t descriptors = 0) {
  return parse_descriptor_request(packet, descriptors).has_value();
}

// "none", "no WHY" or the tickets.
std::string read(std::string_view packet) {
  auto answer = parse_descriptor_answer(packet);
  if (!answer.tickets)
    return answer.why.empty() ? "none" : "no " + answer.why;
  std::string all = "ok";
  for (auto& each : *answer.tickets)
    all += "," + each;
  return all;
}

} // namespace

CAF_TEST(put needs 1 to 32 descriptors) {
  for (std::size_t count : {1, 2, 32}) {
    auto request = parse_descriptor_request("put", count);
    CAF_REQUIRE(request);
    CAF_CHECK(!request->take);
  }
  CAF_CHECK(!is_request("put", 0));
  CAF_CHECK(!is_request("put", 33));
}

CAF_TEST(take needs a ticket and no descriptor) {
  auto request = parse_descriptor_request(take_request(good), 0);
  CAF_REQUIRE(request);
  CAF_REQUIRE(request->take);
  CAF_CHECK_EQUAL(*request->take, good);
  CAF_CHECK(!is_request(take_request(good), 1));
}

CAF_TEST(nothing else is a request) {
  for (std::string_view packet : {"",
                                  "p",
                                  "pu",
                                  "PUT",
                                  "put ",
                                  " put",
                                  "puts",
                                  "take",
                                  "take ",
                                  "takes",
                                  "give",
                                  "ok",
                                  "no",
                                  "take 0123456789abcdef0123456789abcde",
                                  "take 0123456789abcdef0123456789abcdef0",
                                  "take 0123456789ABCDEF0123456789abcdef",
                                  "take 0123456789abcdef0123456789abcdeg",
                                  "take  0123456789abcdef0123456789abcdef",
                                  "Take 0123456789abcdef0123456789abcdef",
                                  "take 0123456789abcdef0123456789abcdef\n"})
    for (std::size_t count : {0, 1, 32})
      CAF_CHECK(!is_request(packet, packet == "put" ? 0 : count));
  CAF_CHECK(!is_request(std::string_view{"put\0", 4}, 1));
  CAF_CHECK(!is_request(std::string(64, '\0'), 1));
}

CAF_TEST(answers are read as they are written) {
  CAF_CHECK_EQUAL(read(ok_answer()), "ok");
  CAF_CHECK_EQUAL(read(ok_answer({good})), "ok," + good);
  CAF_CHECK_EQUAL(read(ok_answer({good, good})), "ok," + good + "," + good);
  CAF_CHECK_EQUAL(read(no_answer("256 wait")), "no 256 wait");
  auto full = ok_answer(std::vector<ticket>(32, good));
  CAF_CHECK_EQUAL(full.size(), max_answer_bytes);
  auto longest = no_answer(std::string(5000, 'x'));
  CAF_CHECK_EQUAL(longest.size(), max_answer_bytes);
}

CAF_TEST(what is no answer is none) {
  for (std::string_view packet : {"", "o", "OK", "okay", "ok ", "ok 12", "no", "no ", "yes"})
    CAF_CHECK_EQUAL(read(packet), "none");
  CAF_CHECK_EQUAL(read("ok " + good + "x"), "none");
  CAF_CHECK_EQUAL(read("ok " + good + " "), "none");
}
