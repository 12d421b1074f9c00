// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/vsock/status_line.hpp"

#include "crosvisor/guest/vsock/number.hpp"

#include <caf/test/dsl.hpp>

#include <initializer_list>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE guest.vsock.status_line

using namespace crosvisor::guest;

namespace {

/// The line for these words; nothing where they are refused or not all are taken.
std::string line_of(std::initializer_list<const char*> words) {
  auto status = parse_status(words.begin(), static_cast<int>(words.size()));
  if (static_cast<std::size_t>(status.words) != words.size())
    return "";
  return std::string{status.line.finish()};
}

std::string message_of(const char* text) {
  std::string line = line_of({"error", "0", text});
  auto begin = std::string{R"({"status":"error","code":0,"message":")"}.size();
  return line.substr(begin, line.size() - begin - 3);
}

} // namespace

CAF_TEST(each status has its line) {
  CAF_CHECK_EQUAL(line_of({"started"}), "{\"status\":\"started\"}\n");
  CAF_CHECK_EQUAL(line_of({"ready"}), "{\"status\":\"ready\"}\n");
  CAF_CHECK_EQUAL(line_of({"finished", "0"}), "{\"status\":\"finished\",\"exit_code\":0}\n");
  CAF_CHECK_EQUAL(line_of({"finished", "255"}), "{\"status\":\"finished\",\"exit_code\":255}\n");
  CAF_CHECK_EQUAL(line_of({"error", "2", "it changed"}),
                  "{\"status\":\"error\",\"code\":2,\"message\":\"it changed\"}\n");
}

CAF_TEST(what is no status is refused) {
  CAF_CHECK_EQUAL(parse_status(nullptr, 0).words, 0);
  CAF_CHECK_EQUAL(line_of({"starting"}), "");
  CAF_CHECK_EQUAL(line_of({"finished"}), "");
  CAF_CHECK_EQUAL(line_of({"finished", "well"}), "");
  CAF_CHECK_EQUAL(line_of({"finished", "2147483648"}), "");
  CAF_CHECK_EQUAL(line_of({"error", "1"}), "");
  CAF_CHECK_EQUAL(line_of({"error", "4", "no such code"}), "");
}

CAF_TEST(of several the first is taken) {
  const char* words[] = {"finished", "7", "started"};
  CAF_CHECK_EQUAL(parse_status(words, 3).words, 2);
}

CAF_TEST(a message is escaped) {
  CAF_CHECK_EQUAL(message_of("a \"b\" \\c"), "a \\u0022b\\u0022 \\u005cc");
  CAF_CHECK_EQUAL(message_of("a\nb\x01"), "a\\u000ab\\u0001");
  CAF_CHECK_EQUAL(message_of("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\xA7"),
                  "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\xA7");
}

CAF_TEST(bytes that are not UTF - 8 are replaced one by one) {
  CAF_CHECK_EQUAL(message_of("a\xFF"
                             "b"),
                  "a\\ufffdb");
  CAF_CHECK_EQUAL(message_of("\xC3"), "\\ufffd");
  CAF_CHECK_EQUAL(message_of("\xC0\xAF"), "\\ufffd\\ufffd");            // too long
  CAF_CHECK_EQUAL(message_of("\xED\xA0\x80"), "\\ufffd\\ufffd\\ufffd"); // half a pair
  CAF_CHECK_EQUAL(message_of("\xF4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
  CAF_CHECK_EQUAL(message_of("\xE2\x82x"), "\\ufffd\\ufffdx");
}

CAF_TEST(a long message is cut at a character and the line is whole) {
  for (auto* letter : {"x", "\xC3\xBC", "\xF0\x9F\x90\xA7", "\n"}) {
    std::string text;
    for (auto i = 0; i < 5000; ++i)
      text += letter;
    auto line = line_of({"error", "0", text.c_str()});
    CAF_CHECK_LESS_OR_EQUAL(line.size(), 4096u);
    CAF_CHECK_GREATER(line.size(), 4088u);
    CAF_CHECK_EQUAL(line.substr(line.size() - 3), "\"}\n");
    auto message = message_of(text.c_str());
    std::string unit = *letter == '\n' ? "\\u000a" : letter;
    CAF_CHECK_EQUAL(message.size() % unit.size(), 0u);
    CAF_CHECK(text.starts_with(message) || unit == "\\u000a");
  }
}

CAF_TEST(a number is digits and fits) {
  CAF_CHECK_EQUAL(parse_number("0").value, 0u);
  CAF_CHECK_EQUAL(parse_number("4294967295").value, 4294967295u);
  CAF_CHECK(parse_number("922337203685477579").valid);
  for (auto* wrong : {"", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999"})
    CAF_CHECK(!parse_number(wrong).valid);
}
