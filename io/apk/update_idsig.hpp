// SPDX-License-Identifier: Apache-2.0
// The digest of an APK in a file of its own: APK signature scheme v4.
#pragma once

#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/image_spec.hpp"

namespace crosvisor::io {

/// Writes the digest of the regular file `apk` to the regular file `idsig`, which is open for
/// reading and writing, from its beginning. One that is there and has the apk_digest of this APK's
/// signature is left untouched. It is written whole or not at all: after a failure the file is
/// empty, and one whose writing was cut short is no idsig. Uses every processor; memory is that of
/// the tree, 0.8 % of the APK.
///
/// failure::code is 0 where a file is at fault, such as an APK without a v3 signature when
/// `spec.allow_unsigned` is not set.
result<idsig_info> update_idsig(int apk, int idsig, const idsig_spec& spec,
                                const job_control& control);

} // namespace crosvisor::io
