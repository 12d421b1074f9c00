// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.config.printable

using namespace std::literals;
using crosvisor::io::in_quotes;
using crosvisor::io::printable;

CAF_TEST(text of any language is shown as it is) {
  CAF_CHECK_EQUAL(printable("vmlinux"), "vmlinux");
  CAF_CHECK_EQUAL(printable("grün 核 🙂"), "grün 核 🙂");
  CAF_CHECK_EQUAL(printable(""), "");
}

CAF_TEST(nothing reaches the terminal that steers it) {
  CAF_CHECK_EQUAL(printable("\x1b[2J"), "\\x1b[2J");
  CAF_CHECK_EQUAL(printable("a\nb\x7f"), "a\\x0ab\\x7f");
  CAF_CHECK_EQUAL(printable("\xc2\x9b"), "\\xc2\\x9b");
  CAF_CHECK_EQUAL(printable("nul\0"sv), "nul\\x00");
}

CAF_TEST(bytes that are no characters are shown as bytes) {
  CAF_CHECK_EQUAL(printable("\xff"), "\\xff");
  CAF_CHECK_EQUAL(printable("\xc0\xaf"), "\\xc0\\xaf");
  CAF_CHECK_EQUAL(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  CAF_CHECK_EQUAL(printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");
  CAF_CHECK_EQUAL(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  CAF_CHECK_EQUAL(printable("\xe6\xa0"), "\\xe6\\xa0");
}

CAF_TEST(long text is cut between characters) {
  CAF_CHECK_EQUAL(printable("abcdef", 3), "abc...");
  CAF_CHECK_EQUAL(printable("aü", 2), "a...");
  CAF_CHECK_EQUAL(printable("abc", 3), "abc");
  CAF_CHECK_EQUAL(in_quotes(std::string(100, 'x')), '"' + std::string(80, 'x') + "...\"");
}
