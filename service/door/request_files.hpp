// SPDX-License-Identifier: Apache-2.0
// The files of a request, as far as the door looks at them.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace crosvisor::door {

/// Whether a VM of this configuration runs something of its creator's own besides an app: a kernel,
/// an initial RAM disk, firmware, kernel parameters or disks. An app's operating system is the
/// operator's, and what its APK holds is checked by it; so nothing in app_config is.
bool runs_ones_own(const vm_config& config) noexcept;

/// The first file_ref that counts beyond the `given` descriptors, or nothing: `kernel "vmlinux":
/// descriptor 3 of 2`.
std::optional<std::string> find_missing_file(const vm_config& config, std::size_t given);
std::optional<std::string> find_missing_file(const partition_spec& spec, std::size_t given);
std::optional<std::string> find_missing_file(const idsig_spec& spec, std::size_t given);

/// What a request does with one of its files, where that is a stored image.
enum class stored_use : std::uint8_t {
  read,
  write,
  make, ///< It is made, and must not be there.
};

/// The files of a request with which it does more than to read them, by index.
using stored_uses = std::map<std::uint32_t, stored_use>;
stored_uses uses_of(const vm_config& config);
stored_uses uses_of(const partition_spec& spec);
stored_uses uses_of(const idsig_spec& spec);

/// How large a stored image can become that is made by such a request.
std::uint64_t made_bytes(const partition_spec& spec) noexcept;
std::uint64_t made_bytes(const idsig_spec& spec) noexcept;

/// What a stored image of the request's can't be used as, or nothing: a console or log, or a disk
/// that grows.
std::optional<std::string> find_misuse(const vm_config& config, const io::descriptor_set& files);
std::optional<std::string> find_misuse(const partition_spec& spec, const io::descriptor_set& files);
std::optional<std::string> find_misuse(const idsig_spec& spec, const io::descriptor_set& files);

} // namespace crosvisor::door
