// SPDX-License-Identifier: Apache-2.0
// A partition as command lines spell it.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>

namespace crosvisor::io {

/// A partition of a composite disk whose file has a path.
struct composite_part {
  std::string label;
  std::string path;
  image_format format = image_format::raw; ///< `raw` or `sparse`.
  bool writable = false;
  std::string guid; ///< Empty: random.
};

/// Reads `LABEL:FILE[:writable][:GUID]`, as `crosvm create_composite` has it, and always a raw
/// image. A label has no colon, a file may have some: the label ends at the first colon; then a
/// GUID is taken off the end, then the word `writable`, and what is left is the file. So a file
/// whose own name ends in `:writable` is written `FILE:writable` with one more `:writable` behind
/// it and else can't be named. The failure has the code 0.
result<composite_part> parse_composite_part(const std::string& text);

} // namespace crosvisor::io
