// SPDX-License-Identifier: Apache-2.0
// How people name a VM: by its CID or by its name.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <charconv>
#include <optional>
#include <string>

namespace crosvisor::cli {

/// The CID that `word` is; nothing for a name.
inline std::optional<vm_cid> parse_cid(const std::string& word) {
  vm_cid cid = no_cid;
  const auto* end = word.data() + word.size();
  auto [stop, error] = std::from_chars(word.data(), end, cid);
  if (error != std::errc{} || stop != end || cid == no_cid)
    return std::nullopt;
  return cid;
}

/// `CID 2048` or `name "demo"`; `word` is one of the two.
inline std::string vm_words(const std::string& word) {
  return parse_cid(word) ? "CID " + word : "name \"" + word + '"';
}

} // namespace crosvisor::cli
