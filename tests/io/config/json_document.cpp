// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/json_document.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.config.json_document

using namespace crosvisor::io;
using namespace std::literals;

namespace {

/// The failure of parsing `text`, or nothing.
std::string problem(std::string_view text) {
  auto value = parse_json(json_source{text, "f"});
  return value ? "" : value.why().what;
}

/// What begins where `value` is said to begin.
std::string_view at(std::string_view text, const json_value& value) {
  return text.substr(value.offset);
}

} // namespace

CAF_TEST(every value knows where it begins) {
  auto text = R"( { "a" : [1,22 ,-3.5e2, true,null] , "bü" : {"c":"x\"y"},"d":99} )"sv;
  auto parsed = parse_json(json_source{text, "f"});
  CAF_REQUIRE(static_cast<bool>(parsed));
  CAF_REQUIRE_EQUAL(parsed->members.size(), 3u);
  CAF_CHECK(at(text, *parsed).starts_with("{ \"a\""));
  const auto& items = parsed->members[0].value.items;
  CAF_REQUIRE_EQUAL(items.size(), 5u);
  CAF_CHECK(at(text, items[0]).starts_with("1,"));
  CAF_CHECK(at(text, items[1]).starts_with("22 "));
  CAF_CHECK(at(text, items[2]).starts_with("-3.5e2,"));
  CAF_CHECK(at(text, items[3]).starts_with("true"));
  CAF_CHECK(at(text, items[4]).starts_with("null]"));
  CAF_CHECK(text.substr(parsed->members[1].key_offset).starts_with("\"bü\""));
  CAF_CHECK(at(text, parsed->find("bü")->value.find("c")->value).starts_with("\"x\\\"y\"}"));
  CAF_CHECK(at(text, parsed->find("d")->value).starts_with("99}"));
}

CAF_TEST(numbers keep how they are written) {
  auto parsed = parse_json(json_source{"[18446744073709551616, -1, 1.5, 1e3]", "f"});
  CAF_REQUIRE(static_cast<bool>(parsed));
  CAF_CHECK_EQUAL(parsed->items[0].text, "18446744073709551616");
  CAF_CHECK(parsed->items[0].kind == json_kind::whole);
  CAF_CHECK_EQUAL(parsed->items[1].text, "-1");
  CAF_CHECK(parsed->items[1].kind == json_kind::whole);
  CAF_CHECK(parsed->items[2].kind == json_kind::fraction);
  CAF_CHECK_EQUAL(parsed->items[3].describe(), "1e3");
  CAF_CHECK(parsed->items[3].kind == json_kind::fraction);
}

CAF_TEST(malformed text is located by line and column) {
  CAF_CHECK_EQUAL(problem("{\n  \"a\": 1,\n}"),
                  "f:3:1: malformed JSON: unexpected '}'; expected string literal");
  CAF_CHECK_EQUAL(problem("{\"a\" 1}"),
                  "f:1:6: malformed JSON: unexpected number literal; expected ':'");
  CAF_CHECK_EQUAL(problem("[1,,2]"),
                  "f:1:4: malformed JSON: unexpected ','; expected '[', '{', or a literal");
  CAF_CHECK_EQUAL(problem("{\n  \"ü\": tru\n}"), "f:2:11: malformed JSON: invalid literal");
  CAF_CHECK_EQUAL(problem("{} {}"), "f:1:4: malformed JSON: unexpected '{'; expected end of input");
  CAF_CHECK_EQUAL(
    problem(""), "f:1:1: malformed JSON: unexpected end of input; expected '[', '{', or a literal");
  CAF_CHECK_EQUAL(problem("{\n"),
                  "f:2:1: malformed JSON: unexpected end of input; expected string literal");
  CAF_CHECK_EQUAL(problem("[1e999]"), "f:1:2: the number is too large");
}

CAF_TEST(a comment is no JSON) {
  CAF_CHECK(problem("// hello\n{}").starts_with("f:1:1: malformed JSON: invalid literal"));
  CAF_CHECK(problem("{} # x").starts_with("f:1:4: malformed JSON: invalid literal"));
}

CAF_TEST(a key that is given twice is refused at its second place) {
  CAF_CHECK_EQUAL(problem("{\"a\": 1,\n \"b\": {\"a\": 2},\n  \"a\": 3}"),
                  "f:3:3: key \"a\" is given twice");
}

CAF_TEST(text holds no NUL) {
  CAF_CHECK_EQUAL(problem("{\"a\": \"x\\u0000y\"}"), "f:1:7: text holds a NUL character");
  CAF_CHECK_EQUAL(problem("{\"a\\u0000\": 1}"), "f:1:2: text holds a NUL character");
  CAF_CHECK(problem("{\"a\": \"x\0y\"}"sv).starts_with("f:1:9: malformed JSON: invalid string"));
  CAF_CHECK(
    problem("[\"\xff\"]").starts_with("f:1:3: malformed JSON: invalid string: ill-formed UTF-8"));
}

CAF_TEST(size and nesting and count are bounded) {
  CAF_CHECK_EQUAL(problem(std::string(16, '[') + std::string(16, ']')), "");
  CAF_CHECK_EQUAL(problem(std::string(17, '[')), "f:1:17: nested deeper than 16");
  CAF_CHECK_EQUAL(problem(std::string(1u << 20, '[')), "f:1:17: nested deeper than 16");
  CAF_CHECK_EQUAL(problem(std::string((1u << 20) + 1, ' ')), "f:1:1: larger than 1 MiB");
  std::string many = "[0";
  for (int i = 0; i < 5000; ++i)
    many += ",0";
  CAF_CHECK_EQUAL(problem(many + ']'), "f:1:8192: more than 4096 values");
}

CAF_TEST(a byte order mark is skipped and counts for no column) {
  CAF_CHECK_EQUAL(problem("\xef\xbb\xbf[1, \"a\\u0000\"]"), "f:1:5: text holds a NUL character");
}
