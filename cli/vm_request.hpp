// SPDX-License-Identifier: Apache-2.0
// Asks a service for something about one VM, which the user named.
#pragma once

#include "crosvisor/cli/door_request.hpp"

#include <string>
#include <tuple>
#include <utility>

namespace crosvisor::cli {

/// A VM by the word that the user has for it. Blocks in each call until the service has answered.
class vm_request {
public:
  /// @param vm a CID or a name.
  /// @param bound what finding it may take.
  vm_request(connection& service, std::string vm, caf::timespan bound = request_bound)
      : service_(service), vm_(std::move(vm)), bound_(bound) {}

  /// Its CID: the word itself, or what the service says of a name.
  outcome<vm_cid> find();

  /// What there is to know of it.
  outcome<vm_info> info();

  /// Asks what `words` makes of the CID, a tuple of the request's parts, and waits `bound` for it.
  template <class T, class Words>
  outcome<T> ask(caf::timespan bound, const Words& words) {
    auto cid = find();
    if (const auto* end = std::get_if<early_end>(&cid))
      return *end;
    auto what =
      std::apply([&](const auto&... parts) { return cli::ask<T>(service_, bound, parts...); },
                 words(std::get<vm_cid>(cid)));
    if (const auto* why = std::get_if<caf::error>(&what))
      return end_of(*why);
    return std::move(std::get<T>(what));
  }

  /// What a request about this VM ends with that was answered `why`.
  early_end end_of(const caf::error& why);

private:
  connection& service_;
  const std::string vm_;
  const caf::timespan bound_;
};

} // namespace crosvisor::cli
