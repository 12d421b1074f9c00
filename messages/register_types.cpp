// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/register_types.hpp"

#include "crosvisor/messages/type_ids.hpp"

#include <caf/actor_system_config.hpp>

namespace crosvisor {

void register_types(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::crosvisor>();
  // The overload without a renderer does not compile in CAF 0.17.6.
  config.add_error_category(
    caf::atom("crosvisor"), [](std::uint8_t code, caf::atom_value, const caf::message& context) {
      return to_string(static_cast<vm_errc>(code)) + (context.empty() ? "" : to_string(context));
    });
}

} // namespace crosvisor
