// SPDX-License-Identifier: Apache-2.0
// What commands ask image builders for.
#pragma once

#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/connection.hpp"

#include <caf/actor_system.hpp>

#include <string>
#include <variant>

namespace crosvisor::cli {

/// Asks for images and waits until they are made. A signal that ends the program cancels that: the
/// failure's exit code is then 128 + its number. block_ending_signals() must have been called.
class image_requests {
public:
  /// @param maker the image builders of this process.
  image_requests(caf::actor_system& system, image_maker_actor maker)
      : system_(system), maker_(std::move(maker)) {}

  /// The service makes them, and is handed their files.
  explicit image_requests(connection& service) : system_(service.system()), maker_(&service) {}

  /// Writes the digest of the file `apk` to the file `idsig`, which is made where it is missing,
  /// and then gone again after a failure.
  outcome<idsig_info> update_idsig(const std::string& apk, const std::string& idsig,
                                   bool allow_unsigned);

  /// Makes the file `path`, which must not be there, a partition.
  /// A path `image:NAME` of either is a stored image of the service's.
  outcome<caf::ok_atom> make_partition(const std::string& path, const partition_spec& spec);

private:
  template <class T, class Spec>
  outcome<T> make(const std::string& subject, const Spec& spec, const vm_files& files);

  caf::actor_system& system_;
  std::variant<image_maker_actor, connection*> maker_;
};

} // namespace crosvisor::cli
