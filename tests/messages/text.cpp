// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/text.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.text

using namespace crosvisor;

CAF_TEST(texts go to UTF16 and back) {
  for (auto text :
       {"", "boot", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xf0\x9f\x90\xa7z"}) {
    auto units = to_utf16(text);
    CAF_REQUIRE(units.has_value());
    CAF_CHECK_EQUAL(to_utf8(*units), text);
  }
  CAF_CHECK(*to_utf16("\xc3\xbc\xf0\x9f\x90\xa7") == u"\u00fc\U0001f427");
}

CAF_TEST(what is no UTF8 has no units) {
  for (auto text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
        "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x90", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xff"})
    CAF_CHECK(!to_utf16(text).has_value());
}

CAF_TEST(half a pair comes out as the replacement character) {
  std::u16string high{char16_t{0xd83d}}, low{char16_t{0xdc27}};
  CAF_CHECK_EQUAL(to_utf8(high), "\xef\xbf\xbd");
  CAF_CHECK_EQUAL(to_utf8(low), "\xef\xbf\xbd");
  CAF_CHECK_EQUAL(to_utf8(high + u"x"), "\xef\xbf\xbdx");
  CAF_CHECK_EQUAL(to_utf8(low + high), "\xef\xbf\xbd\xef\xbf\xbd");
  CAF_CHECK_EQUAL(to_utf8(high + low), "\xf0\x9f\x90\xa7");
}

CAF_TEST(control characters are seen) {
  CAF_CHECK(!has_control_characters("a \xc3\xbc~"));
  for (auto text :
       {std::string{"\0", 1}, std::string{"a\n"}, std::string{"\x1b["}, std::string{"\x7f"}})
    CAF_CHECK(has_control_characters(text));
}
