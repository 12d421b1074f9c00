// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_layout.hpp"

#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/disk/open_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace crosvisor::io {

namespace {

bool padded(const gpt_partition& partition) {
  return partition.size_bytes % partition_alignment_bytes != 0;
}

failure bad(const partition_source& partition, const std::string& what) {
  return {0, partition.what + ": " + what};
}

/// The partition's file, once it is open as it must be.
result<file_identity> check_descriptor(const partition_source& partition) {
  struct stat is;
  auto flags = ::fcntl(partition.fd, F_GETFL);
  if (partition.fd < 0 || flags < 0 || ::fstat(partition.fd, &is) != 0)
    return bad(partition, "came without a descriptor");
  if (auto problem = access_problem(flags, partition.writable))
    return bad(partition, *problem);
  if (partition.writable && partition.format == image_format::sparse)
    return bad(partition,
               "a sparse image can't be written; make it raw, or the partition read-only");
  return identity_of(is);
}

result<guid> id_of(const partition_source& partition) {
  if (partition.guid.empty())
    return random_guid();
  auto id = parse_guid(partition.guid);
  if (!id)
    return bad(partition, "its GUID is none, such as C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
  return *id;
}

result<gpt_partition> measure(const partition_source& partition) {
  auto id = id_of(partition);
  if (!id)
    return id.why();
  auto size = image_size(partition.fd, partition.format, partition.what);
  if (!size)
    return size.why();
  return gpt_partition{partition.label, *size, partition.writable, *id, partition.what};
}

/// The files of a disk, each with its partition.
class seen_files {
public:
  result<void> add(const file_identity& file, const partition_source& partition) {
    for (const auto& [other, owner] : seen_)
      if (other == file && (owner->writable || partition.writable))
        return bad(partition,
                   "is the same file as " + owner->what + ", and one of them is writable");
    seen_.emplace_back(file, &partition);
    return {};
  }

private:
  std::vector<std::pair<file_identity, const partition_source*>> seen_;
};

} // namespace

bool composite_plan::needs_filler() const noexcept {
  return std::any_of(partitions.begin(), partitions.end(), padded);
}

result<composite_plan> plan_composite(const std::vector<partition_source>& partitions) {
  // How many there are is checked before any of them is looked at.
  if (partitions.empty() || partitions.size() > gpt_entries)
    return lay_out_gpt(std::vector<gpt_partition>(partitions.size()), {}).why();
  composite_plan plan;
  seen_files seen;
  for (const auto& partition : partitions) {
    auto file = check_descriptor(partition);
    if (!file)
      return file.why();
    if (auto added = seen.add(*file, partition); !added)
      return added.why();
    auto measured = measure(partition);
    if (!measured)
      return measured.why();
    plan.partitions.push_back(std::move(*measured));
  }
  auto disk = random_guid();
  if (!disk)
    return disk.why();
  auto layout = lay_out_gpt(plan.partitions, *disk);
  if (!layout)
    return layout.why();
  plan.layout = std::move(*layout);
  return plan;
}

composite_file describe_composite(const composite_plan& plan, const composite_paths& paths) {
  composite_file file;
  file.components.push_back({paths.header});
  for (std::size_t i = 0; i < plan.partitions.size(); ++i) {
    const auto& partition = plan.partitions[i];
    auto offset = plan.layout.offsets[i];
    file.components.push_back({paths.images[i], offset, 0, partition.writable});
    if (padded(partition))
      file.components.push_back({paths.filler, offset + partition.size_bytes});
  }
  file.components.push_back({paths.footer, plan.layout.footer_offset});
  file.size_bytes = plan.layout.size_bytes;
  return file;
}

} // namespace crosvisor::io
