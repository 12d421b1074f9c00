#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An app and a kernel in real guests, run from another host by images that it has pushed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"

need nbdkit
use_real_qemu
export CROSVISOR_OS_DIR=$guest/os
sed -i 's|"manage": {|"custom": {"subjects": ["CN=client"]}, &|' daemon.json
start_daemon

begin "an app from an image, with the rest made in the store"
remote image push "$guest/demo.apk"
equal "the exit code" "$status" 0
run_app() {
  remote run-app image:demo.apk image:demo.apk.idsig image:instance.img assets/vm_config.json \
    --vmm qemu --accel tcg --timeout 120
}
run_app
equal "the exit code" "$status" 0
like "standard output" "$out" 'Hello from the app, on Linux [1-9]*; its APK, root hash *, is verified.*'
like "standard error" "$err" "crosvisor: wrote image:demo.apk.idsig
crosvisor: made image:instance.img, instance
*vm CID dead: shutdown   TIME*"
remote image list
like "the list" "$out" "NAME *demo.apk *demo.apk.idsig *instance.img *10 MiB *"

begin "the same instance again"
run_app
equal "the exit code" "$status" 0
like "standard output" "$out" 'Hello from the app, on Linux *'

begin "a kernel and its disks from images"
remote image push "$guest/vmlinux"
remote image push "$guest/initramfs.cpio" initramfs
cat >vm.json <<END
{
  "name": "server", "kernel": "image:vmlinux", "initrd": "image:initramfs",
  "params": "quiet crosvisor.demo=hello", "memory_mib": 128, "vmm": "qemu", "accel": "tcg",
  "guest_protocol": true
}
END
remote run vm.json --timeout 120
equal "the exit code" "$status" 0
like "standard output" "$out" "*Hello from the payload*"
# shellcheck disable=SC2317 # `await` calls it.
is_removed() {
  remote image remove demo.apk demo.apk.idsig instance.img vmlinux initramfs
  [ "$status" = 0 ] || [ "$status" = 3 ]
}
await "end of their use" is_removed

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
