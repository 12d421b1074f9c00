// SPDX-License-Identifier: Apache-2.0
// What commands ask image builders for.
#pragma once

#include "crosvisor/cli/prepared_run.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/actor_system.hpp>

#include <string>

namespace crosvisor::cli {

/// Asks for images and waits until they are made. A signal that ends the program cancels that: the
/// failure's exit code is then 128 + its number. block_ending_signals() must have been called.
class image_requests {
public:
  /// @param maker the service, or its image builders alone.
  image_requests(caf::actor_system& system, image_maker_actor maker)
      : system_(system), maker_(std::move(maker)) {}

  /// Writes the digest of the file `apk` to the file `idsig`, which is made where it is missing,
  /// and then gone again after a failure.
  outcome<idsig_info> update_idsig(const std::string& apk, const std::string& idsig,
                                   bool allow_unsigned);

  /// Makes the file `path`, which must not be there, a partition.
  outcome<caf::unit_t> make_partition(const std::string& path, const partition_spec& spec);

private:
  caf::actor_system& system_;
  image_maker_actor maker_;
};

} // namespace crosvisor::cli
