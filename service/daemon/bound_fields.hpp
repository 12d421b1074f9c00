// SPDX-License-Identifier: Apache-2.0
// Readers for the bounds in the daemon's configuration.
#pragma once

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/service/bounds.hpp"

#include <string>

namespace crosvisor {

/// The objects `limits`, `logs` and `restarts`; of `images` each key by itself.
io::check read_limits(const io::json_value& value, const std::string& path, service_bounds& bounds);
io::check read_log_limits(const io::json_value& value, const std::string& path,
                          service_bounds& bounds);
io::check read_restart_limits(const io::json_value& value, const std::string& path,
                              service_bounds& bounds);
io::check read_images_per_user(const io::json_value& value, const std::string& path,
                               service_bounds& bounds);
io::check read_images_in_all(const io::json_value& value, const std::string& path,
                             service_bounds& bounds);
io::check read_image_mib_per_user(const io::json_value& value, const std::string& path,
                                  service_bounds& bounds);
io::check read_image_mib(const io::json_value& value, const std::string& path,
                         service_bounds& bounds);
io::check read_uploads_per_user(const io::json_value& value, const std::string& path,
                                service_bounds& bounds);
io::check read_upload_age(const io::json_value& value, const std::string& path,
                          service_bounds& bounds);

} // namespace crosvisor
