// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/json_comments.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.config.json_comments

using namespace crosvisor;

namespace {

/// What is left of `text`, or the failure's sentence.
std::string left_of(const std::string& text) {
  auto left = io::blank_comments(io::json_source{text, "f"});
  return left ? *left : left.why().what;
}

/// What is wrong with `text`.
std::string problem_of(const std::string& text) {
  auto parsed = io::parse_commented_json(io::json_source{text, "f"});
  return parsed ? "nothing" : parsed.why().what;
}

} // namespace

CAF_TEST(comments become blanks of the same length) {
  CAF_CHECK_EQUAL(left_of("{} // x"), "{}     ");
  CAF_CHECK_EQUAL(left_of("{/*x*/}"), "{     }");
  CAF_CHECK_EQUAL(left_of("// x\n{}"), "    \n{}");
  CAF_CHECK_EQUAL(left_of("{}//"), "{}  ");
  CAF_CHECK_EQUAL(left_of("/**/{}"), "    {}");
}

CAF_TEST(lines stay where they are) {
  CAF_CHECK_EQUAL(left_of("/* a\n b\r\n*/{}"), "    \n   \n  {}");
  CAF_CHECK_EQUAL(left_of("// a \\\n{}"), "      \n{}");
}

CAF_TEST(what a string holds is no comment) {
  for (std::string text : {R"({"a": "// b"})", R"({"/* a": "*/"})", R"(["\"// a"])", R"(["\\", 1])",
                           R"(["https://example.org"])"})
    CAF_CHECK_EQUAL(left_of(text), text);
  CAF_CHECK_EQUAL(left_of(R"(["\\"//")"), R"(["\\"   )");
}

CAF_TEST(quotes in a comment begin no string) {
  CAF_CHECK_EQUAL(left_of("// \"\n{/* \" */}"), "    \n{       }");
}

CAF_TEST(comments do not nest) {
  CAF_CHECK_EQUAL(left_of("/* /* */ {}"), "         {}");
  CAF_CHECK_EQUAL(left_of("/* // */ {}"), "         {}");
  CAF_CHECK_EQUAL(left_of("// /*\n{}"), "     \n{}");
}

CAF_TEST(a comment that does not end is refused where it begins) {
  CAF_CHECK_EQUAL(left_of("{}\n /* x"), "f:2:2: the comment that begins here does not end");
  CAF_CHECK_EQUAL(left_of("/*/"), "f:1:1: the comment that begins here does not end");
}

CAF_TEST(a slash alone and a string without an end are the parsers to refuse) {
  CAF_CHECK_EQUAL(left_of("{/}"), "{/}");
  CAF_CHECK_EQUAL(left_of("/"), "/");
  CAF_CHECK_EQUAL(left_of("\"// a"), "\"// a");
  CAF_CHECK_EQUAL(left_of("\"a\\"), "\"a\\");
  CAF_CHECK(problem_of("{/}").starts_with("f:1:2: malformed JSON"));
}

CAF_TEST(places are those of what was written) {
  CAF_CHECK_EQUAL(problem_of("{/* \xc3\xbc */ \"a\": 1, \"a\": 2}"),
                  "f:1:18: key \"a\" is given twice");
  CAF_CHECK_EQUAL(problem_of("// \xc3\xbc\n{\"a\": 1,\n \"a\": 2}"),
                  "f:3:2: key \"a\" is given twice");
}

CAF_TEST(nothing but comments is an empty object) {
  for (std::string text : {"", " \n", "// nothing", "/* nothing */\n", "\xef\xbb\xbf// nothing"}) {
    auto parsed = io::parse_commented_json(io::json_source{text, "f"});
    CAF_REQUIRE(static_cast<bool>(parsed));
    CAF_CHECK(parsed->kind == io::json_kind::object);
    CAF_CHECK(parsed->members.empty());
  }
}

CAF_TEST(a document that is too large is refused with its comments) {
  CAF_CHECK_EQUAL(problem_of("//" + std::string(io::max_json_bytes, 'x')),
                  "f:1:1: larger than 1 MiB");
}
