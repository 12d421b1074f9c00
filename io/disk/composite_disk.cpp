// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_disk.hpp"

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/composite_layout.hpp"
#include "crosvisor/io/disk/memory_file.hpp"
#include "crosvisor/io/disk/open_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace crosvisor::io {

namespace {

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

/// A disk while it is put together.
struct disk_draft {
  composite_disk disk;
  composite_file file;

  /// Owns `fd` from now on, under a number that no child's standard streams take.
  result<int> keep(unique_fd fd) {
    if (fd.get() <= STDERR_FILENO)
      fd.reset(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!fd)
      return last_failure("duplicating a descriptor");
    disk.owned.push_back(std::move(fd));
    return disk.owned.back().get();
  }

  result<int> keep_file(const char* name, std::string_view content) {
    auto made = make_memory_file(name, content);
    return made ? keep(std::move(*made)) : made.why();
  }

  /// The descriptor that the disk names for a partition: the caller's where that is what a child
  /// may inherit, else one more of the same file.
  result<int> descriptor_of(const partition_source& partition) {
    auto flags = ::fcntl(partition.fd, F_GETFL);
    if (!partition.writable && writes(flags)) {
      auto opened = open_read_only(partition.fd);
      if (!opened)
        return failure{opened.why().code, partition.what + ": " + opened.why().what};
      return keep(std::move(*opened));
    }
    auto inherited_by_all = (::fcntl(partition.fd, F_GETFD) & FD_CLOEXEC) == 0;
    if (partition.fd > STDERR_FILENO && !inherited_by_all)
      return partition.fd;
    unique_fd own{::fcntl(partition.fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    if (!own)
      return last_failure(partition.what + ": can't be duplicated");
    return keep(std::move(own));
  }

  /// Names every component's descriptor, in the order of `plan`.
  result<void> add_components(const composite_plan& plan,
                              const std::vector<partition_source>& partitions);
};

result<void> disk_draft::add_components(const composite_plan& plan,
                                        const std::vector<partition_source>& partitions) {
  auto header = keep_file("crosvisor-gpt-header", plan.layout.header);
  if (!header)
    return header.why();
  auto footer = keep_file("crosvisor-gpt-footer", plan.layout.footer);
  if (!footer)
    return footer.why();
  auto filler = plan.needs_filler()
                  ? keep_file("crosvisor-filler", std::string(composite_filler_bytes, '\0'))
                  : result<int>{-1};
  if (!filler)
    return filler.why();
  std::vector<std::string> images;
  for (const auto& partition : partitions) {
    auto fd = descriptor_of(partition);
    if (!fd)
      return fd.why();
    images.push_back(path_of(*fd));
    disk.components.push_back(*fd);
    if (partition.format == image_format::sparse)
      disk.sparse.push_back(*fd);
  }
  file = describe_composite(plan, {path_of(*header), path_of(*footer), path_of(*filler), images});
  disk.components.insert(disk.components.end(), {*header, *footer});
  if (*filler >= 0)
    disk.components.push_back(*filler);
  return {};
}

void sort_each_once(std::vector<int>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

} // namespace

result<composite_disk> build_composite_disk(const std::vector<partition_source>& partitions,
                                            const job_control& control) {
  if (control.cancelled())
    return job_control::stopped();
  auto plan = plan_composite(partitions);
  if (!plan)
    return plan.why();
  if (control.cancelled())
    return job_control::stopped();
  disk_draft draft;
  if (auto added = draft.add_components(*plan, partitions); !added)
    return added.why();
  auto descriptor = draft.keep_file("crosvisor-composite", serialize(draft.file));
  if (!descriptor)
    return descriptor.why();
  draft.disk.descriptor = std::move(draft.disk.owned.back());
  draft.disk.owned.pop_back();
  sort_each_once(draft.disk.components);
  sort_each_once(draft.disk.sparse);
  draft.disk.size_bytes = plan->layout.size_bytes;
  return std::move(draft.disk);
}

} // namespace crosvisor::io
