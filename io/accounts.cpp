// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/accounts.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace crosvisor::io {

namespace {

/// A group's entry holds all of its members; more than this is no entry.
constexpr std::size_t max_entry_bytes = 16u << 20;

/// Calls getpwnam_r or getgrnam_r with as large a buffer as it takes.
template <class Entry, class Call>
result<std::optional<Entry>> look_up(const std::string& name, Call call) {
  std::vector<char> buffer(4096);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    auto code = call(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (code == ERANGE && buffer.size() < max_entry_bytes) {
      buffer.resize(buffer.size() * 4);
    } else if (found != nullptr) {
      return std::optional<Entry>{entry}; // Of which only the number outlives the buffer.
    } else if (code == 0 || code == ENOENT || code == ESRCH) { // getpwnam(3): and some others.
      return std::optional<Entry>{};
    } else if (code != EINTR) {
      return failure{code, std::strerror(code)};
    }
  }
}

failure not_found(const char* what, const std::string& name) {
  return {0, std::string{"there is no "} + what + ' ' + in_quotes(name) + " on this host"};
}

failure not_known(const char* what, const std::string& name, const failure& why) {
  return {why.code, std::string{what} + ' ' + in_quotes(name) + " can't be looked up: " + why.what};
}

} // namespace

result<uid_t> find_uid(const std::string& name) {
  auto entry = look_up<passwd>(name, ::getpwnam_r);
  if (!entry)
    return not_known("user", name, entry.why());
  if (!*entry)
    return not_found("user", name);
  return (*entry)->pw_uid;
}

result<gid_t> find_gid(const std::string& name) {
  auto entry = look_up<group>(name, ::getgrnam_r);
  if (!entry)
    return not_known("group", name, entry.why());
  if (!*entry)
    return not_found("group", name);
  return (*entry)->gr_gid;
}

} // namespace crosvisor::io
