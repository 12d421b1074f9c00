// SPDX-License-Identifier: Apache-2.0
// Images on their way between a file and a daemon's store.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/cli/progress_bar.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/connection.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace crosvisor::cli {

/// Called with what there is to say meanwhile, in sentences.
using say_function = std::function<void(const std::string&)>;

/// An image that came to be there, or was.
struct pushed_image {
  std::uint64_t size_bytes = 0;
  bool was_there = false;
};

/// Stores the file `path` as the image `name`. An upload that was begun before goes on where it
/// ended, and a daemon that is lost is tried again. Blocks; a signal ends the process, and what was
/// sent is kept.
outcome<pushed_image> push_image(connection& service, const std::string& path,
                                 const std::string& name, const say_function& say);

/// Writes the image `name` to `to`, a descriptor, from its beginning on, and compares its checksum.
/// A daemon that is lost is tried again. block_ending_signals() must have been called.
/// @param subject what the progress is called.
outcome<std::uint64_t> pull_image(connection& service, const std::string& name, int to,
                                  const std::string& subject, const say_function& say);

} // namespace crosvisor::cli
