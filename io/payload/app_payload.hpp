// SPDX-License-Identifier: Apache-2.0
// What an app's own files say.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/payload/payload_config.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>

namespace crosvisor::io {

/// `app.apk "demo.apk"`, as errors name a file.
std::string named(const std::string& key, const std::string& path);

/// Reads the configuration that `app` names in its APK, or makes one of the binary that it names,
/// which the APK must have. Also whether the app's files are there and are files, as many further
/// APKs given as the configuration names, and each APK's digest one of a file of its size. Blocks
/// as reads of the APK's directory and one small entry do.
/// @returns failures of code 0 unless the host is at fault.
result<payload_config> read_app_payload(const app_config& app, const descriptor_set& files);

} // namespace crosvisor::io
