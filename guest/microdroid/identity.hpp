// SPDX-License-Identifier: Apache-2.0
// What a payload's first run leaves in its instance image, so that a later one can tell whether it
// is still the same payload.
//
// The image is Android's (guest/microdroid_manager/src/instance.rs in AOSP's Virtualization): 512
// bytes with the magic "Android-VM-instance" and a version, 1, of 16 bits; then partitions of a
// header of 512 bytes, which begins with a UUID and the size of the content, 64 bits, and that
// content, filled up to 512. A UUID of zeros ends them. Numbers are little-endian. Ours is a
// partition of its own, b2a3c1de-5d0f-4b0c-9c5e-6f1a8d3e7c42, behind whatever others there are,
// and its content is plain text: there is no secret here to seal it with.
#pragma once

#include "outcome.hpp"

#include <string_view>

namespace crosvisor::guest {

inline constexpr std::size_t most_identity = 8192;

/// Compares the payload's identity with what the image holds; an image that holds none is given it.
/// Another one is cause::changed, an image that is none cause::unknown.
/// @param image open for reading and writing; read-only does where nothing is to be written.
outcome keep_identity(int image, std::string_view identity);

} // namespace crosvisor::guest
