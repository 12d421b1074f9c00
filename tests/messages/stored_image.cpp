// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/stored_image.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.stored_image

using namespace crosvisor;

CAF_TEST(a stored image is told from a path) {
  CAF_CHECK(stored_image_name("image:disk.img") == "disk.img");
  CAF_CHECK(stored_image_name("image:") == "");
  CAF_CHECK(stored_image_name("image:/etc/passwd") == "/etc/passwd");
  for (const auto* path :
       {"", "disk.img", "./image:disk.img", "/image:disk.img", "Image:x", "imag"})
    CAF_CHECK(!stored_image_name(path));
}

CAF_TEST(a name is never a path) {
  for (const auto* name : {"a", "disk.img", "A-1_b.c"})
    CAF_CHECK(valid_image_name(name));
  for (const auto* name : {"", ".", "..", "a/b", "/a", ".a", "-a", "1", "a b", "a\n", "image:a"})
    CAF_CHECK(!valid_image_name(name));
}

CAF_TEST(an upload says what is wrong with it) {
  image_upload good{"a", 1, std::string(64, 'f')};
  CAF_CHECK(!find_problem(good));
  good.size_bytes = max_image_bytes;
  CAF_CHECK(!find_problem(good));
  auto problem = [&](auto change) {
    auto bad = good;
    change(bad);
    auto what = find_problem(bad);
    return what ? what->substr(0, what->find(' ')) : "none";
  };
  CAF_CHECK_EQUAL(problem([](auto& x) { x.name = "/"; }), "name:");
  CAF_CHECK_EQUAL(problem([](auto& x) { x.size_bytes = 0; }), "size:");
  CAF_CHECK_EQUAL(problem([](auto& x) { ++x.size_bytes; }), "size:");
  CAF_CHECK_EQUAL(problem([](auto& x) { x.sha256.back() = 'F'; }), "sha256:");
  CAF_CHECK_EQUAL(problem([](auto& x) { x.sha256.pop_back(); }), "sha256:");
}
