// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/caller.hpp"

namespace crosvisor {

bool same_principal(const caller& a, const caller& b) noexcept {
  auto by_certificate = a.kind == caller_kind::certificate;
  if (by_certificate != (b.kind == caller_kind::certificate))
    return false;
  return by_certificate ? a.subject == b.subject : a.uid == b.uid;
}

std::string to_string(const caller& who) {
  if (who.kind == caller_kind::certificate)
    return "subject \"" + who.subject + '"';
  return "uid " + std::to_string(who.uid);
}

std::string to_string(caller_kind kind) {
  switch (kind) {
    case caller_kind::process: return "process";
    case caller_kind::socket: return "socket";
    case caller_kind::certificate: return "certificate";
  }
  return "unknown";
}

} // namespace crosvisor
