#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real guests through the daemon: what the embedded service shows, from another process.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need setpriv nbdkit
use_real_qemu
export CROSVISOR_OS_DIR=$guest/os

configure "\"manage\": {\"uids\": [$alice]}, \"custom\": {\"uids\": [$alice]}" \
  '"images": {"workers": 2}'
sed -i "s|\"qemu\":|\"os_folder\": \"$guest/os\", \"qemu\":|" daemon.json
start_daemon

begin "the demo, as another user"
as "$alice" run "$guest/demo.json" --vmm qemu --accel tcg
equal "the exit code" "$status" 0
like "standard output" "$out" \
  'Hello from the payload: Linux [1-9]*.[0-9]*, 1 cpu, [1-9]* MiB, vda 64 MiB ro'
equal "standard error" "$err" "vm CID starting   qemu, tcg, 1 cpu, 128 MiB
vm CID started    TIME
vm CID ready      TIME
vm CID finished   exit 0
vm CID dead: shutdown   TIME"

begin "a shared directory and a crash file, as another user"
mkdir -m 700 shared
echo "the greeting of alice" >shared/greeting
chown -R "$alice:$alice" shared
cat >devices.json <<END
{
  "name": "devices",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=devices crosvisor.crash=1",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg",
  "shared_directories": [{"tag": "kept", "path": "shared", "writable": true}]
}
END
as "$alice" run devices.json
equal "the exit code" "$status" 0
equal "what the guest wrote and whose it is" "$(stat -c %u shared/answer) $(cat shared/answer)" \
  "$alice from the guest"
as "$alice" console devices
like "its console" "$out" '*kept has the greeting of alice*'
as "$alice" logs devices --crash
equal "its crash file" "$out" "crash 1 of the guest"
as "$bob" logs devices --crash
check "nobody else reads it" [ "$status" != 0 ]

begin "a guest's port"
cat >vm.json <<END
{
  "name": "server",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=serve",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg"
}
END
call run --detach vm.json
equal "the exit code" "$status" 0
await "ready guest" is_in_state server ready
echo "there and back" | "$crosvisor" connect server 7001 >out.txt 2>err.txt
equal "the exit code" "$?" 0
equal "the echo" "$(cat out.txt)" "there and back"
head -c 1000000 /dev/zero >zeros
"$crosvisor" connect server 7001 <zeros >back 2>err.txt
check "a megabyte comes back as it was" cmp zeros back
"$crosvisor" connect server 9 </dev/null >out.txt 2>err.txt
equal "the exit code for a port that nobody listens on" "$?" 1
call console server
like "its console" "$out" '*ready*'
call stop server
equal "the exit code" "$status" 0

begin "an app, as another user without a right to kernels"
configure "\"manage\": {\"uids\": [$bob]}"
sed -i "s|\"qemu\":|\"os_folder\": \"$guest/os\", \"qemu\":|" daemon.json
kill -HUP "$daemon_pid"
mkdir bob
chown "$bob" bob
cp "$guest/demo.apk" bob/demo.apk
chown "$bob" bob/demo.apk
cd bob || exit 1
setpriv --reuid "$bob" --regid "$bob" --clear-groups -- "$crosvisor" run-app demo.apk demo.apk.idsig \
  instance.img assets/vm_config.json --vmm qemu --accel tcg --timeout 120 >../out.txt 2>../err.txt </dev/null
status=$?
cd ..
read_output
equal "the exit code" "$status" 0
like "standard output" "$out" 'Hello from the app, on Linux *'
like "standard error" "$err" '*vm CID dead: shutdown   TIME'

begin "the VMM is nobody's"
call run --detach vm.json
await "start" is_in_state server started
vmm=$(vmm_pid_of server)
check "the VMM's user is not root" [ "$(stat -c %u "/proc/$vmm")" -gt 1000000 ]
call stop server --force

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
