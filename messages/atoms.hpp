// SPDX-License-Identifier: Apache-2.0
// The verbs that CAF does not have yet, each at most ten characters.
#pragma once

#include <caf/atom.hpp>

namespace crosvisor {

using adopted_atom = caf::atom_constant<caf::atom("adopted")>;
using attach_atom = caf::atom_constant<caf::atom("attach")>;
using balloon_atom = caf::atom_constant<caf::atom("balloon")>;
using claim_atom = caf::atom_constant<caf::atom("claim")>;
using create_atom = caf::atom_constant<caf::atom("create")>;
using credit_atom = caf::atom_constant<caf::atom("credit")>;
using detach_atom = caf::atom_constant<caf::atom("detach")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using drop_atom = caf::atom_constant<caf::atom("drop")>;
using exited_atom = caf::atom_constant<caf::atom("exited")>;
using expired_atom = caf::atom_constant<caf::atom("expired")>;
using failed_atom = caf::atom_constant<caf::atom("failed")>;
using fault_atom = caf::atom_constant<caf::atom("fault")>;
using finished_atom = caf::atom_constant<caf::atom("finished")>;
using finish_atom = caf::atom_constant<caf::atom("finish")>;
using hangup_atom = caf::atom_constant<caf::atom("hangup")>;
using hold_atom = caf::atom_constant<caf::atom("hold")>;
using host_atom = caf::atom_constant<caf::atom("host")>;
using image_atom = caf::atom_constant<caf::atom("image")>;
using job_atom = caf::atom_constant<caf::atom("job")>;
using kill_atom = caf::atom_constant<caf::atom("kill")>;
using leave_atom = caf::atom_constant<caf::atom("leave")>;
using limits_atom = caf::atom_constant<caf::atom("limits")>;
using list_atom = caf::atom_constant<caf::atom("list")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;
using note_atom = caf::atom_constant<caf::atom("note")>;
using output_atom = caf::atom_constant<caf::atom("output")>;
using pass_atom = caf::atom_constant<caf::atom("pass")>;
using resume_atom = caf::atom_constant<caf::atom("resume")>;
using start_atom = caf::atom_constant<caf::atom("start")>;
using state_atom = caf::atom_constant<caf::atom("state")>;
using status_atom = caf::atom_constant<caf::atom("status")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using supervisor_atom = caf::atom_constant<caf::atom("supervisor")>;
using suspend_atom = caf::atom_constant<caf::atom("suspend")>;
using synced_atom = caf::atom_constant<caf::atom("synced")>;
using up_atom = caf::atom_constant<caf::atom("up")>;
using watch_atom = caf::atom_constant<caf::atom("watch")>;
using worker_atom = caf::atom_constant<caf::atom("worker")>;

} // namespace crosvisor
