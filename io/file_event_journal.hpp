// SPDX-License-Identifier: Apache-2.0
// Keeps what is told of VMs in two files.
#pragma once

#include "crosvisor/io/event_journal.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace crosvisor::io {

struct event_journal_options {
  /// How much is written before `events` becomes `events.1` and the one before that goes.
  std::uint64_t file_bytes = 4u << 20;
  /// How many events load() has.
  std::size_t kept_events = 1024;
};

/// A journal in the files `events` and `events.1` in `state_dir`, which is made (0700) where it is
/// missing. Each line is a JSON object: an `event`; or, at the beginning of a file, a `vm` that
/// lives with what was told of it, so that the file before is not needed for it, and the last
/// `number`. What is no such line, as one that a crash has torn, is passed over.
///
/// Held by one process at a time: `"…/events" is in use by process 4711`. Files are opened here and
/// when one is full; a symlink is refused. Writing goes to the page cache: what was kept outlives
/// the process, and not a crash of the host, which no VM outlives either.
result<std::unique_ptr<event_journal>> open_file_event_journal(const std::string& state_dir,
                                                               event_journal_options options = {});

} // namespace crosvisor::io
