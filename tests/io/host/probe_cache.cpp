// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/probe_cache.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.host.probe_cache

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string program = dir.write("crosvm", "#!/bin/sh\n", 0755);
  std::string device = dir.write("kvm", "");
  std::string place = dir / "cache";
  std::string file = place + "/host-probe.json";

  fixture() {
    std::filesystem::create_directory(place);
    probe_findings findings;
    findings.programs.push_back(
      {*identify(program),
       {vmm_kind::crosvm, program, "crosvm 1", {true, {}}, {"extended-status", "powerbtn"}}});
    findings.kvm = {*identify(device), {true, "fast"}};
    auto stored = store_findings(place, findings);
    CAF_REQUIRE(stored);
  }

  bool is_known() { return load_findings(place).find_program(program).has_value(); }

  // Replaces a part of the kept text.
  void edit(const std::string& from, const std::string& to) {
    auto text = read_file(file);
    auto at = text.find(from);
    CAF_REQUIRE(at != text.npos);
    dir.write("cache/host-probe.json", text.replace(at, from.size(), to), 0600);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(probe_cache_tests, fixture)

CAF_TEST(what was found is found again) {
  auto vmm = load_findings(place).find_program(program);
  CAF_REQUIRE(vmm.has_value());
  CAF_CHECK(vmm->kind == vmm_kind::crosvm);
  CAF_CHECK_EQUAL(vmm->path, program);
  CAF_CHECK_EQUAL(vmm->version, "crosvm 1");
  CAF_CHECK(vmm->usable.available);
  CAF_CHECK(vmm->features == std::vector<std::string>({"extended-status", "powerbtn"}));
  auto kvm = load_findings(place).find_device(device);
  CAF_REQUIRE(kvm.has_value());
  CAF_CHECK(kvm->available);
  CAF_CHECK_EQUAL(kvm->detail, "fast");
}

CAF_TEST(the file is whole and nobody else reads it) {
  struct stat about {};
  CAF_REQUIRE_EQUAL(::stat(file.c_str(), &about), 0);
  CAF_CHECK_EQUAL(about.st_mode & 0777, 0600u);
  CAF_CHECK_EQUAL(names_in(place), "host-probe.json");
}

CAF_TEST(a program that has changed is not known) {
  CAF_CHECK(is_known());
  dir.write("crosvm", "#!/bin/sh\n# longer\n", 0755);
  CAF_CHECK(!is_known());
  CAF_CHECK(load_findings(place).find_device(device).has_value());
}

CAF_TEST(a program that has gone is not known) {
  std::filesystem::remove(program);
  CAF_CHECK(!is_known());
}

CAF_TEST(findings of another boot or another format are none) {
  auto before = read_file(file);
  edit("\"boot_id\": \"", "\"boot_id\": \"0");
  CAF_CHECK(!is_known());
  dir.write("cache/host-probe.json", before, 0600);
  CAF_CHECK(is_known());
  edit("\"format\": 1", "\"format\": 2");
  CAF_CHECK(!is_known());
}

CAF_TEST(a file that makes no sense is as good as none) {
  for (const auto* text : {"", "{", "[]", "null", "{\"format\": 1}", "\xff\xfe"}) {
    dir.write("cache/host-probe.json", text, 0600);
    CAF_CHECK(!is_known());
  }
}

CAF_TEST(a field of another type is as good as none) {
  edit("\"features\": [", "\"features\": [5, ");
  CAF_CHECK(!is_known());
}

CAF_TEST(what others could have written is not believed) {
  std::filesystem::permissions(file, static_cast<std::filesystem::perms>(0666));
  CAF_CHECK(!is_known());
  std::filesystem::permissions(file, static_cast<std::filesystem::perms>(0600));
  CAF_CHECK(is_known());
  std::filesystem::rename(file, dir / "elsewhere");
  std::filesystem::create_symlink(dir / "elsewhere", file);
  CAF_CHECK(!is_known());
}

CAF_TEST(a huge file is not read) {
  dir.write("cache/host-probe.json", read_file(file) + std::string(1u << 20, ' '), 0600);
  CAF_CHECK(!is_known());
}

CAF_TEST(findings are replaced as a whole) {
  auto stored = store_findings(place, {});
  CAF_REQUIRE(stored);
  CAF_CHECK(!is_known());
  CAF_CHECK_EQUAL(names_in(place), "host-probe.json");
}

CAF_TEST(a directory that is not there is an error) {
  auto stored = store_findings(dir / "nowhere", {});
  CAF_REQUIRE(!stored);
  CAF_CHECK_EQUAL(stored.why().code, ENOENT);
  CAF_CHECK(load_findings(dir / "nowhere").programs.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
