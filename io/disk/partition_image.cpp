// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/partition_image.hpp"

#include "crosvisor/io/disk/open_file.hpp"
#include "crosvisor/io/disk/qcow2.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

using namespace std::string_view_literals;

/// What begins an instance image, and its version 1 (AOSP Virtualization,
/// android/virtmgr/src/aidl.rs).
constexpr auto instance_header = "Android-VM-instance\x01\x00"sv;
/// What makes a guest format an encrypted store (the same).
constexpr auto encryptedstore_mark = "UNFORMATTED-STORAGE"sv;

/// A file's first bytes, and its size when all is written.
struct image_plan {
  std::string beginning;
  std::uint64_t size_bytes;
};

result<image_plan> plan(const partition_spec& spec) {
  if (auto problem = find_problem(spec))
    return failure{0, *problem};
  auto size =
    (spec.size_bytes + partition_block_bytes - 1) / partition_block_bytes * partition_block_bytes;
  switch (spec.type) {
    case partition_type::raw: return image_plan{{}, size};
    case partition_type::instance: return image_plan{std::string{instance_header}, size};
    case partition_type::encryptedstore: return image_plan{std::string{encryptedstore_mark}, size};
    case partition_type::qcow2: break;
    default: return failure{0, "type: is none that is known"}; // a stranger's number
  }
  // Both VMMs see whole sectors alone, and so less than was asked for where it isn't rounded.
  auto image = make_empty_qcow2(size);
  if (!image)
    return image.why();
  auto bytes = image->size();
  return image_plan{std::move(*image), bytes};
}

result<void> check_file(int fd) {
  struct stat is;
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &is) != 0)
    return last_failure("the partition's file");
  if (!S_ISREG(is.st_mode))
    return failure{0, "the partition's file is not a regular file"};
  if (auto problem = access_problem(flags, true))
    return failure{0, "the partition's file " + *problem};
  return {};
}

result<void> cut(int fd, std::uint64_t size_bytes) {
  while (::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0)
    if (errno != EINTR)
      return last_failure("the partition's file can't be made " + std::to_string(size_bytes)
                          + " bytes long");
  return {};
}

result<void> fill(int fd, const image_plan& image) {
  if (auto sized = cut(fd, image.size_bytes); !sized)
    return sized;
  if (auto written = write_at(fd, 0, image.beginning); !written)
    return failure{written.why().code, "the partition's file " + written.why().what};
  return {};
}

} // namespace

result<void> make_partition_image(int fd, const partition_spec& spec, const job_control& control) {
  if (control.cancelled())
    return job_control::stopped();
  auto image = plan(spec);
  if (!image)
    return image.why();
  if (auto fit = check_file(fd); !fit)
    return fit;
  if (auto emptied = cut(fd, 0); !emptied)
    return emptied;
  auto filled = fill(fd, *image);
  if (filled && control.cancelled())
    filled = job_control::stopped();
  if (!filled)
    // What stays behind is the first failure's.
    (void)cut(fd, 0);
  return filled;
}

} // namespace crosvisor::io
