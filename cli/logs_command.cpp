// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/kept_logs.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/log/log_reader.hpp"
#include "crosvisor/service/directories.hpp"

#include <unistd.h>

#include <array>
#include <chrono>

namespace crosvisor::cli {

namespace {

/// How long it takes at most to notice that a VM has ended.
constexpr std::chrono::milliseconds poll_interval{250};

int not_kept(const std::string& wanted, const std::vector<kept_vm>& vms) {
  constexpr std::size_t shown = 5;
  auto what = "no logs of " + io::in_quotes(wanted) + " are kept; ";
  if (vms.empty())
    return complain(not_found, what + "there are none at all");
  what += "there are those of";
  for (std::size_t i = 0; i < vms.size() && i < shown; ++i) {
    const auto& vm = vms[vms.size() - 1 - i];
    what += (i == 0 ? " " : ", ") + std::to_string(vm.cid) + " (" + io::printable(vm.name) + ')';
  }
  return complain(not_found, vms.size() > shown ? what + ", …" : what);
}

/// Prints what there is, and with `follow` what comes, until the VM has ended.
int show(io::log_reader& reader, int folder, bool follow, std::size_t& shown_bytes) {
  std::array<char, 64u << 10> buffer{};
  for (;;) {
    bool more_may_come =
      follow && io::is_living(folder); // Before the read that finds nothing more.
    while (auto n = reader.read(buffer.data(), buffer.size())) {
      shown_bytes += n;
      if (auto code = print({buffer.data(), n}); code != done)
        return code;
    }
    if (!more_may_come)
      return done;
    reader.wait(poll_interval);
  }
}

int show_vm(const kept_vm& vm, const logs_arguments& arguments) {
  auto folder = io::open_log_folder(vm);
  if (!folder)
    return complain(failed, folder.why().what);
  auto reader = io::log_reader::open(folder->get(), arguments.log + ".log");
  if (!reader)
    return complain(failed, reader.why().what);
  std::size_t shown_bytes = 0;
  auto code = show(*reader, folder->get(), arguments.follow, shown_bytes);
  if (reader->gaps() > 0) {
    complain(failed,
             std::to_string(reader->gaps()) + " parts were rotated away before they were shown");
  }
  if (code == done && shown_bytes == 0) {
    complain(done,
             "vm " + std::to_string(vm.cid) + " has nothing in its kept " + arguments.log + " log");
  }
  return code;
}

} // namespace

int logs(const logs_arguments& arguments) {
  auto state_dir = find_state_dir(process_environment(), ::geteuid());
  if (!state_dir)
    return complain(usage, state_dir.why().what);
  auto vms = list_kept_vms(*state_dir);
  auto vm = find_kept_vm(vms, arguments.vm);
  return vm ? show_vm(*vm, arguments) : not_kept(arguments.vm, vms);
}

} // namespace crosvisor::cli
