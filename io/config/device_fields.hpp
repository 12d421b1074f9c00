// SPDX-License-Identifier: Apache-2.0
// The keys of a configuration that are about devices.
#pragma once

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/messages/device_config.hpp"

namespace crosvisor::io {

/// `{"sockets": 1, "cores": 2, "threads": 2}`; what is left out is 1.
check read_cpu_topology(const json_value& value, const std::string& path, cpu_topology& topology);

/// `{"tap": "tap0", "mac": "52:54:00:12:34:56"}`; the address may be left out.
check read_network(const json_value& value, const std::string& path, network_config& network);

/// An array of `{"tag": "home", "path": "/home", "writable": false}`.
check read_shared_directories(const json_value& value, const std::string& path,
                              std::vector<shared_directory>& all);

} // namespace crosvisor::io
