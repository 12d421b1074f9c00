// SPDX-License-Identifier: Apache-2.0
// Makes images on this host.
#pragma once

#include "crosvisor/io/image_builder.hpp"

#include <memory>
#include <string>

namespace crosvisor::io {

/// @param host what VMs of apps are chosen for, once their operating system is known.
/// @param os_folder where the operating systems for apps are defined; absolute. See expand_app().
std::shared_ptr<image_builder> make_linux_image_builder(host_info host, std::string os_folder);

} // namespace crosvisor::io
