// SPDX-License-Identifier: Apache-2.0
// The words of vmm_info::features that a crosvm can have; see probe_crosvm() for how each is seen.
#pragma once

namespace crosvisor::io::crosvm_feature {

/// Tells by its exit code how the guest ended (since 2021-12).
inline constexpr auto extended_status = "extended-status";
/// Has no `--block` or no `--vsock` (before 2023-02): is given the options of 2021.
inline constexpr auto legacy_command_line = "legacy-command-line";
/// Reads composite disks; one that does not takes their descriptions for raw disks.
inline constexpr auto composite_disk = "composite-disk";
/// Reads qcow2; one that does not takes it for raw.
inline constexpr auto qcow2 = "qcow2";
/// Can press the guest's power button (since 2021-12).
inline constexpr auto powerbtn = "powerbtn";
/// Has a balloon, and tells of it.
inline constexpr auto balloon = "balloon";
/// Takes an open vhost-vsock device (since 2021-11).
inline constexpr auto vsock_descriptor = "vsock-descriptor";
/// Takes devices of other processes by `--vhost-user type=…`.
inline constexpr auto vhost_user = "vhost-user";
/// Takes a name for the VM (since 2024-10).
inline constexpr auto name = "name";

} // namespace crosvisor::io::crosvm_feature
