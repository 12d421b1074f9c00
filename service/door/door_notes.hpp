// SPDX-License-Identifier: Apache-2.0
// What the door notes of a VM for the door that adopts it.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/caller.hpp"

#include <optional>
#include <string>
#include <vector>

namespace crosvisor::door {

/// The keys of the door's notes; none begins with `vm.`, as the actors' do.
inline constexpr const char* references_note = "references";
inline constexpr const char* users_note = "users";

/// Whose references there are.
struct noted_references {
  bool held = false; ///< One that is nobody's.
  std::vector<caller> of;
};

template <class Inspector>
auto inspect(Inspector& f, noted_references& x) {
  return f(x.held, x.of);
}

/// The values of notes, JSON. Of a principal there is what makes it one: kind, uid, gid, subject.
/// What would make a note too long is left out, and said so in the log.
std::string encode(const noted_references& references);
std::string encode(const std::vector<caller>& users);

/// The inverses; nothing for a note that is not there or makes no sense.
std::optional<noted_references> decode_references(const io::vm_notes& notes);
std::optional<std::vector<caller>> decode_users(const io::vm_notes& notes);

} // namespace crosvisor::door
