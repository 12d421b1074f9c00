// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/partition_image.hpp"
#include "crosvisor/io/payload/metadata.hpp"
#include "crosvisor/tests/cli/inspect_fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#undef CAF_SUITE
#define CAF_SUITE cli.inspect

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;
using namespace std::string_literals;

namespace {

/// A stream of this process that goes into a file for a while.
class redirected {
public:
  redirected(int fd, const std::string& path)
      : fd_(fd), kept_(::dup(fd)), to_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600)) {
    std::cout.flush();
    std::cerr.flush();
    std::fflush(nullptr);
    ::dup2(to_.get(), fd_);
  }
  redirected(const redirected&) = delete;
  redirected& operator=(const redirected&) = delete;
  ~redirected() { ::dup2(kept_.get(), fd_); }

private:
  int fd_;
  io::unique_fd kept_, to_;
};

struct said {
  int exit_code;
  std::string out, err;
};

struct fixture : inspect_fixture {
  said run(const std::string& path, output_format how = output_format::table,
           const std::string& apk = "") const {
    said what{};
    {
      redirected out{STDOUT_FILENO, dir / "out"}, err{STDERR_FILENO, dir / "err"};
      what.exit_code = inspect({path, apk, how});
    }
    what.out = read_file(dir / "out");
    what.err = read_file(dir / "err");
    return what;
  }

  std::string made(partition_type type, std::uint64_t bytes) const {
    auto path = dir / "made.img";
    io::unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    io::job_control calm;
    if (auto written = io::make_partition_image(fd.get(), {type, bytes, {}}, calm); !written)
      CAF_FAIL(written.why().what);
    return path;
  }
};

/// A partition of an instance image.
std::string instance_part(const std::string& uuid, std::uint64_t bytes) {
  std::string head(512, '\0');
  head.replace(0, uuid.size(), uuid);
  io::put_little_endian(head, 16, bytes);
  return head + std::string((bytes + 511) / 512 * 512, 'p');
}

const std::string instance_head = "Android-VM-instance\1\0"s + std::string(512 - 21, '\0');
const std::string our_uuid = "\xb2\xa3\xc1\xde\x5d\x0f\x4b\x0c\x9c\x5e\x6f\x1a\x8d\x3e\x7c\x42";
const std::string microdroid_uuid =
  "\xcf\x9a\xfe\x9a\x06\x62\x11\xec\xa3\x29\xc3\x26\x63\xa0\x9d\x75";

io::payload_metadata sample_metadata() {
  io::payload_metadata metadata;
  metadata.apexes = {{"com.android.art", "microdroid-apex-0", 77, true}};
  metadata.config_path = "/mnt/apk/assets/vm_config.json";
  return metadata;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(inspect_tests, fixture)

CAF_TEST(the command line is read) {
  auto line = parse_arguments({"inspect", "disk.img", "-o", "json", "--apk", "a.apk"});
  const auto* arguments = std::get_if<inspect_arguments>(&line);
  CAF_REQUIRE(arguments != nullptr);
  CAF_CHECK_EQUAL(arguments->path, "disk.img");
  CAF_CHECK_EQUAL(arguments->apk, "a.apk");
  CAF_CHECK(arguments->output == output_format::json);
  line = parse_arguments({"inspect"});
  CAF_REQUIRE(std::holds_alternative<usage_error>(line));
  CAF_CHECK_EQUAL(std::get<usage_error>(line).what,
                  "FILE is required; see `crosvisor inspect --help`");
  line = parse_arguments({"inspect", "--help"});
  CAF_REQUIRE(std::holds_alternative<text_answer>(line));
  CAF_CHECK(std::get<text_answer>(line).text.find("  crosvisor inspect disk.img -o json\n")
            != std::string::npos);
}

CAF_TEST(a raw file is sound) {
  auto path = dir.write("raw.img", "nothing in particular");
  auto answer = run(path);
  CAF_CHECK_EQUAL(answer.exit_code, done);
  CAF_CHECK_EQUAL(answer.out, "file      " + path
                                + "\n"
                                  "format    raw\n"
                                  "size      21 bytes\n"
                                  "remarks   none\n"
                                  "problems  none\n");
  CAF_CHECK_EQUAL(answer.err, "");
  answer = run(dir.write("empty", ""), output_format::json);
  CAF_CHECK_EQUAL(answer.exit_code, done);
  CAF_CHECK_EQUAL(answer.out, "{\n  \"schema\": 1,\n  \"file\": \"" + (dir / "empty")
                                + "\",\n  \"format\": \"raw\",\n  \"size_bytes\": 0,\n"
                                  "  \"remarks\": [],\n  \"problems\": []\n}\n");
  CAF_CHECK_EQUAL(verdict_of(std::string(8192, '\0')), "raw: ");
  CAF_CHECK_EQUAL(verdict_of("\x28\xb5\x2f\xfd"), "zstd: ");
}

CAF_TEST(problems are listed and the facts are still there) {
  auto path = dir.write("i.img", instance_head.substr(0, 100));
  auto answer = run(path);
  CAF_CHECK_EQUAL(answer.exit_code, failed);
  CAF_CHECK_EQUAL(answer.out, "file      " + path
                                + "\n"
                                  "format    instance\n"
                                  "size      100 bytes\n"
                                  "remarks   none\n"
                                  "problems  has no room for its header of 512 bytes\n");
  CAF_CHECK_EQUAL(answer.err, "");
  answer = run(path, output_format::json);
  CAF_CHECK_EQUAL(answer.exit_code, failed);
  CAF_CHECK_EQUAL(ordered_facts::parse(answer.out)["problems"].size(), 1u);
}

CAF_TEST(what can not be opened is a usage error) {
  auto refused = [&](const std::string& path, const std::string& why) {
    auto answer = run(path);
    CAF_CHECK_EQUAL(answer.exit_code, usage);
    CAF_CHECK_EQUAL(answer.out, "");
    CAF_CHECK_EQUAL(answer.err, "crosvisor: " + path + ": " + why + "\n");
  };
  refused(dir / "none", "no such file");
  refused(dir.path(), "is neither a file nor a block device");
  ::mkfifo((dir / "fifo").c_str(), 0600);
  refused(dir / "fifo", "is neither a file nor a block device");
  refused("/dev/null", "is neither a file nor a block device");
  auto raw = dir.write("raw", "x");
  auto answer = run(raw, output_format::table, dir / "none");
  CAF_CHECK_EQUAL(answer.exit_code, usage);
  CAF_CHECK_EQUAL(answer.err, "crosvisor: " + (dir / "none") + ": no such file\n");
  answer = run(raw, output_format::table, raw);
  CAF_CHECK_EQUAL(answer.exit_code, usage);
  CAF_CHECK_EQUAL(answer.err, "crosvisor: " + raw
                                + ": is no idsig but raw; only an idsig is held against an APK\n");
}

CAF_TEST(partitions of ours are known) {
  auto found = look(made(partition_type::instance, 10 << 20));
  CAF_CHECK_EQUAL(verdict(found), "instance: ");
  CAF_CHECK_EQUAL(found.facts.dump(), R"({"version":1,"used_bytes":512,"partitions":[]})");
  found = look(made(partition_type::encryptedstore, 4096));
  CAF_CHECK_EQUAL(verdict(found), "encryptedstore: ");
  CAF_CHECK_EQUAL(found.facts["formatted"], false);
  CAF_CHECK_EQUAL(verdict(look(made(partition_type::raw, 4096))), "raw: ");
  CAF_CHECK_EQUAL(verdict(look(made(partition_type::qcow2, 4096))), "qcow2: ");
  CAF_CHECK_EQUAL(verdict_of("UNFORMATTED-STORAGE"),
                  "encryptedstore: has 19 bytes, no multiple of 4096");
}

CAF_TEST(partitions of an instance image are shown with their owners) {
  auto found =
    look_at(instance_head + instance_part(microdroid_uuid, 700) + instance_part(our_uuid, 0)
            + instance_part(std::string(16, 'x'), 512) + std::string(2048, '\0'));
  CAF_CHECK_EQUAL(verdict(found), "instance: ");
  CAF_CHECK_EQUAL(
    found.facts.dump(),
    R"({"version":1,"used_bytes":3584,"partitions":[)"
    R"({"offset":1024,"size_bytes":700,"uuid":"cf9afe9a-0662-11ec-a329-c32663a09d75",)"
    R"("owner":"microdroid"},)"
    R"({"offset":2560,"size_bytes":0,"uuid":"b2a3c1de-5d0f-4b0c-9c5e-6f1a8d3e7c42",)"
    R"("owner":"crosvisor's guest"},)"
    R"({"offset":3072,"size_bytes":512,"uuid":"78787878-7878-7878-7878-787878787878",)"
    R"("owner":"unknown"}]})");
}

CAF_TEST(a damaged instance image is told) {
  auto head = instance_head;
  head[19] = 2;
  CAF_CHECK_EQUAL(verdict_of(head), "instance: has version 2; known is 1");
  auto whole = instance_head + instance_part(our_uuid, 600);
  CAF_CHECK_EQUAL(verdict_of(whole), "instance: ");
  CAF_CHECK_EQUAL(verdict_of(whole.substr(0, 1600)),
                  "instance: the partition at 512 has 600 bytes, more than the image");
  io::put_little_endian(whole, 512 + 16, ~std::uint64_t{0});
  CAF_CHECK_EQUAL(verdict_of(whole), "instance: the partition at 512 has 18446744073709551615 "
                                     "bytes, more than the image");
  std::string many = instance_head;
  for (int i = 0; i < 100; ++i)
    many += instance_part(our_uuid, 0);
  auto found = look_at(many);
  CAF_CHECK_EQUAL(found.facts["partitions"].size(), 64u);
  CAF_CHECK_EQUAL(joined(found.remarks), "only the first 64 partitions are shown");
}

CAF_TEST(payload metadata is shown) {
  auto metadata = sample_metadata();
  auto found = look_at(io::serialize(metadata) + std::string(4096, '\0'));
  CAF_CHECK_EQUAL(verdict(found), "payload_metadata: ");
  CAF_CHECK_EQUAL(
    found.facts.dump(),
    R"({"version":1,"config_path":"/mnt/apk/assets/vm_config.json","apk":{"name":"apk",)"
    R"("partition":"microdroid-apk","idsig_partition":"microdroid-apk-idsig"},"apexes":[)"
    R"({"factory":true,"last_update_seconds":77,"partition":"microdroid-apex-0",)"
    R"("name":"com.android.art"}]})");
  metadata.payload_binary = "p.so";
  metadata.extra_apk_count = 2;
  found = look_at(io::serialize(metadata));
  CAF_CHECK_EQUAL(found.facts["payload_binary"], "p.so");
  CAF_CHECK_EQUAL(found.facts["extra_apk_count"], 2);
  metadata = {};
  metadata.apk_partition.clear();
  CAF_CHECK_EQUAL(verdict_of(io::serialize(metadata)),
                  "payload_metadata: names neither a configuration nor a payload; names no "
                  "partition for the APK or its idsig");
  auto bytes = io::serialize(sample_metadata());
  CAF_CHECK_EQUAL(verdict_of(bytes.substr(0, bytes.size() - 1)), "raw: ");
}

CAF_TEST(people see the same facts in a table) {
  auto found = look_at(io::serialize(sample_metadata()));
  found.problems = {"the first", "the second"};
  auto report = report_of(found, "m.img", 200);
  CAF_CHECK_EQUAL(report_table(report, term{}),
                  "file         m.img\n"
                  "format       payload_metadata\n"
                  "size         200 bytes\n"
                  "version      1\n"
                  "config path  /mnt/apk/assets/vm_config.json\n"
                  "apk\n"
                  "  name             apk\n"
                  "  partition        microdroid-apk\n"
                  "  idsig partition  microdroid-apk-idsig\n"
                  "apexes\n"
                  "  FACTORY  LAST UPDATE SECONDS  PARTITION          NAME\n"
                  "  yes      77                   microdroid-apex-0  com.android.art\n"
                  "remarks      none\n"
                  "problems     the first\n"
                  "             the second\n");
  CAF_CHECK(report_table(report, term{true}).find("\x1b[31mthe first\x1b[0m\n")
            != std::string::npos);
}

CAF_TEST(what strangers wrote steers no terminal) {
  auto metadata = sample_metadata();
  metadata.config_path = "/mnt/apk/\x1b[2J\xc2\x9b";
  metadata.apexes = {{"\xc3\xbc", "\xc3\xbc", 1, false}, {"name", "a\nb", 2, false}};
  auto found = look_at(io::serialize(metadata));
  CAF_REQUIRE_EQUAL(found.format, "payload_metadata");
  auto report = report_of(found, "evil\x1b\xff.img", 1);
  auto table = report_table(report, term{});
  CAF_CHECK(table.starts_with("file         evil\\x1b\\xff.img\n"));
  CAF_CHECK(table.find("config path  /mnt/apk/\\x1b[2J\\xc2\\x9b\n") != std::string::npos);
  CAF_CHECK(table.find("  no       1                    \xc3\xbc          \xc3\xbc\n"
                       "  no       2                    a\\x0ab     name\n")
            != std::string::npos);
  auto json = report_json(report);
  for (auto byte : json)
    CAF_CHECK((byte >= ' ' && byte < 0x7f) || byte == '\n');
  CAF_CHECK_EQUAL(ordered_facts::parse(json)["config_path"].get<std::string>(),
                  metadata.config_path);
}

CAF_TEST_FIXTURE_SCOPE_END()
