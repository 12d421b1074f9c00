#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real guest that is worked with from another host.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"

use_real_qemu
start_daemon

# Tries until the other host's list has the VM in this state.
is_seen() { # NAME STATE
  remote list
  [[ $out == *" $1 "*" $2 "* ]]
}

begin "a start from the other host"
cat >vm.json <<END
{
  "name": "server",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=serve",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg", "guest_protocol": true
}
END
call run --detach --no-start vm.json
equal "the exit code" "$status" 0
call pass server
remote take "$out"
equal "the exit code" "$status" 0
"${far_client[@]}" watch --history -o jsonl >events.jsonl 2>watch.err </dev/null &
watcher=$!
remote start server
equal "the exit code" "$status" 0
await "ready guest" is_seen server ready

begin "its console, while it is written and when it is kept"
"${far_client[@]}" console -f server >console.txt 2>console.err </dev/null &
reader=$!
await "console" grep -q '^ready' console.txt
remote console server
like "what is kept" "$out" '*ready*'

begin "suspended, resumed, and its balloon"
remote suspend server
equal "the exit code" "$status" 0
remote info server
like "what is known of it" "$out" '*suspended*'
remote resume server
equal "the exit code" "$status" 0
remote balloon server 32M
equal "the exit code" "$status" 0
gave_memory() {
  remote balloon server -o jsonl
  [[ $out == *'"size_bytes":33554432'* ]]
}
await "balloon of 32 MiB" gave_memory

begin "a stop from the other host"
remote stop server
equal "the exit code" "$status" 0
await "event of its end" grep -q '"event":"dead".*"reason":"shutdown"' events.jsonl
for event in created starting started payload_started ready suspended resumed stopping dead; do
  check "it was told $event" grep -q "\"name\":\"server\".*\"event\":\"$event\"" events.jsonl
done
wait "$reader"
equal "the exit code of who read its console" "$?" 0
kill "$watcher"

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
