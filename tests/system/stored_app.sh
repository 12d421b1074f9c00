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
sed -i "s|\"programs\": {|&\"os_folder\": \"$guest/os\", |; s|\"manage\": {|\"custom\": {\"subjects\": [\"CN=client\"]}, &|" daemon.json
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
remote image push "$guest/disk.raw"
cat >vm.json <<END
{
  "name": "server", "kernel": "image:vmlinux", "initrd": "image:initramfs",
  "params": "quiet crosvisor.demo=poweroff", "memory_mib": 128, "vmm": "qemu", "accel": "tcg",
  "guest_protocol": true, "disks": [{"image": "image:disk.raw", "writable": false}]
}
END
remote run vm.json --timeout 120
equal "the exit code" "$status" 0
like "standard output" "$out" "Hello from the payload: Linux *, vda *ro*"
# shellcheck disable=SC2317 # `await` calls it.
are_removed() {
  local image
  for image in demo.apk demo.apk.idsig instance.img vmlinux initramfs disk.raw; do
    remote image remove "$image"
  done
  remote image list -o jsonl
  [ "$status" = 0 ] && [ "$out" = "" ]
}
await "end of their use" are_removed

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
