// SPDX-License-Identifier: Apache-2.0
// Every actor's interface, on one page. Each comment speaks to the sender: what the message does,
// when it is allowed, and which vm_errc it answers.
#pragma once

#include "crosvisor/messages/atoms.hpp"
#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/door_messages.hpp"
#include "crosvisor/messages/error.hpp"
#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/messages/limit_info.hpp"
#include "crosvisor/messages/local_types.hpp"
#include "crosvisor/messages/metrics.hpp"
#include "crosvisor/messages/stored_image.hpp"
#include "crosvisor/messages/stream_piece.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/messages/vm_info.hpp"

#include <caf/replies_to.hpp>
#include <caf/timespan.hpp>
#include <caf/typed_actor.hpp>

#include <map>
#include <string>
#include <vector>

namespace crosvisor {

/// Whoever wants to be told of a VM.
using subscriber_actor = caf::typed_actor<
  // One thing that happened to a VM, in order of `seq`. None follows `dead`.
  caf::reacts_to<vm_event>>;

/// Whoever wants to read a payload's output as messages.
using output_reader_actor = caf::typed_actor<
  // A PIECE of the output, in order, from the VM that sends it; at most as many bytes as were
  // granted, and none after the `last`.
  caf::reacts_to<output_chunk>>;

/// Whoever has a stream to a port of a guest's.
using stream_client_actor = caf::typed_actor<
  // A PIECE of what the guest sent, in order; at most as many bytes as were granted, and none after
  // the `last`.
  caf::reacts_to<stream_piece>,
  // The door GRANTS so many bytes more of the stream with this number.
  caf::reacts_to<credit_atom, stream_atom, std::uint64_t, std::uint64_t>,
  // The stream is CLOSED, and why: no error where both ways have ended. Nothing of it follows, and
  // nobody hears what is said of it. wrong_state: the VM is dead; denied; invalid_config: what came
  // was against the rules; io_failed.
  caf::reacts_to<closed_atom, std::uint64_t, caf::error>>;

/// Whoever wants to know how far a job is.
using progress_actor = caf::typed_actor<
  // So much of it is DONE. About ten times a second; the last one may be missing.
  caf::reacts_to<job_progress>>;

/// One VM. Holding this handle is the right to use it.
using vm_actor = caf::typed_actor<
  // START the VM, while `not_started`; one that waits to be started again is at once. Answers when
  // the VMM runs the guest.
  // wrong_state; start_failed, vmm_unavailable, invalid_config, io_failed, and where it has images
  // to be built busy, timed_out: the VM is then dead, unless its policy starts it again.
  caf::replies_to<start_atom>::with<vm_info>,
  // STOP the VM for good by the ladder: power button, VMM's own stop, SIGTERM, SIGKILL. The guest
  // gets the given time to heed the button; zero skips it. Always allowed, joins a stop under way,
  // answers when the VM is dead.
  caf::replies_to<stop_atom, caf::timespan>::with<vm_info>,
  // KILL the VM at once, also while a stop is under way. Always allowed, answers when it is dead.
  caf::replies_to<kill_atom>::with<vm_info>,
  // SUSPEND the virtual CPUs; from `started` to `finished`, not during a stop. Repeating it is
  // fine. wrong_state; vmm_refused, timed_out.
  caf::replies_to<suspend_atom>::with<vm_info>,
  // RESUME them; the same rules.
  caf::replies_to<resume_atom>::with<vm_info>,
  // The balloon's SIZE; from `started` to `finished`. wrong_state; vmm_refused, timed_out.
  caf::replies_to<caf::get_atom, balloon_atom>::with<balloon_info>,
  // SET the balloon to so many bytes, at most the VM's memory; the same states. Answers when the
  // VMM took it, which may be before the guest gave the memory up. invalid_config, wrong_state;
  // vmm_refused, timed_out.
  caf::replies_to<caf::put_atom, balloon_atom, std::uint64_t>::with<caf::ok_atom>,
  // CONNECT to a port of the guest's, within so long; zero: 5 s, at most an hour. From `started` to
  // `finished`, not during a stop. denied: the port is below first_unprivileged_port; unsupported:
  // no vsock here; wrong_state; connection_refused, timed_out; io_failed.
  caf::replies_to<caf::connect_atom, std::uint32_t, caf::timespan>::with<vsock_socket>,
  // OPEN the payload's output: a descriptor to read, blocking, all that is kept first, and end of
  // file once the VM is dead and all was read. A reader that is slower than others finds an early
  // end; one alone loses nothing. Always allowed. unsupported: no vsock here; io_failed.
  caf::replies_to<caf::open_atom, output_atom>::with<passed_fd>,
  // SUBSCRIBE the sender, an output_reader_actor, to the payload's output, until it goes down. It
  // is sent nothing before it grants credit. Always allowed; repeating it changes nothing.
  // unsupported.
  caf::replies_to<caf::subscribe_atom, output_atom>::with<caf::ok_atom>,
  // GRANT so many bytes of output more to the sender. Always allowed, in vain without a
  // subscription.
  caf::reacts_to<credit_atom, std::uint64_t>,
  // UNSUBSCRIBE the sender from the output; pieces under way still come. Always allowed.
  caf::reacts_to<caf::unsubscribe_atom, output_atom>,
  // NOTE something under a key, that whoever adopts the VM is given; empty: nothing any more.
  // Always allowed, in vain for a VM that no keeper keeps.
  caf::reacts_to<note_atom, std::string, std::string>,
  // What there is to KNOW of it. Always allowed.
  caf::replies_to<caf::get_atom, state_atom>::with<vm_info>,
  // SUBSCRIBE the sender, which has the interface of a subscriber_actor, until it goes down.
  // Always allowed; the last state event is sent first, `dead` with its reason included.
  // Repeating it repeats that event alone.
  caf::replies_to<caf::subscribe_atom>::with<vm_info>,
  // UNSUBSCRIBE the sender. Always allowed.
  caf::reacts_to<caf::unsubscribe_atom>>;

/// A VM that was there before the service.
struct adopted_vm {
  vm_actor vm;
  vm_info info;
  /// All that was noted of it; the actors' own have keys that begin with `vm.`.
  std::map<std::string, std::string> notes;
};

/// VMs that were there before the service, by CID. Stays in this process.
struct adopted_vms {
  std::vector<adopted_vm> list;
};

/// The actor behind a vm_actor: what its VMM's process reports, and its own timers. What may come
/// after a life of the VM's has ended bears the life's number: how often the VM had been started
/// again.
using vm_supervisor_actor = vm_actor::extend<
  // The VMM with this process id RUNS the guest; its control channel answers.
  caf::reacts_to<up_atom, std::int32_t>,
  // A part of its launch is done, one of a few; before it runs.
  caf::reacts_to<vm_step>,
  // The VMM could NOT be started; no process is left.
  caf::reacts_to<failed_atom, caf::error>,
  // The VMM says that the guest can't go on, and does not end by itself.
  caf::reacts_to<fault_atom, std::string>,
  // The VMM's process has ENDED; nothing of it follows.
  caf::reacts_to<exited_atom, vmm_exit>,
  // The guest CONNECTED to this port of the host's.
  caf::reacts_to<caf::connect_atom, std::uint32_t, vsock_socket>,
  // A line of the guest's status CHANNEL, as it was written.
  caf::reacts_to<status_atom, std::uint32_t, payload_status>,
  // The status channel carried something else, and was closed.
  caf::reacts_to<status_atom, std::uint32_t, std::string>,
  // The streams have read all that the dead VM's connections had.
  caf::reacts_to<finished_atom, std::uint32_t>,
  // What the keeper of an adopted VM had seen before was told AGAIN, all of it.
  caf::reacts_to<synced_atom>,
  // The hang WATCHDOG, as it was armed the time with this number, has run out.
  caf::reacts_to<hangup_atom, std::uint64_t>,
  // The VMM's ANSWER to a request.
  caf::reacts_to<vmm_answer>,
  // The phase with this number has taken as long as it may.
  caf::reacts_to<expired_atom, std::uint64_t>,
  // Time to TRY again, in the phase with this number: the power button, or the next life.
  caf::reacts_to<caf::tick_atom, std::uint64_t>,
  // The VM's runtime directory is gone, and with it all that a dead VM had.
  caf::reacts_to<caf::delete_atom>,
  // The service ENDS: stop with so much grace for the guest, and end once dead.
  caf::reacts_to<drain_atom, caf::timespan>,
  // The service ends and LEAVES its VMs: end at once, but a VM that no keeper has yet is dead.
  caf::reacts_to<leave_atom>>;

/// Whoever makes images for clients: the service, and within it its image builders.
using image_maker_actor = caf::typed_actor<
  // MAKE a file a new partition; what it held is gone. The sender's going down cancels it, and then
  // the file is empty. invalid_config, unsupported, busy, io_failed.
  caf::replies_to<create_atom, partition_spec, vm_files>::with<caf::ok_atom>,
  // DIGEST an APK into an idsig file, unless the one that is there is up to date. How far it is, is
  // told to the last one named, which may be null. The same errors; the file is then empty.
  caf::replies_to<create_atom, idsig_spec, vm_files, progress_actor>::with<idsig_info>>;

/// Makes images, one job at a time. Detached: it may block.
using image_builder_actor = caf::typed_actor<
  // Do this JOB of the pool's, whose number goes back with what became of it.
  caf::reacts_to<job_atom, std::uint64_t, image_job>>;

/// Makes images in the background: so many jobs at a time, the others wait.
using image_builder_pool_actor = image_maker_actor::extend<
  // Do this JOB for a VM. The sender's going down cancels it, as its control does at any time.
  // busy: too many wait; invalid_config, io_failed; cancelled. Nothing is left of a job that
  // failed.
  caf::replies_to<job_atom, image_job>::with<image_product>,
  // What it has COUNTED: its jobs.
  caf::replies_to<caf::get_atom, metrics_atom>::with<std::vector<metric_family>>,
  // This WORKER is there, and idle.
  caf::reacts_to<worker_atom, image_builder_actor>,
  // The job with this number is FINISHED, and its worker idle.
  caf::reacts_to<finished_atom, std::uint64_t, image_product>,
  // The same, but it has FAILED.
  caf::reacts_to<failed_atom, std::uint64_t, caf::error>>;

/// The table of VMs; the only one who allocates and frees CIDs.
using registry_actor = caf::typed_actor<
  // CREATE a VM from a configuration that was found valid: a CID, a supervisor, nothing that
  // runs. It is the caller's. name_taken, cid_exhausted, io_failed.
  caf::replies_to<create_atom, vm_config, vm_files, vmm_choice, caller>::with<vm_actor, vm_info>,
  // FIND a VM by CID or by name. no_such_vm.
  caf::replies_to<caf::get_atom, vm_cid>::with<vm_actor>,
  caf::replies_to<caf::get_atom, vm_name>::with<vm_actor>,
  // The same VM's supervisor, for who has something of its guest's.
  caf::replies_to<caf::get_atom, supervisor_atom, vm_cid>::with<vm_supervisor_actor>,
  // LIST every VM, by CID, those included that are dead and not forgotten yet.
  caf::replies_to<list_atom>::with<std::vector<vm_info>>,
  // The VMs that were there BEFORE the service and are not forgotten yet.
  caf::replies_to<caf::get_atom, adopted_atom>::with<adopted_vms>,
  // A supervisor's news of its VM, for the list.
  caf::reacts_to<vm_info>,
  // A VM's guest has CONNECTED to this port of the host's, and was let in or not; for the count.
  caf::reacts_to<caf::connect_atom, std::uint32_t, bool>,
  // What it has COUNTED: CIDs, guests' connections.
  caf::replies_to<caf::get_atom, metrics_atom>::with<std::vector<metric_family>>,
  // CLAIM this VM's CID in the kernel anew, for its next life; what its last one had of the old
  // claim is gone. no_such_vm, cid_exhausted: another program has it now; io_failed.
  caf::replies_to<claim_atom, vm_cid>::with<claimed_cid>,
  // DRAIN: create none any more, stop all with so much grace, answer when none is left.
  caf::replies_to<drain_atom, caf::timespan>::with<caf::ok_atom>,
  // LEAVE: create none any more, leave the VMs to their keepers, answer when no supervisor is left.
  caf::replies_to<leave_atom>::with<caf::ok_atom>>;

/// Where guests' connections come in.
using vsock_acceptor_actor = caf::typed_actor<
  // This guest CONNECTED to this port of the host's; who it is, is the backend's word.
  caf::reacts_to<caf::connect_atom, vm_cid, std::uint32_t, vsock_socket>,
  // The listener on this port is LOST, and why.
  caf::reacts_to<lost_atom, std::uint32_t, std::string>,
  // Time to try this port AGAIN.
  caf::reacts_to<caf::tick_atom, std::uint32_t>,
  // The host's PORTS, and whether each is served.
  caf::replies_to<caf::get_atom, host_atom>::with<std::vector<vsock_port>>>;

/// The front door.
using service_actor = image_maker_actor::extend<
  // CREATE a VM; it does not run yet, so that nobody who subscribes misses an event. The
  // descriptors that the configuration refers to go with it. invalid_config, unsupported,
  // vmm_unavailable; name_taken, cid_exhausted, io_failed; shutting_down. Nothing is left of a VM
  // that could not be created.
  caf::replies_to<create_atom, vm_config, vm_files>::with<vm_actor, vm_info>,
  // The same on behalf of somebody, whose the VM then is.
  caf::replies_to<create_atom, vm_config, vm_files, caller>::with<vm_actor, vm_info>,
  // FIND a VM by CID or by name. no_such_vm.
  caf::replies_to<caf::get_atom, vm_cid>::with<vm_actor>,
  caf::replies_to<caf::get_atom, vm_name>::with<vm_actor>,
  // LIST every VM, by CID, those included that are dead and not forgotten yet.
  caf::replies_to<list_atom>::with<std::vector<vm_info>>,
  // What this HOST can do, with the ports that guests may connect to as they are served now.
  caf::replies_to<caf::get_atom, host_atom>::with<host_info>,
  // What the actors behind it have COUNTED.
  caf::replies_to<caf::get_atom, metrics_atom>::with<std::vector<metric_family>>,
  // The VMs that were there BEFORE the service and are not forgotten yet. Whoever subscribes to one
  // first is sent all that nobody has heard, so this is to be asked before anybody else can.
  caf::replies_to<caf::get_atom, adopted_atom>::with<adopted_vms>,
  // DRAIN: create none any more, stop all with so much grace for the guests, and answer when none
  // is left. Repeating it is fine.
  caf::replies_to<drain_atom, caf::timespan>::with<caf::ok_atom>,
  // LEAVE the VMs to their keepers: create none any more, and answer when the service has let go of
  // all. Their subscribers are told nothing, but of those that no keeper has yet, which are dead.
  // Without keepers all are killed. Repeating it is fine.
  caf::replies_to<leave_atom>::with<caf::ok_atom>>;

/// Measures what the system has of processes: this one, and those of VMs. Detached: it reads files
/// of the kernel's.
using usage_reader_actor = caf::typed_actor<
  // MEASURE these VMs, those that run.
  caf::replies_to<caf::get_atom, metrics_atom,
                  std::vector<vm_info>>::with<std::vector<metric_family>>>;

/// What stands between the service and whoever is not trusted: the one actor that is reached from
/// other processes. It knows VMs by their CIDs, so that no handle ever leaves the process: whatever
/// the sender is told or answered comes from the door. It asks for each message who sent it;
/// service/permissions.hpp says who may. Besides what is said here, every message is answered
/// denied; those about a VM no_such_vm, also where the sender may not know that there is one; busy,
/// where the sender's principal has as much as it may; timed_out and shutting_down. What the sender
/// may not do and is not answered is dropped.
using door_actor = caf::typed_actor<
  // CREATE a VM with the descriptors that the tickets stand for; it does not run yet. The sender
  // holds a reference, as if it had attached. As service_actor's; no_such_ticket: nothing is
  // created, and no ticket of the request is good any more, as after any other error;
  // no_such_image; wrong_state: a stored image is in use. unsupported: there are tickets, and the
  // sender is on another host.
  caf::replies_to<create_atom, vm_config, ticket_list>::with<vm_info>,
  // FIND a VM by its name. no_such_vm.
  caf::replies_to<caf::get_atom, vm_name>::with<vm_info>,
  // What there is to KNOW of one.
  caf::replies_to<caf::get_atom, state_atom, vm_cid>::with<vm_info>,
  // LIST every VM, by CID, those included that are dead and not forgotten yet.
  caf::replies_to<list_atom>::with<std::vector<vm_info>>,
  // What this HOST can do.
  caf::replies_to<caf::get_atom, host_atom>::with<host_info>,
  // How much there is of what is bounded: the service's LIMITS, in a stable order. Without `debug`
  // those alone that hold for each user, with what the sender's principal has and was refused since
  // it last had nothing of it.
  caf::replies_to<caf::get_atom, limits_atom>::with<std::vector<limit_info>>,
  // What was COUNTED and measured, as Prometheus has it; in a stable order. Who asks while that is
  // being gathered gets the same.
  caf::replies_to<caf::get_atom, metrics_atom>::with<std::vector<metric_family>>,
  // START, STOP, KILL, SUSPEND, RESUME: as vm_actor's. A guest gets an hour of grace at most.
  caf::replies_to<start_atom, vm_cid>::with<vm_info>,
  caf::replies_to<stop_atom, vm_cid, caf::timespan>::with<vm_info>,
  caf::replies_to<kill_atom, vm_cid>::with<vm_info>,
  caf::replies_to<suspend_atom, vm_cid>::with<vm_info>,
  caf::replies_to<resume_atom, vm_cid>::with<vm_info>,
  // The BALLOON: as vm_actor's.
  caf::replies_to<caf::get_atom, balloon_atom, vm_cid>::with<balloon_info>,
  caf::replies_to<caf::put_atom, balloon_atom, vm_cid, std::uint64_t>::with<caf::ok_atom>,
  // CONNECT to a port of the guest's, as vm_actor's; a ticket for the connected socket.
  // unsupported: the sender is on another host.
  caf::replies_to<caf::connect_atom, vm_cid, std::uint32_t, caf::timespan>::with<ticket>,
  // CONNECT to a port of the guest's, as vm_actor's; the number of a STREAM, whose other end is the
  // sender, a stream_client_actor, until either side closes it or the sender goes down. Neither
  // side sends before it was granted bytes, which the door does at once. What is said of a number
  // that is not a stream of the sender's is as if it was not said. unsupported: no streams here.
  caf::replies_to<caf::connect_atom, stream_atom, vm_cid, std::uint32_t,
                  caf::timespan>::with<std::uint64_t>,
  // WRITE a piece to the guest. One that is empty and not the last, is too long, comes after the
  // last, or holds more than was granted closes the stream.
  caf::reacts_to<stream_piece>,
  // GRANT so many bytes more of what the guest sends. With more than stream_window_bytes granted
  // and not sent, the stream is closed.
  caf::reacts_to<credit_atom, stream_atom, std::uint64_t, std::uint64_t>,
  // CLOSE the stream with this number at once; nothing of it follows.
  caf::reacts_to<caf::close_atom, stream_atom, std::uint64_t>,
  // OPEN the payload's output, as vm_actor's; a ticket for the descriptor to read. unsupported: the
  // sender is on another host.
  caf::replies_to<caf::open_atom, output_atom, vm_cid>::with<ticket>,
  // SUBSCRIBE the sender, an output_reader_actor, to the payload's output, GRANT it bytes, and
  // UNSUBSCRIBE it: as vm_actor's. The pieces come from the door: who reads two VMs needs a reader
  // for each.
  caf::replies_to<caf::subscribe_atom, output_atom, vm_cid>::with<caf::ok_atom>,
  caf::reacts_to<credit_atom, vm_cid, std::uint64_t>,
  caf::reacts_to<caf::unsubscribe_atom, output_atom, vm_cid>,
  // READ a piece of a kept log, also of a VM that is forgotten. no_such_vm.
  caf::replies_to<caf::get_atom, log_query>::with<log_piece>,
  // SUBSCRIBE the sender to one VM's events: as vm_actor's. Where the VM's supervisor is lost, the
  // door says `dead` in its place.
  caf::replies_to<caf::subscribe_atom, vm_cid>::with<vm_info>,
  caf::reacts_to<caf::unsubscribe_atom, vm_cid>,
  // SUBSCRIBE to one VM's events after the one with this number (vm_event::number), as who lost
  // their connection does: each that is kept first, then what comes. Also for a VM that is
  // forgotten, of the last 64.
  caf::replies_to<caf::subscribe_atom, vm_cid, std::uint64_t>::with<caf::ok_atom>,
  // WATCH all VMs: the sender, a subscriber_actor, is told every event after the one with this
  // number: each that is kept first, then what comes. 0, and a number that was not reached yet: all
  // that are kept; the largest one: none of them. Until it goes down or unsubscribes. Answers the
  // number of the last event until then, 0 before the first. Repeating it changes nothing.
  caf::replies_to<watch_atom, std::uint64_t>::with<std::uint64_t>,
  caf::reacts_to<caf::unsubscribe_atom>,
  // ATTACH: the sender holds a reference, until it detaches or goes down; once, however often it is
  // repeated. The last reference gone stops the VM by the ladder, and nobody who comes then undoes
  // that. One whose connection is lost keeps it for the grace period, within which its principal
  // may attach anew. wrong_state: dead.
  caf::replies_to<attach_atom, vm_cid>::with<vm_info>, caf::reacts_to<detach_atom, vm_cid>,
  // HOLD a reference that is nobody's, so that the VM lives on by itself. Repeating it is fine.
  // wrong_state: dead.
  caf::replies_to<hold_atom, vm_cid>::with<vm_info>,
  // DROP it; if it was the last one, the VM is being stopped. Repeating it is fine.
  caf::replies_to<drop_atom, vm_cid>::with<vm_info>,
  // PASS the VM: a word, good once and not for long, that makes whoever says it somebody who may
  // use the VM as its owner does.
  caf::replies_to<pass_atom, vm_cid>::with<ticket>,
  // TAKE what was passed. no_such_ticket.
  caf::replies_to<pass_atom, ticket>::with<vm_info>,
  // DRAIN: create none any more, stop all with so much grace for the guests, at most an hour, and
  // answer when each is dead. Nothing is created until it is ended. Repeating it is fine.
  // cancelled: it was ended.
  caf::replies_to<drain_atom, caf::timespan>::with<caf::ok_atom>,
  // RESUME, after a drain: create VMs again. Always allowed.
  caf::replies_to<resume_atom>::with<caf::ok_atom>,
  // MAKE an image, as image_maker_actor's; how far a digest is, is told to the sender, which has
  // the interface of a progress_actor.
  caf::replies_to<create_atom, partition_spec, ticket_list>::with<caf::ok_atom>,
  caf::replies_to<create_atom, idsig_spec, ticket_list>::with<idsig_info>,
  // BEGIN to store an image, or go on where an upload of the same name, size and checksum ended,
  // whoever of the sender's principal had begun it: their pieces are then refused. name_taken:
  // there is another image of that name; unsupported: nothing is stored here.
  caf::replies_to<create_atom, image_upload>::with<upload_place>,
  // PUT the next piece; image_pieces_under_way may wait for their answers. Answers how many bytes
  // are there. invalid_config: it is not the next one; no_such_image: there is no such upload,
  // which is to be begun anew.
  caf::replies_to<caf::put_atom, image_piece>::with<std::uint64_t>,
  // FINISH an upload: its image is on disk, for good. invalid_config: bytes are missing, or they
  // have another checksum, and then nothing is left of it; name_taken; no_such_image.
  caf::replies_to<finish_atom, image_atom, std::uint64_t>::with<image_info>,
  // LIST the sender's images by name, and with `debug` everybody's.
  caf::replies_to<list_atom, image_atom>::with<std::vector<image_info>>,
  // READ a piece of an image. no_such_image; wrong_state: a VM writes to it.
  caf::replies_to<caf::get_atom, image_query>::with<image_part>,
  // DELETE an image, or the upload of one. no_such_image; wrong_state: it is in use.
  caf::replies_to<caf::delete_atom, image_atom, std::string>::with<caf::ok_atom>>;

/// The actor behind a door_actor: what VMs tell it, and its own timers and threads. It takes these
/// from nobody else, whatever a transport lets through.
using doorkeeper_actor = door_actor::extend<
  // What happened to a VM that was created here.
  caf::reacts_to<vm_event>,
  // The reference with this number was LOST with its connection so long ago that it is dropped.
  caf::reacts_to<expired_atom, vm_cid, std::uint64_t>,
  // The piece of a kept log that was asked for under this number.
  caf::reacts_to<finished_atom, std::uint64_t, log_piece>,
  // It could not be read: an errno value, and a sentence.
  caf::reacts_to<failed_atom, std::uint64_t, std::int32_t, std::string>,
  // The stream with this number is OVER: whether its guest hung up, and what went wrong, in words.
  caf::reacts_to<finished_atom, stream_atom, std::uint64_t, bool, std::string>,
  // What the image store was asked for under this number.
  caf::reacts_to<finished_atom, std::uint64_t, store_answer>>;

/// Reads a VM's output for somebody on the other side of the door.
using output_relay_actor = output_reader_actor::extend<
  // SUBSCRIBE to it: as vm_actor's.
  caf::replies_to<caf::subscribe_atom, output_atom>::with<caf::ok_atom>,
  // GRANT so many bytes more.
  caf::reacts_to<credit_atom, std::uint64_t>>;

/// Has one image made for somebody on the other side of the door.
using image_client_actor = progress_actor::extend<
  // MAKE it: as image_maker_actor's; once.
  caf::replies_to<create_atom, partition_spec, vm_files>::with<caf::ok_atom>,
  caf::replies_to<create_atom, idsig_spec, vm_files>::with<idsig_info>>;

} // namespace crosvisor

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::adopted_vms)
