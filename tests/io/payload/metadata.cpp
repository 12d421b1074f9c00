// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/metadata.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.payload.metadata

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

payload_metadata with_config() {
  payload_metadata metadata;
  metadata.config_path = "/mnt/apk/assets/vm_config.json";
  metadata.apexes = {{"com.android.i18n", "microdroid-apex-0", 1'629'400'000, true},
                     {"com.android.os.statsd", "microdroid-apex-1", 0, false}};
  return metadata;
}

std::string problem(const std::string& bytes) {
  auto metadata = parse_payload_metadata(bytes);
  return metadata ? "" : metadata.why().what;
}

// What protoc, which knows nothing of ours, sees in a message.
std::string judged(const std::string& arguments, const std::string& body) {
  temp_dir dir;
  auto said = ask("protoc " + arguments + " < " + dir.write("body", body));
  CAF_REQUIRE_EQUAL(said.exit_code, 0);
  return said.out;
}

} // namespace

CAF_TEST(what is written is read again) {
  auto read = parse_payload_metadata(serialize(with_config()));
  CAF_REQUIRE(read);
  CAF_CHECK_EQUAL(read->version, 1u);
  CAF_CHECK_EQUAL(read->apk_name, "apk");
  CAF_CHECK_EQUAL(read->apk_partition, "microdroid-apk");
  CAF_CHECK_EQUAL(read->idsig_partition, "microdroid-apk-idsig");
  CAF_CHECK_EQUAL(read->config_path, "/mnt/apk/assets/vm_config.json");
  CAF_REQUIRE_EQUAL(read->apexes.size(), std::size_t{2});
  CAF_CHECK_EQUAL(read->apexes[0].name, "com.android.i18n");
  CAF_CHECK_EQUAL(read->apexes[0].partition, "microdroid-apex-0");
  CAF_CHECK_EQUAL(read->apexes[0].last_update_seconds, 1'629'400'000u);
  CAF_CHECK(read->apexes[0].factory && !read->apexes[1].factory);
}

CAF_TEST(the length is big endian and what follows the message is filler) {
  auto bytes = serialize(with_config());
  std::string prefix{"\0\0\0", 3};
  prefix += static_cast<char>(bytes.size() - 4);
  CAF_CHECK(bytes.starts_with(prefix));
  bytes.resize(4096);
  auto read = parse_payload_metadata(bytes);
  CAF_CHECK(read && read->apexes.size() == 2);
}

CAF_TEST(protoc decodes the numbers of Android) {
  CAF_CHECK_EQUAL(judged("--decode_raw", serialize(with_config()).substr(4)),
                  "1: 1\n"
                  "2 {\n  1: \"com.android.i18n\"\n  2: \"microdroid-apex-0\"\n  5: 1629400000\n"
                  "  6: 1\n}\n"
                  "2 {\n  1: \"com.android.os.statsd\"\n  2: \"microdroid-apex-1\"\n}\n"
                  "3 {\n  1: \"apk\"\n  2: \"microdroid-apk\"\n  3: \"microdroid-apk-idsig\"\n}\n"
                  "4: \"/mnt/apk/assets/vm_config.json\"\n");
  payload_metadata binary;
  binary.payload_binary = "payload.so";
  binary.extra_apk_count = 2;
  CAF_CHECK_EQUAL(judged("--decode_raw", serialize(binary).substr(4)),
                  "1: 1\n"
                  "3 {\n  1: \"apk\"\n  2: \"microdroid-apk\"\n  3: \"microdroid-apk-idsig\"\n}\n"
                  "5 {\n  1: \"payload.so\"\n  2: 2\n}\n");
}

CAF_TEST(the definition of 2021 decodes it too) {
  temp_dir dir;
  dir.write("m.proto", R"(syntax = "proto3";
message Apex { string name = 1; string partition_name = 2; string publicKey = 3;
  string rootDigest = 4; }
message Apk { string name = 1; string payload_partition_name = 2;
  string idsig_partition_name = 3; }
message Metadata { uint32 version = 1; repeated Apex apexes = 2; Apk apk = 3;
  string payload_config_path = 4; })");
  payload_metadata metadata;
  metadata.config_path = "/mnt/apk/c.json";
  metadata.apexes = {{"a", "microdroid-apex-0", 0, false}};
  CAF_CHECK_EQUAL(judged("--proto_path=" + dir.path() + " --decode=Metadata m.proto",
                         serialize(metadata).substr(4)),
                  "version: 1\n"
                  "apexes {\n  name: \"a\"\n  partition_name: \"microdroid-apex-0\"\n}\n"
                  "apk {\n  name: \"apk\"\n  payload_partition_name: \"microdroid-apk\"\n"
                  "  idsig_partition_name: \"microdroid-apk-idsig\"\n}\n"
                  "payload_config_path: \"/mnt/apk/c.json\"\n");
}

CAF_TEST(a payload binary and its extra APKs are read again) {
  payload_metadata metadata;
  metadata.payload_binary = "payload.so";
  metadata.extra_apk_count = 3;
  auto read = parse_payload_metadata(serialize(metadata));
  CAF_REQUIRE(read);
  CAF_CHECK_EQUAL(read->config_path, "");
  CAF_CHECK_EQUAL(read->payload_binary, "payload.so");
  CAF_CHECK_EQUAL(read->extra_apk_count, 3u);
}

CAF_TEST(lengths that can not be are refused) {
  CAF_CHECK_EQUAL(problem(""), "payload metadata: has 0 bytes, not even a length");
  CAF_CHECK_EQUAL(problem("abc"), "payload metadata: has 3 bytes, not even a length");
  CAF_CHECK_EQUAL(problem(std::string{"\xff\xff\xff\xff....", 8}),
                  "payload metadata: says that it has 4294967295 bytes; at most 1048576 are "
                  "allowed");
  CAF_CHECK_EQUAL(problem(std::string{"\0\0\0\x05....", 8}),
                  "payload metadata: says that it has 5 bytes; it has 4");
}

CAF_TEST(what is no message of version 1 is refused) {
  CAF_CHECK_EQUAL(problem(std::string{"\0\0\0\x04\xff\xff\xff\xff", 8}),
                  "payload metadata: is damaged: no protobuf message Metadata");
  CAF_CHECK_EQUAL(problem(std::string(4, '\0')), "payload metadata: has version 0; known is 1");
  auto bytes = serialize(with_config());
  bytes[5] = 2;
  CAF_CHECK_EQUAL(problem(bytes), "payload metadata: has version 2; known is 1");
}
