// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/os_definition.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE io.payload.os_definition

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr const char* plain = R"({"kernel": "vmlinux"})";

std::string problem(const std::string& text) {
  auto os = parse_os_definition(text, "/etc/os/x.json");
  return os ? "" : os.why().what;
}

// The problem of a definition with a kernel and, from column 17 on, `members`.
std::string problem_with(const std::string& members) {
  return problem("{\"kernel\": \"k\", " + members + "}");
}

struct fixture {
  temp_dir dir;

  // The definition's kernel; or the problem.
  std::string load(const std::string& name) {
    auto os = load_os_definition(dir.path(), name);
    if (os)
      return os->config.kernel.path;
    CAF_CHECK_EQUAL(os.why().code, 0);
    return os.why().what;
  }

  std::string file(const std::string& name) { return dir / name; }
};

} // namespace

CAF_TEST(every key of an operating system is read) {
  auto os = parse_os_definition(R"({
    "kernel": "k", "initrd": "i", "params": "quiet", "memory_mib": 512, "guest_protocol": true,
    "disks": [{"image": "system.img", "writable": false, "role": "system"}],
    "debug": {"initrd": "d", "params": "debug", "bootconfig": "b"},
    "apexes": {"list": "apex-info-list.xml", "always": ["a", "b"], "debug": ["c"]}})",
                                "/etc/os/x.json");
  CAF_REQUIRE(os);
  CAF_CHECK_EQUAL(os->file, "/etc/os/x.json");
  CAF_CHECK_EQUAL(os->config.kernel.path, "k");
  CAF_CHECK_EQUAL(os->config.params, "quiet");
  CAF_CHECK_EQUAL(os->config.memory_mib, 512u);
  CAF_CHECK(os->config.guest_protocol);
  CAF_CHECK_EQUAL(os->config.disks.size(), std::size_t{1});
  CAF_CHECK(!os->instance_disk);
  CAF_CHECK_EQUAL(os->debug.initrd, "d");
  CAF_CHECK_EQUAL(os->debug.params, "debug");
  CAF_CHECK_EQUAL(os->debug.bootconfig, "b");
  CAF_CHECK_EQUAL(os->apexes.list, "apex-info-list.xml");
  CAF_CHECK_EQUAL(os->apexes.always, (std::vector<std::string>{"a", "b"}));
  CAF_CHECK_EQUAL(os->apexes.debug, std::vector<std::string>{"c"});
}

CAF_TEST(the keys of a VM and their errors are the same) {
  CAF_CHECK_EQUAL(problem_with(R"("memory_mb": 1)"),
                  "/etc/os/x.json:1:17: unknown key \"memory_mb\"; did you mean \"memory_mib\"?");
  CAF_CHECK_EQUAL(problem_with(R"("disks": [{"image": "x", "role": "system"}])"),
                  "/etc/os/x.json:1:27: disks[0].writable: missing; say true or false");
  CAF_CHECK_EQUAL(problem("{}").find("/etc/os/x.json:1:1: kernel: missing"), 0u);
  CAF_CHECK_EQUAL(problem("[]"),
                  "/etc/os/x.json:1:1: configuration: expected an object, got an array");
  CAF_CHECK_EQUAL(problem("").find("/etc/os/x.json:1:1: malformed JSON"), 0u);
}

CAF_TEST(keys of its own are checked as strictly) {
  CAF_CHECK_EQUAL(problem_with(R"("debug": {"inirtd": "x"})"),
                  "/etc/os/x.json:1:27: unknown key \"inirtd\"; did you mean \"initrd\"?");
  CAF_CHECK_EQUAL(problem_with(R"("debug": 1)"),
                  "/etc/os/x.json:1:26: debug: expected an object, got 1");
  CAF_CHECK_EQUAL(problem_with(R"("apexes": {})"), "/etc/os/x.json:1:27: apexes.list: missing");
  CAF_CHECK_EQUAL(problem_with(R"("apexes": {"list": "apexes"})"),
                  "/etc/os/x.json:1:36: apexes.list: expected the path of an .xml or .json file, "
                  "got \"apexes\"");
  CAF_CHECK_EQUAL(problem_with(R"("apexes": {"list": "l.xml", "always": [1]})"),
                  "/etc/os/x.json:1:56: apexes.always[0]: expected text, got 1");
  CAF_CHECK_EQUAL(problem(R"({"bootloader": "b", "debug": {"initrd": "i"}})"),
                  "/etc/os/x.json:1:1: debug.initrd: goes with a kernel");
}

CAF_TEST(a role is one of two and instance is given once) {
  CAF_CHECK_EQUAL(problem_with(R"("disks": [{"image": "x", "writable": false, "role": "data"}])"),
                  "/etc/os/x.json:1:69: disks[0].role: expected \"system\" or \"instance\", got "
                  "\"data\"");
  CAF_CHECK_EQUAL(problem_with(R"("disks": [{"role": "instance"}, {"role": "instance"}])"),
                  "/etc/os/x.json:1:58: disks[1].role: disks[0] is the instance disk already");
  CAF_CHECK_EQUAL(
    problem_with(R"("disks": [{"image": "x", "writable": false, "role": "instance"}])"),
    "/etc/os/x.json:1:27: disks[0]: the instance disk needs partitions, and writable true");
}

CAF_TEST(an instance disk has partitions that are only read) {
  auto with = [](const std::string& members) {
    return R"({"kernel": "k", "disks": [{"role": "instance", )" + members + "}]}";
  };
  const std::string env = R"("partitions": [{"label": "uboot_env", "path": "e"}])";
  auto os = parse_os_definition(with(R"("writable": true, )" + env), "x");
  CAF_REQUIRE(os);
  CAF_CHECK(os->instance_disk == std::optional<std::size_t>{0});
  CAF_CHECK_EQUAL(
    problem(with(R"("writable": false, )" + env)),
    "/etc/os/x.json:1:27: disks[0]: the instance disk needs partitions, and writable true");
  CAF_CHECK_EQUAL(
    problem(
      with(R"("writable": true, "partitions": [{"label": "e", "path": "e", "writable": true}])")),
    "/etc/os/x.json:1:27: disks[0].partitions[0].writable: an operating system's image is only "
    "read; make it false");
}

CAF_TEST(an image that its VMs would write is refused) {
  CAF_CHECK_EQUAL(problem_with(R"("disks": [{"image": "x", "writable": true}])"),
                  "/etc/os/x.json:1:27: disks[0].writable: an operating system's image is only "
                  "read; make it false");
}

CAF_TEST(names of APEXes are bounded in number) {
  std::string names;
  for (std::size_t i = 0; i <= max_os_apexes; ++i)
    names += (i > 0 ? ",\"a\"" : "\"a\"");
  CAF_CHECK_EQUAL(problem_with("\"apexes\": {\"list\": \"l.xml\", \"debug\": [" + names + "]}"),
                  "/etc/os/x.json:1:54: apexes.debug: 65 given; at most 64 are allowed");
}

CAF_TEST_FIXTURE_SCOPE(os_folder_tests, fixture)

CAF_TEST(names are those of the regular JSON files) {
  dir.write("microdroid.json", plain);
  dir.write("debian-12.json", plain);
  dir.write("README.md", "");
  dir.write("1st.json", plain);
  dir.write(".json", plain);
  std::filesystem::create_directory(file("folder.json"));
  std::filesystem::create_symlink("microdroid.json", file("link.json"));
  auto names = list_operating_systems(dir.path());
  CAF_REQUIRE(names);
  CAF_CHECK_EQUAL(*names, (std::vector<std::string>{"debian-12", "microdroid"}));
  CAF_CHECK_EQUAL(load("microdroid"), "vmlinux");
  CAF_CHECK_EQUAL(load("debian-12"), "vmlinux");
}

CAF_TEST(a name is nothing but a name) {
  dir.write("microdroid.json", plain);
  std::filesystem::create_directory(file("folder"));
  dir.write("folder/inner.json", plain);
  std::filesystem::create_symlink("microdroid.json", file("link.json"));
  for (std::string name : {"x", "../x", "./microdroid", "folder/inner", "microdroid.json", "link",
                           "", "/etc/passwd", "microdroi", "Microdroid"})
    CAF_CHECK_EQUAL(load(name),
                    "unknown operating system \"" + name + "\"; this host offers microdroid");
  CAF_CHECK_EQUAL(load(std::string{"microdroid\0", 11}),
                  "unknown operating system \"microdroid\\x00\"; this host offers microdroid");
}

CAF_TEST(a host without operating systems says so) {
  CAF_CHECK_EQUAL(load("microdroid"), "unknown operating system \"microdroid\"; this host offers "
                                      "none in \""
                                        + dir.path() + "\"");
  auto missing = load_os_definition(dir / "none", "microdroid");
  CAF_REQUIRE(!missing);
  CAF_CHECK_EQUAL(missing.why().what,
                  "folder of operating systems \"" + dir / "none" + "\": no such file");
  auto relative = load_os_definition("os", "microdroid");
  CAF_REQUIRE(!relative);
  CAF_CHECK_EQUAL(relative.why().what,
                  "folder of operating systems \"os\": expected an absolute path");
}

CAF_TEST(a definition that others can write is refused) {
  auto path = dir.write("x.json", plain, 0646);
  CAF_CHECK_EQUAL(load("x"), path + ": can be written by everybody; chmod it to o-w");
  ::chmod(path.c_str(), 0664);
  CAF_CHECK_EQUAL(load("x"), "vmlinux"); // Of our own group.
  if (::chown(path.c_str(), static_cast<uid_t>(-1), ::getegid() + 1) == 0)
    CAF_CHECK_EQUAL(load("x"), path + ": can be written by group " + std::to_string(::getegid() + 1)
                                 + "; chmod it to g-w");
  else
    CAF_MESSAGE("skipped what needs another group: only root may give files to any");
  ::chmod(dir.path().c_str(), 0777);
  CAF_CHECK_EQUAL(load("x"), "folder of operating systems \"" + dir.path()
                               + "\": can be written by everybody; chmod it to o-w");
}

CAF_TEST(a definition is bounded and its errors name the file) {
  auto path = dir.write("x.json", "{\n  \"kernel\": 1}");
  CAF_CHECK_EQUAL(load("x"), path + ":2:13: kernel: expected the path of a file, got 1");
  dir.write("x.json", std::string((1u << 20) + 1, ' '));
  CAF_CHECK_EQUAL(load("x"), path + ":1:1: larger than 1 MiB");
}

CAF_TEST(too many operating systems are refused) {
  for (std::size_t i = 0; i <= max_operating_systems; ++i)
    dir.write("os" + std::to_string(i) + ".json", plain);
  CAF_CHECK_EQUAL(load("os0"),
                  "folder of operating systems \"" + dir.path() + "\": more than 256 are defined");
}

CAF_TEST(nothing stays open) {
  dir.write("x.json", plain);
  dir.write("bad.json", "{");
  auto held = to_string(holdings{});
  load("x");
  load("y");
  load("bad");
  CAF_CHECK_EQUAL(to_string(holdings{}), held);
}

CAF_TEST_FIXTURE_SCOPE_END()
