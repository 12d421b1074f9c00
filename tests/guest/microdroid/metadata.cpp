// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/metadata.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.metadata

using namespace crosvisor::guest;

namespace {

std::string text(int number, const std::string& value) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(value.size())} + value;
}

std::string integer(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

std::string framed(const std::string& body) {
  auto size = body.size();
  std::string head;
  for (auto shift : {24, 16, 8, 0})
    head += static_cast<char>(size >> shift);
  return head + body;
}

/// The metadata, and the bytes that it points into.
struct reading {
  std::string bytes;
  payload_metadata metadata;
  outcome read;

  explicit reading(std::string partition) : bytes(std::move(partition)) {
    read =
      read_metadata({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, metadata);
  }
};

std::string complaint(const std::string& partition) {
  reading read{partition};
  return read.read.why == cause::invalid_config ? read.read.message : "(none)";
}

const std::string version = integer(1, 1);
const std::string apk = text(3, text(1, "apk") + text(2, "the-apk") + text(3, "the-idsig"));
const std::string config_path = text(4, "/mnt/apk/assets/vm_config.json");
const std::string config = text(5, text(1, "libdemo.so") + integer(2, 3));
const auto malformed = "the payload metadata is malformed";

} // namespace

CAF_TEST(metadata of 2021 names a configuration) {
  reading read{framed(version + text(2, text(1, "com.android.adbd")) + apk + config_path)
               + std::string(4000, '\0')};
  CAF_REQUIRE(read.read.good());
  CAF_CHECK_EQUAL(read.metadata.apk_label, "the-apk");
  CAF_CHECK_EQUAL(read.metadata.idsig_label, "the-idsig");
  CAF_CHECK_EQUAL(read.metadata.config_path, "/mnt/apk/assets/vm_config.json");
  CAF_CHECK_EQUAL(read.metadata.binary_name, "");
}

CAF_TEST(metadata of today may name a binary) {
  reading read{framed(version + apk + config)};
  CAF_REQUIRE(read.read.good());
  CAF_CHECK_EQUAL(read.metadata.config_path, "");
  CAF_CHECK_EQUAL(read.metadata.binary_name, "libdemo.so");
  std::uint32_t extra = read.metadata.extra_apks;
  CAF_CHECK_EQUAL(extra, 3u);
}

CAF_TEST(without labels those of Android count) {
  reading read{framed(config_path)};
  CAF_REQUIRE(read.read.good());
  CAF_CHECK_EQUAL(read.metadata.apk_label, "microdroid-apk");
  CAF_CHECK_EQUAL(read.metadata.idsig_label, "microdroid-apk-idsig");
}

CAF_TEST(of two payloads the last counts) {
  CAF_CHECK_EQUAL(reading{framed(config_path + config)}.metadata.config_path, "");
  CAF_CHECK_EQUAL(reading{framed(config + config_path)}.metadata.binary_name, "");
}

CAF_TEST(fields that are not known are passed over) {
  auto fixed32 = std::string{static_cast<char>(9 << 3 | 5)} + "abcd";
  auto fixed64 = std::string{static_cast<char>(10 << 3 | 1)} + "abcdefgh";
  reading read{framed(text(15, "new") + fixed32 + fixed64 + integer(8, 7) + config_path)};
  CAF_CHECK(read.read.good());
}

CAF_TEST(metadata that is cut short anywhere is refused) {
  auto whole = framed(version + apk + config);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CAF_CHECK_NOT_EQUAL(complaint(whole.substr(0, size)), "(none)");
}

CAF_TEST(a message that ends within a field is malformed) {
  auto body = version + apk + config_path;
  for (auto size : {body.size() - 1, version.size() + 1, version.size() + apk.size() - 1})
    CAF_CHECK_EQUAL(complaint(framed(body.substr(0, size))), malformed);
}

CAF_TEST(what is no field is malformed) {
  CAF_CHECK_EQUAL(complaint(framed(config_path + '\x03')), malformed);                 // Groups.
  CAF_CHECK_EQUAL(complaint(framed(config_path + std::string("\0\0", 2))), malformed); // Number 0.
  CAF_CHECK_EQUAL(complaint(framed(config_path + std::string(12, '\xff'))), malformed);
  CAF_CHECK_EQUAL(complaint(framed(text(4, std::string("/mnt\0/apk", 9)))), malformed);
  CAF_CHECK_EQUAL(complaint(framed(integer(4, 1))), malformed);
  CAF_CHECK_EQUAL(complaint(framed(integer(5, 1))), malformed);
}

CAF_TEST(lengths are bounded) {
  CAF_CHECK_EQUAL(complaint("\xff\xff\xff\xff" + config_path),
                  "the payload metadata has more than 1048576 bytes");
  CAF_CHECK_EQUAL(complaint(framed(config_path).substr(0, 20)),
                  "the payload metadata is cut short: 16 bytes of 32");
  CAF_CHECK_EQUAL(complaint(framed(std::string{'\x22'} + "\xff\xff\xff\xff\xff\xff\xff\xff\x7f")),
                  malformed);
}

CAF_TEST(metadata without a payload is refused) {
  CAF_CHECK_EQUAL(complaint(framed(version + apk)),
                  "the payload metadata names no configuration and no binary");
  CAF_CHECK_EQUAL(complaint(framed(text(4, ""))),
                  "the payload metadata names no configuration and no binary");
}
