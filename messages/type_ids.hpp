// SPDX-License-Identifier: Apache-2.0
// The one block of type ids. Append only: peers of one version must agree on it.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <caf/type_id.hpp>

#include <vector>

namespace crosvisor {

/// Where our type ids begin, far from where host applications begin theirs.
inline constexpr caf::type_id_t first_type_id = caf::first_custom_type_id + 1000;

} // namespace crosvisor

CAF_BEGIN_TYPE_ID_BLOCK(crosvisor, crosvisor::first_type_id)
// Append only.

CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vm_actor))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::balloon_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::host_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vm_config))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vm_event))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vm_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vmm_choice))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vmm_exit))
CAF_ADD_TYPE_ID(crosvisor, (std::vector<crosvisor::vm_info>))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::output_chunk))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::payload_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::payload_status))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::vm_supervisor_actor))
CAF_ADD_TYPE_ID(crosvisor, (std::vector<crosvisor::vsock_port>))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::idsig_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::idsig_spec))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_builder_actor))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::job_progress))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::partition_spec))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::progress_actor))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::caller))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::log_piece))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::log_query))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::ticket_list))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::limit_info))
CAF_ADD_TYPE_ID(crosvisor, (std::vector<crosvisor::limit_info>))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_info))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_part))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_piece))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_query))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::image_upload))
CAF_ADD_TYPE_ID(crosvisor, (crosvisor::upload_place))
CAF_ADD_TYPE_ID(crosvisor, (std::vector<crosvisor::image_info>))

CAF_END_TYPE_ID_BLOCK(crosvisor)
