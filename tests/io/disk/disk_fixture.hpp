// SPDX-License-Identifier: Apache-2.0
// Partitions of a test, and the disk that is built from them.
#pragma once

#include "crosvisor/io/disk/composite_disk.hpp"
#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

namespace crosvisor::tests {

inline const std::string some_guid = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

struct disk_fixture {
  temp_dir dir;
  std::vector<io::unique_fd> files;
  std::vector<io::partition_source> partitions;
  io::job_control control;

  io::partition_source& add(const std::string& label, int fd, bool writable = false) {
    auto what = "partitions[" + std::to_string(partitions.size()) + "]";
    partitions.push_back({label, fd, image_format::raw, writable, "", what});
    return partitions.back();
  }

  io::partition_source& add(const std::string& label, const std::string& content,
                            bool writable = false) {
    files.push_back(memory_image(content));
    return add(label, files.back().get(), writable);
  }

  /// Of `bytes` holes.
  io::partition_source& add_holes(const std::string& label, off_t bytes, bool writable = false) {
    files.emplace_back(::memfd_create("holes", MFD_CLOEXEC));
    CAF_REQUIRE_EQUAL(::ftruncate(files.back().get(), bytes), 0);
    return add(label, files.back().get(), writable);
  }

  io::composite_disk built() {
    auto disk = build_composite_disk(partitions, control);
    if (!disk)
      CAF_FAIL(disk.why().what);
    return std::move(*disk);
  }

  // "" when it can be built. Nothing stays open in either case.
  std::string problem() {
    holdings before;
    std::string what;
    {
      auto disk = build_composite_disk(partitions, control);
      if (!disk) {
        what = disk.why().what;
        CAF_CHECK_EQUAL(disk.why().code, 0);
      }
    }
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
    return what;
  }

  /// The problem of one partition alone.
  std::string problem_of(int fd, bool writable) {
    partitions.clear();
    add("a", fd, writable);
    return problem();
  }
};

} // namespace crosvisor::tests
