// SPDX-License-Identifier: Apache-2.0
#include "crosvm_parts.hpp"

#include <cstdio>

namespace stand_in {

namespace {

constexpr auto todays_help =
  R"(Usage: crosvm [--extended-status] [--log-level <log-level>] [--syslog-tag <TAG>] [--no-syslog] <command> [<args>]

crosvm

Options:
  --extended-status use extended exit status
  --log-level       specify log level, eg "off", "error", "debug,disk=off", etc
  --syslog-tag      when logging to syslog, use the provided tag
  --no-syslog       disable output to syslog
  --help, help      display usage information

Commands:
  balloon           Set balloon size of the crosvm instance to `SIZE` bytes
  balloon_stats     Prints virtio balloon statistics for a `VM_SOCKET`
%s  create_qcow2      Create Qcow2 image given path and size
  powerbtn          Triggers a power button event in the crosvm instance
  resume            Resumes the crosvm instance.
  run               Start a new crosvm instance
  stop              Stops crosvm instances via their control sockets
  suspend           Suspends the crosvm instance
  version           Show package version.
)";

constexpr auto todays_composite = "  create_composite  Create a new composite disk image file\n";

constexpr auto help_of_2021 = R"(Usage: crosvm [command]

Commands:
    balloon - Set balloon size of the crosvm instance.
    balloon_stats - Prints virtio balloon statistics.
    battery - Modify battery.
%s    create_qcow2  - Create a new qcow2 disk image file.
    disk - Manage attached virtual disk devices.
    resume - Resumes the crosvm instance.
    run - Start a new crosvm instance.
    stop - Stops crosvm instances via their control sockets.
    suspend - Suspends the crosvm instance.
    version - Show package version.
)";

constexpr auto composite_of_2021 =
  "    create_composite  - Create a new composite disk image file.\n";

constexpr auto todays_run_help = R"(Usage: crosvm run <options> KERNEL

Start a new crosvm instance

Options:
  --bios            path to BIOS/firmware ROM
  --block           parameters for setting up a block device.
  --cid             (DEPRECATED): Use --vsock.
  -c, --cpus        cpu parameters.
  --disable-sandbox run all devices in one, non-sandboxed process
  -i, --initrd      initial ramdisk to load
  -m, --mem         memory parameters.
  --name            optional name for the VM.
  --no-balloon      don't use virtio-balloon device in the guest
  --no-usb          don't use usb devices in the guest
  -p, --params      extra kernel command line arguments.
  --protected-vm    prevent host access to guest memory
  --serial          comma separated key=value pairs for setting up serial devices.
  -s, --socket      path to put the control socket.
  --vhost-user      comma separated key=value pairs for a vhost-user frontend device.
  --vhost-vsock-fd  (DEPRECATED): Use --vsock.
  --vsock           add a vsock device.
)";

constexpr auto run_help_of_2021 = R"(Usage: crosvm run [options] KERNEL

        --vhost-vsock-device=PATH Path to the vhost-vsock device. (default /dev/vhost-vsock)
    -i, --initrd=PATH       Initial ramdisk to load.
    -p, --params=PARAMS     Extra kernel or plugin command line arguments.
    -c, --cpus=N            Number of VCPUs. (default: 1)
    -m, --mem=N             Amount of guest memory in MiB. (default: 256)
    -d, --disk=PATH         Path to a disk image followed by optional comma-separated options.
        --rwdisk=PATH       Path to a writable disk image.
        --serial=type=TYPE  Comma separated key=value pairs for setting up serial devices.
    -s, --socket=PATH       Path to put the control socket.
        --disable-sandbox   Run all devices in one, non-sandboxed process.
        --cid=CID           Context ID for virtual sockets.
        --bios=PATH         Path to BIOS/firmware ROM
        --protected-vm      (EXPERIMENTAL) prevent host access to guest memory
)";

} // namespace

int print_help(era when, bool composite) {
  if (when == era::todays) {
    std::printf(todays_help, composite ? todays_composite : "");
    return 0;
  }
  std::puts("invalid subcommand: \"--help\"");
  std::printf(help_of_2021, composite ? composite_of_2021 : "");
  return 1;
}

int print_run_help(era when) {
  std::fputs(when == era::todays ? todays_run_help : run_help_of_2021, stdout);
  return 0;
}

} // namespace stand_in
