#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real guests of a daemon: how they end, what is taken from them, what is killed of them, and many.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need nbdkit
use_real_qemu
configure ''
start_daemon
"$crosvisor" watch -o jsonl >events.jsonl 2>watch.err </dev/null &
watcher=$!

# Writes vm.json; MORE are further keys.
write_guest() { # NAME WORDS [MORE]
  cat >vm.json <<END
{
  "name": "$1",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=$2",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg", "guest_protocol": true${3:+,
  $3}
}
END
}

# Starts one that stays, and waits until its payload runs.
leave_running() { # NAME ACTION
  write_guest "$1" "$2"
  call run --detach vm.json
  equal "the exit code of its start" "$status" 0
  await "ready guest" is_in_state "$1" ready
}

# What the list says of one that is dead; a name finds who lives.
end_of() { # NAME
  await "end of $1" is_gone "$1"
  "$crosvisor" list -o jsonl | grep "\"name\":\"$1\""
}

# The vsock device's process, a child of the keeper's as the VMM is.
device_of() { # NAME
  local keeper child
  keeper=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$(vmm_pid_of "$1")/status")
  # shellcheck disable=SC2013 # They are words.
  for child in $(cat "/proc/$keeper"/task/*/children); do
    [ "$(cat "/proc/$child/comm")" != crosvisor-vsock ] || echo "$child"
  done
}

begin "a reboot and a panic"
write_guest reboots reboot
call run vm.json
equal "the exit code of the reboot" "$status" 122
write_guest panics panic
call run vm.json
equal "the exit code of the panic" "$status" 120
like "standard error" "$err" "*vm CID dead: crash   TIME   the guest's kernel panicked*"

begin "an exit code and an early failure"
call run "$guest/exit.json" --vmm qemu --accel tcg
equal "the payload's exit code" "$status" 7
write_guest fails fail:MICRODROID_PAYLOAD_VERIFICATION_FAILED
call run vm.json
equal "the exit code of the failure" "$status" 123

begin "a disk of partitions"
printf 'written on the host' >system.img
truncate -s 64K system.img
printf 'before' >data.img
truncate -s 64K data.img
write_guest partitions "disks crosvisor.from=vda1 crosvisor.to=vda2 crosvisor.write=by-the-guest" \
  '"disks": [{"writable": true, "partitions": [{"label": "system", "path": "system.img"},
    {"label": "data", "path": "data.img", "writable": true}]}]'
call run vm.json --console console.txt
equal "the exit code: $err" "$status" 0
check "it found its label" grep -q 'demo: vda1 is system' console.txt
check "it read what the host wrote" grep -q 'demo: vda1 text written on the host' console.txt
equal "what it wrote" "$(head -c 12 data.img | tr -d '\0')" by-the-guest

begin "suspended, resumed, and its balloon"
leave_running server serve
call suspend server
equal "the exit code" "$status" 0
call info server
like "what is known of it" "$out" '*suspended*'
call resume server
equal "the exit code" "$status" 0
equal "the echo" "$(echo again | "$crosvisor" connect server 7001)" again
call balloon server 32M
equal "the exit code" "$status" 0
gave_memory() { [[ $("$crosvisor" balloon server -o jsonl) == *'"size_bytes":33554432'* ]]; }
await "balloon of 32 MiB" gave_memory

begin "connections beside each other"
for ((i = 0; i < 50; i++)); do
  (echo "words of $i" | "$crosvisor" connect server 7001 >"echo$i" 2>&1) &
  runs[i]=$!
done
for ((i = 0; i < 50; i++)); do
  wait "${runs[i]}"
  equal "the exit code of connection $i" "$?" 0
  equal "its echo" "$(cat "echo$i")" "words of $i"
done
# One that nobody reads, and one that is reset, are no other's trouble.
head -c 4M /dev/zero >zeros
"$crosvisor" connect server 7004 <zeros >/dev/null 2>&1 &
deaf=$!
"$crosvisor" connect server 7005 <zeros >/dev/null 2>reset.err
equal "the echo beside them" "$(echo again | "$crosvisor" connect server 7001)" again
check "the deaf one's client still waits" kill -0 "$deaf"
kill "$deaf"
call stop server
equal "the exit code of its stop" "$status" 0

begin "a guest that floods its console"
leave_running floods flood
log=$(echo state/logs/*-floods)
has_turned() { [ -e "$log/console.log.1" ]; }
await "second file of its console" has_turned
call list
equal "the exit code of a list meanwhile" "$status" 0
call stop floods --force
equal "the exit code of its stop" "$status" 0
check "its console is bounded" [ "$(du -sk "$log" | cut -f1)" -le 9000 ]

begin "a guest that ignores its power button"
write_guest stubborn stubborn
call run --detach vm.json
await "ready guest" is_in_state stubborn ready
call stop stubborn --timeout 1
equal "the exit code" "$status" 0
like "its end" "$(end_of stubborn)" '*"reason":"killed"*'

begin "its VMM is killed, and another one's vsock device"
leave_running hit serve
leave_running deaf serve
kill -KILL "$(vmm_pid_of hit)"
like "its end" "$(end_of hit)" '*"reason":"killed"*'
kill -KILL "$(device_of deaf)"
like "its end" "$(end_of deaf)" '*"reason":"crash"*'
await "event with the cause" grep -q '"name":"deaf".*"event":"dead".*its vsock device ended: signal 9' events.jsonl

begin "ten at once"
for ((i = 0; i < 10; i++)); do
  write_guest "many$i" poweroff
  mv vm.json "many$i.json"
  "$crosvisor" run "many$i.json" >"many$i.out" 2>"many$i.err" </dev/null &
  runs[i]=$!
done
for ((i = 0; i < 10; i++)); do
  wait "${runs[i]}"
  equal "the exit code of many$i" "$?" 0
  like "its output" "$(cat "many$i.out")" 'Hello from the payload: Linux *'
done

kill "$watcher"
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
