// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_request.hpp"

#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/vm_word.hpp"

#include <vector>

namespace crosvisor::cli {

outcome<vm_cid> vm_request::find() {
  if (auto cid = parse_cid(vm_))
    return *cid;
  auto found = cli::ask<vm_info>(service_, bound_, caf::get_atom::value, vm_);
  if (const auto* why = std::get_if<caf::error>(&found))
    return end_of(*why);
  return std::get<vm_info>(found).cid;
}

outcome<vm_info> vm_request::info() {
  return ask<vm_info>(bound_, [](vm_cid cid) {
    return std::tuple{caf::get_atom::value, state_atom::value, cid};
  });
}

early_end vm_request::end_of(const caf::error& why) {
  if (errc_of(why) != vm_errc::no_such_vm)
    return cli::end_of(why, service_.where());
  auto what = "no VM with " + vm_words(vm_);
  // Whoever may not see them all is not told how many there are.
  auto all = cli::ask<std::vector<vm_info>>(service_, bound_, list_atom::value);
  if (const auto* vms = std::get_if<0>(&all))
    what += "; `crosvisor list` shows " + std::to_string(vms->size());
  return {not_found, what};
}

} // namespace crosvisor::cli
