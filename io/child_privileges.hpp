// SPDX-License-Identifier: Apache-2.0
// How a new process gives up what it may, for good; see child_setup.hpp for what it may call.
#pragma once

#include "crosvisor/io/vmm/confinement.hpp"

#include <sys/resource.h>
#include <sys/types.h>

#include <span>

namespace crosvisor::io {

/// A resource of which a child may have so much at most; see setrlimit(2). A lower limit that it
/// has already stays.
struct child_limit {
  int resource = 0; ///< Such as RLIMIT_NOFILE.
  rlim_t most = 0;
};

/// Moves the calling process into a cgroup (v2). False: errno says why not.
/// @param procs its `cgroup.procs`, open for writing.
bool join_cgroup(int procs) noexcept;

/// The steps of becoming another user, in their order; false: errno says why not. All three ids are
/// set, so that none is left to go back to.
bool set_groups(std::span<const gid_t> groups) noexcept;
bool set_gid(gid_t gid) noexcept;
bool set_uid(uid_t uid) noexcept;

/// Whether the process can't become root again, be it by a capability that it kept (SECBIT_… in
/// capabilities(7)); EPERM if it can.
bool has_no_way_back() noexcept;

/// Programs that it executes give it nothing that it has not (PR_SET_NO_NEW_PRIVS).
bool refuse_new_privileges() noexcept;

bool limit_resources(std::span<const child_limit> limits) noexcept;

} // namespace crosvisor::io
