// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/output_window.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.guest.output_window

using crosvisor::io::output_window;

namespace {

struct fixture {
  output_window window{8};

  std::string take(output_window::reader_id reader, std::size_t most = 100) {
    auto piece = window.next(reader, most);
    std::string text{piece.bytes};
    if (piece.missed > 0)
      text = "(" + std::to_string(piece.missed) + ")" + text;
    window.advance(reader, piece.bytes.size());
    return text;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(output_window_tests, fixture)

CAF_TEST(without a reader the newest bytes are kept) {
  CAF_CHECK_EQUAL(window.room(), 8u);
  window.add("0123456789");
  window.add("ab");
  window.add_reader(1);
  CAF_CHECK_EQUAL(take(1), "(4)456789ab");
  CAF_CHECK(window.has_read_all(1));
  CAF_CHECK_EQUAL(window.next(1, 9).offset, 12u);
}

CAF_TEST(one reader loses nothing and holds the guest) {
  window.add_reader(1);
  window.add("01234567");
  CAF_CHECK_EQUAL(window.room(), 0u);
  CAF_CHECK_EQUAL(take(1, 3), "012");
  CAF_CHECK_EQUAL(window.room(), 3u);
  window.add("89a");
  CAF_CHECK_EQUAL(take(1), "3456789a");
  CAF_CHECK_EQUAL(window.room(), 8u);
}

CAF_TEST(the fastest reader sets the pace and a slow one misses) {
  window.add_reader(1);
  window.add_reader(2);
  window.add("01234567");
  CAF_CHECK_EQUAL(take(1), "01234567");
  CAF_CHECK_EQUAL(window.room(), 8u);
  window.add("89");
  CAF_CHECK_EQUAL(take(2, 2), "(2)23");
  CAF_CHECK_EQUAL(take(2), "456789");
  CAF_CHECK_EQUAL(take(1), "89");
}

CAF_TEST(at the end more than the bound is kept for who has not read it) {
  window.add_reader(1);
  window.add("0123456789abcdef");
  CAF_CHECK_EQUAL(window.room(), 0u);
  CAF_CHECK_EQUAL(take(1), "0123456789abcdef");
  window.add("gh");
  CAF_CHECK_EQUAL(take(1), "gh");
}

CAF_TEST(a reader that leaves holds nobody) {
  window.add_reader(1);
  window.add("0123456789ab");
  window.remove_reader(1);
  CAF_CHECK(!window.has(1));
  CAF_CHECK_EQUAL(window.room(), 8u);
  window.add_reader(2);
  CAF_CHECK_EQUAL(take(2), "(4)456789ab");
}

CAF_TEST(what was read stays for one that takes the place of its reader) {
  output_window kept{8, 3};
  kept.add_reader(1);
  CAF_CHECK_EQUAL(kept.room(), 5u);
  kept.add("01234");
  kept.advance(1, 5);
  CAF_CHECK_EQUAL(kept.room(), 5u);
  kept.add("56789");
  CAF_CHECK_EQUAL(kept.room(), 0u);
  kept.add_reader(2);
  auto piece = kept.next(2, 100);
  CAF_CHECK_EQUAL(piece.offset, 2u);
  CAF_CHECK_EQUAL(std::string{piece.bytes}, "23456789");
}

CAF_TEST(much passes through little) {
  window.add_reader(1);
  std::string all, got;
  for (int i = 0; i < 10'000; ++i) {
    auto text = std::to_string(i).substr(0, window.room());
    window.add(text);
    all += text;
    got += take(1, 5);
  }
  got += take(1);
  CAF_CHECK(all == got);
}

CAF_TEST_FIXTURE_SCOPE_END()
