// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/program_probe.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/vmm/crosvm_features.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace crosvisor::io {

namespace {

/// The oldest QEMU that the driver's command line is tried with: Debian 12's.
constexpr std::pair oldest_qemu{7, 2};

/// Why the file at `path` can't be executed; nothing where it can.
std::optional<failure> executable_problem(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0)
    return last_failure(in_quotes(path));
  if (S_ISDIR(about.st_mode))
    return failure{EISDIR, in_quotes(path) + " is a directory; name the program in it"};
  if (!S_ISREG(about.st_mode))
    return failure{EACCES, in_quotes(path) + " is no program"};
  if (::access(path.c_str(), X_OK) != 0)
    return failure{EACCES,
                   in_quotes(path) + " is not executable; set its mode, or install it anew"};
  return std::nullopt;
}

std::string describe(const exit_status& status) {
  return status.kind == exit_kind::signal ? "signal " + std::to_string(status.value)
                                          : "exit code " + std::to_string(status.value);
}

/// Why what came of `question` can't be used; nothing where it can.
/// @param may_fail whether an exit code other than 0 is as good.
std::optional<std::string> problem_of(const result<command_output>& ran, const std::string& path,
                                      const std::string& question, bool may_fail) {
  auto who = in_quotes(path);
  if (!ran)
    return who + " can't be run: " + ran.why().what + "; install it anew";
  if (ran->timed_out)
    return who + " hangs: it did not answer `" + question + "` in time; install it anew, or try "
           + "again when the host is less busy";
  if (ran->flooded)
    return who + " prints without end when it is asked `" + question + "`; install it anew";
  auto ended_well = ran->status.kind == exit_kind::code && (may_fail || ran->status.value == 0);
  if (ended_well)
    return std::nullopt;
  auto said = last_line(ran->err.empty() ? ran->out : ran->err);
  return who + " does not work: `" + question + "` ended with " + describe(ran->status)
         + (said.empty() ? "" : ": " + said) + "; install it anew";
}

vmm_info unusable(vmm_info vmm, std::string why) {
  vmm.usable = {false, std::move(why)};
  return vmm;
}

std::string everything(const command_output& output) {
  return output.out + '\n' + output.err;
}

std::optional<std::pair<int, int>> qemu_version(const std::string& line) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(line.c_str(), "QEMU emulator version %4d.%4d", &major, &minor) != 2)
    return std::nullopt;
  return std::pair{major, minor};
}

std::string no_version(const std::string& path, const char* what, const command_output& output) {
  auto said = first_line(output.out);
  return in_quotes(path) + " is no " + what + ": asked for its version, it printed "
         + (said.empty() ? "nothing" : in_quotes(said));
}

} // namespace

result<std::string> find_program(const program_search& search) {
  if (!search.given.empty()) {
    // A child does not start in our directory.
    auto path = std::filesystem::absolute(search.given).string();
    if (auto problem = executable_problem(path))
      return failure{problem->code, search.name + ": " + problem->what};
    return path;
  }
  std::optional<failure> first;
  std::string tried;
  for (const auto& dir : search.dirs) {
    auto path = dir + '/' + search.name;
    auto problem = executable_problem(path);
    if (!problem)
      return path;
    if (problem->code != ENOENT && !first)
      first = failure{problem->code, search.name + ": " + problem->what};
    tried += (tried.empty() ? "" : ", ") + dir;
  }
  if (first)
    return *first;
  return failure{ENOENT, "no " + search.name + " in " + tried + "; " + search.remedy};
}

bool mentions(const std::string& text, const std::string& word) {
  auto continues = [&](std::size_t at) {
    auto c = at < text.size() ? text[at] : ' ';
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
           || c == '_';
  };
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1))
    if ((at == 0 || !continues(at - 1)) && !continues(at + word.size()))
      return true;
  return false;
}

std::vector<std::string> crosvm_features(const std::string& help, const std::string& run_help) {
  namespace feature = crosvm_feature;
  auto legacy = !mentions(run_help, "--block") || !mentions(run_help, "--vsock");
  const std::array<std::pair<const char*, bool>, 9> all{{
    {feature::extended_status, mentions(help, "--extended-status")},
    {feature::legacy_command_line, legacy},
    {feature::composite_disk, mentions(help, "create_composite")},
    {feature::qcow2, mentions(help, "create_qcow2")},
    {feature::powerbtn, mentions(help, "powerbtn")},
    {feature::balloon, mentions(help, "balloon_stats")},
    {feature::vsock_descriptor, !legacy || mentions(run_help, "--vhost-vsock-fd")},
    {feature::vhost_user, !legacy && mentions(run_help, "--vhost-user")},
    {feature::name, mentions(run_help, "--name")},
  }};
  std::vector<std::string> words;
  for (const auto& [word, there] : all)
    if (there)
      words.emplace_back(word);
  return words;
}

vmm_info probe_crosvm(const std::string& path, const program_runner& run) {
  vmm_info vmm{vmm_kind::crosvm, path, {}, {}, {}};
  auto version = run({"version"});
  if (auto problem = problem_of(version, path, "version", false))
    return unusable(std::move(vmm), *problem);
  if (!version->out.starts_with("crosvm "))
    return unusable(std::move(vmm), no_version(path, "crosvm", *version));
  vmm.version = first_line(version->out);
  auto help = run({"--help"});
  if (auto problem = problem_of(help, path, "--help", true))
    return unusable(std::move(vmm), *problem);
  auto run_help = run({"run", "--help"});
  if (auto problem = problem_of(run_help, path, "run --help", false))
    return unusable(std::move(vmm), *problem);
  if (!mentions(everything(*run_help), "--disable-sandbox"))
    return unusable(std::move(vmm), in_quotes(path) + " has none of the options that are known of "
                                      + "crosvm; install another version");
  vmm.features = crosvm_features(everything(*help), everything(*run_help));
  vmm.usable = {true, {}};
  return vmm;
}

vmm_info probe_qemu(const std::string& path, const program_runner& run) {
  vmm_info vmm{vmm_kind::qemu, path, {}, {}, {}};
  auto version = run({"--version"});
  if (auto problem = problem_of(version, path, "--version", false))
    return unusable(std::move(vmm), *problem);
  vmm.version = first_line(version->out);
  auto number = qemu_version(vmm.version);
  if (!number)
    return unusable(vmm_info{vmm_kind::qemu, path, {}, {}, {}}, no_version(path, "QEMU", *version));
  if (*number < oldest_qemu)
    return unusable(std::move(vmm), vmm.version + " is too old; 7.2 or newer is needed");
  auto accelerators = run({"-accel", "help"});
  if (auto problem = problem_of(accelerators, path, "-accel help", false))
    return unusable(std::move(vmm), *problem);
  for (const auto* accel : {"kvm", "tcg"})
    if (mentions(everything(*accelerators), accel))
      vmm.features.emplace_back(accel);
  vmm.usable = {true, {}};
  return vmm;
}

} // namespace crosvisor::io
