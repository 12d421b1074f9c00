// SPDX-License-Identifier: Apache-2.0
// What an application includes: the service in its own process, or the way to one elsewhere. See
// docs/embedding.md.
#pragma once

// What is said, and to whom. Whoever sends or receives a message needs the ids of its types.
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"

// VMs' configurations as files.
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"

// The service in the application's own actor system, or with one of its own.
#include "crosvisor/service/embedded_service.hpp"
#include "crosvisor/service/service_host.hpp"

// A service elsewhere.
#include "crosvisor/service/connection.hpp"

// A port of a guest's there, as a socket here.
#include "crosvisor/service/stream_client.hpp"
