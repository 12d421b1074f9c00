#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real guests whose daemon is killed, again and again, while they and their clients are at work.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

use_real_qemu

readonly part=$((64 << 20)) parts=4

# One that is not waited for yet counts.
has_died() { # PID
  ! grep -qs '^State:[[:space:]][^Z]' "/proc/$1/status"
}

# The daemon may be another shell's child.
end_of_daemon() { # PID
  kill -KILL "$1"
  await "end of the daemon" has_died "$1"
}

# Kills the daemon and starts the next one; also from a pipeline, whose parts are processes of
# their own: who runs is in a file.
replace_daemon() {
  end_of_daemon "$(cat daemon.pid)"
  start_daemon >&2
  echo "$daemon_pid" >daemon.pid
}

# The shell's own variable, after a pipeline has replaced the daemon.
know_daemon() { daemon_pid=$(cat daemon.pid); }

write_guest() { # NAME ACTION
  cat >vm.json <<END
{
  "name": "$1",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=$2",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg", "guest_protocol": true
}
END
}

guest_of() { # NAME ACTION
  write_guest "$1" "$2"
  call run --detach vm.json
  equal "the exit code of its start" "$status" 0
}

field_of() { # NAME FIELD
  "$crosvisor" info "$1" -o jsonl | sed -E "s/.*\"$2\":\"?([^\",}]*).*/\1/"
}

configure "\"debug\": {\"uids\": [$alice]}"
start_daemon
echo "$daemon_pid" >daemon.pid

begin "256 MiB to a guest and back across three kills"
guest_of server serve
await "ready guest" is_in_state server ready
cid=$(field_of server cid)
head -c "$part" /dev/urandom >part
sent=$(for ((i = 0; i < parts; i++)); do cat part; done | sha256sum)
back=$({
  for ((i = 0; i < parts; i++)); do
    cat part
    [ "$i" = 0 ] || replace_daemon
  done
} | "$crosvisor" connect server 7001 2>connect.err | sha256sum)
know_daemon
equal "the checksum" "$back" "$sent"
equal "what the client complained of" "$(cat connect.err)" ""

begin "256 MiB from a guest across three kills"
whole=$(echo $((part * parts)) | "$crosvisor" connect server 7003 | sha256sum)
across=$(echo $((part * parts)) | "$crosvisor" connect server 7003 2>connect.err | {
  for ((i = 1; i < parts; i++)); do
    head -c "$part"
    replace_daemon
  done
  cat
} | sha256sum)
know_daemon
equal "the checksum" "$across" "$whole"
equal "what the client complained of" "$(cat connect.err)" ""

begin "the guest is the same one"
equal "its CID" "$(field_of server cid)" "$cid"
equal "its state" "$(field_of server state)" ready
echo "there and back" | "$crosvisor" connect server 7001 >out.txt 2>err.txt
equal "a new connection's echo" "$(cat out.txt)" "there and back"
call stop server
equal "the exit code of its stop" "$status" 0

begin "a payload's output across three kills"
write_guest sender "send:$((part * parts))"
across=$("$crosvisor" run vm.json 2>run.err | {
  for ((i = 1; i < parts; i++)); do
    head -c "$part"
    replace_daemon
  done
  cat
} | sha256sum)
know_daemon
equal "the checksum" "$across" "$whole"
like "what was told in the end" "$(tail -n 1 run.err)" 'vm [0-9]* dead: shutdown *'

begin "a console across three kills"
guest_of lines lines:20000
log=$(echo state/logs/*-lines)
for line in 2000 8000 14000; do
  await "line $line" grep -qs "^line $line" "$log"/console.log
  replace_daemon
done
await "end of the guest" is_gone lines
equal "the lines" "$(tr -d '\r' <"$log"/console.log | grep '^line ' | sha256sum)" \
  "$(seq 20000 | sed 's/^/line /' | sha256sum)"

begin "an exit code that nobody was there for"
guest_of exits exit:7
await "start" is_in_state exits started
vmm=$(field_of exits vmm_pid)
end_of_daemon "$daemon_pid"
await "end of the VMM" has_died "$vmm"
start_daemon
"$crosvisor" watch --history -o jsonl >events.jsonl 2>watch.err </dev/null &
watcher=$!
await "event of its end" grep -qs '"name":"exits".*"event":"dead"' events.jsonl
kill "$watcher"
like "its payload's end" "$(grep '"name":"exits".*"event":"finished"' events.jsonl)" '*"payload_exit_code":7*'
like "its own" "$(grep '"name":"exits".*"event":"dead"' events.jsonl)" '*"reason":"shutdown"*'

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
equal "what is left of keepers" "$(find run -name '*keeper*' -type s; ls state/keepers 2>/dev/null)" ""
finish
