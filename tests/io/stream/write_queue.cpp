// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/write_queue.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.stream.write_queue

using namespace crosvisor::io;

CAF_TEST(bytes come out in order whatever was written of them) {
  write_queue queue;
  std::string all, out;
  for (std::size_t i = 0; i < 300; ++i) {
    std::string piece(i * 37 % 2000, static_cast<char>('a' + i % 26));
    all += piece;
    queue.push(std::move(piece));
    if (i % 3 == 0) {
      auto front = queue.front();
      auto taken = std::min<std::size_t>(front.size(), i * 11 + 1);
      out += front.substr(0, taken);
      queue.pop(taken);
    }
  }
  while (!queue.empty()) {
    out += queue.front();
    queue.pop(queue.front().size());
  }
  CAF_CHECK(out == all);
  CAF_CHECK_EQUAL(queue.front().size(), 0u);
}

CAF_TEST(the first piece stays where it is while others come) {
  write_queue queue;
  queue.push("first");
  auto front = queue.front();
  for (int i = 0; i < 1000; ++i)
    queue.push("x");
  CAF_CHECK_EQUAL(queue.front().data(), front.data());
  CAF_CHECK_EQUAL(front, "first");
}

CAF_TEST(an empty piece is none) {
  write_queue queue;
  queue.push("");
  CAF_CHECK(queue.empty());
}
