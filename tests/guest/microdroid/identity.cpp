// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/identity.hpp"

#include "../../io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#include <fcntl.h>
#include <unistd.h>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.identity

using namespace crosvisor::guest;

namespace {

const std::string android_uuid = "\xcf\x9a\xfe\x9a\x06\x62\x11\xec\xa3\x29\xc3\x26\x63\xa0\x9d\x75";

std::string filled_up(std::string content) {
  content.resize((content.size() + 511) / 512 * 512);
  return content;
}

std::string number(std::uint64_t value) {
  std::string bytes;
  for (auto shift = 0; shift < 64; shift += 8)
    bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string image_header(char version = 1) {
  return filled_up("Android-VM-instance" + std::string{version, '\0'});
}

/// Another's partition.
std::string sealed(std::size_t size) {
  return filled_up(android_uuid + number(size)) + filled_up(std::string(size, '#'));
}

/// An instance image of 16 KiB unless the content is said to be all of it.
struct image {
  crosvisor::tests::temp_dir dir;
  std::string path;

  explicit image(std::string content, bool whole = false) {
    if (!whole)
      content.resize(16384);
    path = dir.write("instance.img", content);
  }

  /// What becomes of a run: "" when all is well.
  std::string run(const std::string& identity, int flags = O_RDWR) const {
    auto fd = ::open(path.c_str(), flags | O_CLOEXEC);
    auto kept = keep_identity(fd, identity);
    ::close(fd);
    return kept.why == cause::changed ? "changed: " + std::string{kept.message} : kept.message;
  }

  std::string content() const { return crosvisor::tests::read_file(path); }
};

const auto another = "changed: the instance image is of another payload";

} // namespace

CAF_TEST(the first run leaves what later ones find) {
  image fresh{image_header()};
  CAF_CHECK_EQUAL(fresh.run("apk one\n"), "");
  CAF_CHECK_EQUAL(fresh.content().substr(0, 512), image_header());
  CAF_CHECK_EQUAL(fresh.content().size(), std::size_t{16384});
  CAF_CHECK_EQUAL(fresh.content().substr(1024, 9), std::string("apk one\n\0", 9));
  auto kept = fresh.content();
  CAF_CHECK_EQUAL(fresh.run("apk one\n"), "");
  CAF_CHECK_EQUAL(fresh.run("apk one\n", O_RDONLY), "");
  CAF_CHECK_EQUAL(fresh.content(), kept);
}

CAF_TEST(another payload is told apart and changes nothing) {
  image fresh{image_header()};
  CAF_CHECK_EQUAL(fresh.run("apk one\n"), "");
  auto kept = fresh.content();
  CAF_CHECK_EQUAL(fresh.run("apk two\n"), another);
  CAF_CHECK_EQUAL(fresh.run("apk one\nextra\n"), another);
  CAF_CHECK_EQUAL(fresh.run("apk"), another);
  CAF_CHECK_EQUAL(fresh.content(), kept);
}

CAF_TEST(partitions of others are left alone) {
  image used{image_header() + sealed(700)};
  CAF_CHECK_EQUAL(used.run("apk one\n"), "");
  CAF_CHECK_EQUAL(used.content().substr(512, 1536), sealed(700));
  CAF_CHECK_EQUAL(used.content().substr(2560, 8), "apk one\n");
  CAF_CHECK_EQUAL(used.run("apk one\n"), "");
  CAF_CHECK_EQUAL(used.run("apk two\n"), another);
}

CAF_TEST(what is no instance image is refused and left alone) {
  for (auto content : {std::string(16384, '\0'), "Android-VM-instancf" + std::string{'\1', '\0'}}) {
    image none{content};
    CAF_CHECK_EQUAL(none.run("apk"), "the instance image does not begin with"
                                     " \"Android-VM-instance\"");
    content.resize(16384);
    CAF_CHECK_EQUAL(none.content(), content);
  }
  CAF_CHECK_EQUAL(image{image_header(2)}.run("apk"),
                  "the instance image has version 2, and only 1 is known");
  CAF_CHECK_EQUAL((image{image_header(), true}.run("apk")),
                  "the instance image has no room for its header");
  CAF_CHECK_EQUAL((image{"", true}.run("apk")), "the instance image has no room for its header");
}

CAF_TEST(sizes that lead out of the image are refused) {
  for (auto size : {std::uint64_t{16384}, ~std::uint64_t{0}, ~std::uint64_t{0} - 1023}) {
    image bad{image_header() + filled_up(android_uuid + number(size))};
    CAF_CHECK_EQUAL(bad.run("apk"), "the instance image is damaged or full");
  }
}

CAF_TEST(an image without room is refused) {
  image full{image_header() + sealed(15360)};
  CAF_CHECK_EQUAL(full.run("apk"), "the instance image is damaged or full");
  image nearly{image_header() + sealed(14848)};
  CAF_CHECK_EQUAL(nearly.run("apk"), "the instance image has no room for the payload's identity");
  image just{image_header() + sealed(14336)};
  CAF_CHECK_EQUAL(just.run("apk"), "");
  CAF_CHECK_EQUAL(just.run("apk"), "");
}

CAF_TEST(an image that takes no record is told) {
  image fresh{image_header()};
  CAF_CHECK_EQUAL(fresh.run("apk", O_RDONLY),
                  "can't write to the instance image: Bad file descriptor");
}
