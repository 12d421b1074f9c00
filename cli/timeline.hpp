// SPDX-License-Identifier: Apache-2.0
// Where a VM's start went, from its events.
#pragma once

#include "crosvisor/messages/vm_event.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// A part of a start; docs/timeline.md has each.
struct timeline_span {
  std::string name;
  /// Microseconds since 1970-01-01 UTC.
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
  bool open = false; ///< It is not over, and drawn up to the last event.

  std::int64_t took_us() const noexcept { return end_us - begin_us; }
};

/// One life of a VM's: from its creation, or its being started again, until it was ready or dead.
struct timeline_life {
  std::uint32_t number = 1;
  std::vector<timeline_span> spans; ///< In the order in which they began.
  /// From `begin` on what follows is drawn earlier by so much: nobody had asked for the start yet.
  std::int64_t cut_begin_us = 0;
  std::int64_t cut_us = 0;
  std::string end; ///< `ready`, `dead: shutdown`, …; empty: it goes on.

  /// Of the first span, and from there to the end of the last one without what is cut.
  std::int64_t begin_us() const noexcept;
  std::int64_t took_us() const noexcept;
  /// Where a moment is drawn: microseconds from begin_us().
  std::int64_t drawn_at(std::int64_t time_us) const noexcept;
};

struct start_timeline {
  vm_cid cid = no_cid;
  vm_name name;
  std::vector<timeline_life> lives; ///< Those that have a span.
  bool is_whole = false;            ///< Its events begin with `created`.

  /// The longest of all lives, for a common scale; at least 1.
  std::int64_t longest_us() const noexcept;
};

/// @param events one VM's, in their order.
start_timeline make_timeline(const std::vector<vm_event>& events);

/// A line for each span with a bar, each life by itself from its own beginning, all on one scale.
/// @param columns how wide lines may be; at least 60 are used.
std::string timeline_text(const start_timeline& of, std::size_t columns);

/// The same as a picture: SVG 1.1.
std::string timeline_svg(const start_timeline& of);

/// For programs: one object, all times in microseconds since 1970.
std::string timeline_json(const start_timeline& of);

/// Chrome's trace format: the VM is a process, each life a thread.
std::string timeline_trace(const start_timeline& of);

} // namespace crosvisor::cli
