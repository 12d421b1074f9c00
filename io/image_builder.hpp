// SPDX-License-Identifier: Apache-2.0
// The seam between the image builders, which are actors, and what makes images.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/disk/composite_disk.hpp"
#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <map>
#include <memory>
#include <variant>

namespace crosvisor::io {

/// The disks that were put together from partitions, by their index in vm_config::disks. They
/// borrow from the descriptor_set that they were made from.
using built_disks = std::map<std::size_t, composite_disk>;

/// A VM whose images are to be made.
struct vm_images {
  /// Valid by find_problem(), and named.
  vm_config config;
  /// What will run it, as far as its configuration says now.
  vmm_choice choice;
  std::shared_ptr<descriptor_set> files;
};

/// A VM whose images are there: without an app, which has become kernel, disks and partitions, and
/// with every disk of partitions built.
struct built_vm_images {
  vm_config config;
  /// What will run it; an app's operating system may have wishes of its own.
  vmm_choice choice;
  std::shared_ptr<descriptor_set> files;
  std::shared_ptr<const built_disks> disks;
};

/// A job for image_builder::make_partition.
struct partition_job {
  partition_spec spec;
  std::shared_ptr<descriptor_set> files;
};

/// A job for image_builder::update_idsig.
struct idsig_job {
  idsig_spec spec;
  std::shared_ptr<descriptor_set> files;
};

/// One job for an image builder.
struct image_job {
  std::variant<vm_images, partition_job, idsig_job> what;
  /// Shared with whoever may cancel it.
  std::shared_ptr<job_control> control = std::make_shared<job_control>();
};

/// What a job made; a partition is nothing more than done.
struct image_product {
  std::variant<std::monostate, built_vm_images, idsig_info> what;
};

/// Makes images. Any thread; all calls block until they are done, have failed or were cancelled,
/// and what failed has left nothing behind. failure::code is 0 where what was asked for is at
/// fault, and ECANCELED after a cancel(), else the host's errno.
class image_builder {
public:
  virtual ~image_builder() = default;

  virtual result<built_vm_images> build_vm_images(vm_images vm, const job_control& control) = 0;

  /// Makes the file behind `fd`, which is open for reading and writing, a new partition; what it
  /// held is gone.
  virtual result<void> make_partition(int fd, const partition_spec& spec,
                                      const job_control& control) = 0;

  /// Writes the digest of `apk` to `idsig`, which is open for reading and writing, unless the one
  /// that is there is up to date. See io/apk/update_idsig.hpp.
  virtual result<idsig_info> update_idsig(int apk, int idsig, const idsig_spec& spec,
                                          const job_control& control) = 0;
};

} // namespace crosvisor::io
