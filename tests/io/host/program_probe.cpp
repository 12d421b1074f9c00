// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/program_probe.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <map>

#undef CAF_SUITE
#define CAF_SUITE io.host.program_probe

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

command_output printed(const std::string& out, int code = 0) {
  return {{exit_kind::code, code}, false, false, out, {}};
}

// A program that answers by its first two arguments.
struct played {
  std::map<std::string, result<command_output>> answers;

  program_runner runner() {
    return [this](std::vector<std::string> arguments) {
      auto key = arguments.size() > 1 ? arguments[0] + ' ' + arguments[1] : arguments[0];
      auto i = answers.find(key);
      return i == answers.end() ? result<command_output>{printed("?", 35)} : i->second;
    };
  }
};

played crosvm() {
  return {{{"version", printed("crosvm 0.1.0-abc\n")},
           {"--help", printed("--extended-status\n  balloon_stats x\n  powerbtn x\n")},
           {"run --help", printed("--block x\n--vsock x\n--disable-sandbox\n--name x\n")}}};
}

std::string why_not_crosvm(played play) {
  auto vmm = probe_crosvm("/x/crosvm", play.runner());
  CAF_CHECK(!vmm.usable.available);
  return vmm.usable.detail;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words)
    all += (all.empty() ? "" : " ") + word;
  return all;
}

} // namespace

CAF_TEST(a word is one only when it stands alone) {
  CAF_CHECK(mentions("--block PATH", "--block"));
  CAF_CHECK(mentions("a,--block", "--block"));
  CAF_CHECK(!mentions("--block-size", "--block"));
  CAF_CHECK(!mentions("x--block", "--block"));
  CAF_CHECK(!mentions("", "--block"));
  CAF_CHECK(mentions("--block-size --block", "--block"));
}

CAF_TEST(features are seen in what the help says) {
  auto todays = crosvm_features("--extended-status create_composite create_qcow2 powerbtn "
                                "balloon_stats",
                                "--block --vsock --name");
  CAF_CHECK_EQUAL(joined(todays), "extended-status composite-disk qcow2 powerbtn balloon "
                                  "vsock-descriptor name");
  CAF_CHECK_EQUAL(joined(crosvm_features("create_qcow2 - x", "--rwdisk=PATH --cid=CID")),
                  "legacy-command-line qcow2");
  CAF_CHECK_EQUAL(joined(crosvm_features("", "--block --cid --vhost-vsock-fd")),
                  "legacy-command-line vsock-descriptor");
}

CAF_TEST(a crosvm that answers is usable) {
  auto vmm = probe_crosvm("/x/crosvm", crosvm().runner());
  CAF_CHECK(vmm.usable.available);
  CAF_CHECK_EQUAL(vmm.version, "crosvm 0.1.0-abc");
  CAF_CHECK_EQUAL(joined(vmm.features), "extended-status powerbtn balloon vsock-descriptor name");
}

CAF_TEST(a help that fails is read all the same) {
  auto play = crosvm();
  play.answers.at("--help") = printed("invalid subcommand\n balloon_stats - x\n", 1);
  CAF_CHECK(has(joined(probe_crosvm("/x/crosvm", play.runner()).features), "balloon"));
}

CAF_TEST(each way of not being a crosvm has its sentence) {
  auto play = crosvm();
  play.answers.at("version") = printed("Welcome!\x1b\n");
  CAF_CHECK_EQUAL(why_not_crosvm(play), "\"/x/crosvm\" is no crosvm: asked for its version, it "
                                        "printed \"Welcome!\\x1b\"");
  play.answers.at("version") = printed("");
  CAF_CHECK(has(why_not_crosvm(play), "it printed nothing"));
  play.answers.at("version") =
    command_output{{exit_kind::code, 127}, false, false, "", "no libx\n"};
  CAF_CHECK_EQUAL(why_not_crosvm(play), "\"/x/crosvm\" does not work: `version` ended with exit "
                                        "code 127: no libx; install it anew");
  play.answers.at("version") = command_output{{exit_kind::signal, 11}, false, false, "", ""};
  CAF_CHECK(has(why_not_crosvm(play), "ended with signal 11; install"));
  play.answers.at("version") = command_output{{exit_kind::signal, 9}, true, false, "", ""};
  CAF_CHECK(has(why_not_crosvm(play), "hangs: it did not answer `version` in time"));
  play.answers.at("version") = command_output{{exit_kind::signal, 9}, false, true, "y\n", ""};
  CAF_CHECK(has(why_not_crosvm(play), "prints without end"));
  play.answers.at("version") = failure{ENOEXEC, "exec: Exec format error"};
  CAF_CHECK(has(why_not_crosvm(play), "can't be run: exec: Exec format error"));
  play = crosvm();
  play.answers.at("run --help") = printed("some options\n");
  CAF_CHECK(has(why_not_crosvm(play), "none of the options"));
}

CAF_TEST(a QEMU is asked for its version and accelerators) {
  played play{{{"--version", printed("QEMU emulator version 7.2.22 (Debian)\nCopyright\n")},
               {"-accel help", printed("Accelerators supported in QEMU binary:\ntcg\nkvm\n")}}};
  auto vmm = probe_qemu("/x/qemu", play.runner());
  CAF_CHECK(vmm.usable.available);
  CAF_CHECK_EQUAL(vmm.version, "QEMU emulator version 7.2.22 (Debian)");
  CAF_CHECK_EQUAL(joined(vmm.features), "kvm tcg");
  play.answers.at("--version") = printed("QEMU emulator version 10.0.2\n");
  CAF_CHECK(probe_qemu("/x/qemu", play.runner()).usable.available);
  play.answers.at("--version") = printed("QEMU emulator version 6.2.0\n");
  CAF_CHECK_EQUAL(probe_qemu("/x/qemu", play.runner()).usable.detail,
                  "QEMU emulator version 6.2.0 is too old; 7.2 or newer is needed");
  play.answers.at("--version") = printed("qemu?\n");
  CAF_CHECK(has(probe_qemu("/x/qemu", play.runner()).usable.detail, "is no QEMU"));
}

CAF_TEST(the first program of a name is found and one that was named is the only one) {
  temp_dir dir;
  std::filesystem::create_directory(dir / "a");
  std::filesystem::create_directory(dir / "b");
  program_search search{"", "vmm", {dir / "a", dir / "b"}, "install it"};
  auto found = find_program(search);
  CAF_REQUIRE(!found);
  CAF_CHECK_EQUAL(found.why().what,
                  "no vmm in " + (dir / "a") + ", " + (dir / "b") + "; install it");
  auto there = dir.write("b/vmm", "", 0755);
  found = find_program(search);
  CAF_REQUIRE(found);
  CAF_CHECK_EQUAL(*found, there);
  search.given = dir / "c";
  found = find_program(search);
  CAF_REQUIRE(!found);
  CAF_CHECK(has(found.why().what, "vmm: \"" + (dir / "c") + "\": No such file"));
}

CAF_TEST(what can not be executed is told apart) {
  temp_dir dir;
  auto why = [](const std::string& path) {
    auto found = find_program({path, "vmm", {}, ""});
    CAF_REQUIRE(!found);
    return found.why().what;
  };
  CAF_CHECK(has(why(dir.path()), "is a directory"));
  CAF_CHECK(has(why(dir.write("plain", "", 0644)), "is not executable"));
  CAF_CHECK(has(why("/dev/null"), "is no program"));
}
