#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each of a VM's processes is killed in each state of the VM, with programs that play QEMU and the
# guest's vsock: that VM alone is dead, says why, and nothing is left of it.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
trap 'exit 1' TERM INT

configure '' '"stop": {"grace_s": 60}'
sed -i "s|\"programs\": {|&\"vsock_device\": \"$work/bin/vsock\", |" daemon.json
silent_guest() { ln -sf "$stand_ins/crosvisor-vsock" bin/vsock; }
talking_guest() { ln -sf "$stand_ins/stand_in_talking_vsock" bin/vsock; }
play "play=up"
sed 's/actor/bystander/' vm.json >bystander.json
truncate -s 8192 part.img

# Writes victim.json.
victim() { # WORDS
  echo '{"name": "victim", "kernel": "vmlinux", "params": "'"$1"'", "disks": [
    {"writable": true, "partitions": [{"label": "a", "path": "part.img", "writable": true}]}]}' >victim.json
}

traces() {
  find "$CROSVISOR_RUNTIME_DIR" "$CROSVISOR_STATE_DIR/keepers" ! -name .lock | sort
  grep -aslF -f /dev/stdin /proc/[0-9]*/cmdline <<<"$work/" | cut -d/ -f3 | sort -n
}
traces_are_as_before() { [ "$(traces)" = "$whole" ]; }
victim_cid() { "$crosvisor" list | awk '$2 == "victim" { cid = $1 } END { print cid }'; }
keeper_of() { # CID
  find /proc/[0-9]*/fd -lname "$CROSVISOR_STATE_DIR/keepers/$1" 2>/dev/null | cut -d/ -f3 | sort -u \
    | grep -vx "$daemon_pid" | head -n 1
}

# The number of one of the victim's processes; a keeper's children are the others.
part_of() { # PART CID
  local keeper child name
  keeper=$(keeper_of "$2")
  [ "$1" != keeper ] || {
    echo "$keeper"
    return
  }
  # shellcheck disable=SC2013 # They are words.
  for child in $(cat "/proc/$keeper"/task/*/children 2>/dev/null); do
    name=$(tr '\0' '\n' <"/proc/$child/cmdline" | head -n 1)
    case $1:${name##*/} in vmm:qemu | device:vsock | nbdkit:nbdkit) echo "$child" ;; esac
  done
}
part_is_there() { [ -n "$(part_of "$1" "$(victim_cid)")" ]; }

was_told() { # CID EVENT
  grep -q "\"cid\":$1,.*\"event\":\"$2\"" events.jsonl
}

bring_to() { # STATE
  silent_guest
  case $1 in
    starting)
      victim "play=never"
      "$crosvisor" run --detach victim.json >/dev/null 2>&1 </dev/null &
      ;;
    stopping)
      victim "play=hang play=ignore-power play=refuse-quit"
      call run --detach victim.json
      "$crosvisor" stop victim --timeout 60 >/dev/null 2>&1 </dev/null &
      ;;
    *)
      [ "$1" = started ] || talking_guest
      victim "play=up"
      call run --detach victim.json
      ;;
  esac
  if [ "$1" = suspended ]; then
    await "readiness" is_in_state victim ready
    call suspend victim
  fi
  # Not a state by itself, but what is told.
  if [ "$1" = stopping ]; then
    await "event" was_told "$(victim_cid)" stopping
  else
    await "state $1" is_in_state victim "$state_name"
  fi
}

words_for() { # PART STATE
  case $1:$2 in
    vmm:*) echo '*"signal":9*' ;;
    keeper:*) echo '*"its keeper was killed (signal 9)"*"reason":"infrastructure_error"*' ;;
    *:stopping) echo '*"reason":"killed"*' ;; # By request, whatever made it the faster.
    device:*) echo '*"its vsock device ended: signal 9"*' ;;
    nbdkit:*) echo '*"its disk server ended: signal 9"*' ;;
  esac
}

silent_guest
start_daemon
call run --detach bystander.json
await "start of the bystander" is_in_state bystander started
before=$("$crosvisor" list | awk '$2 == "bystander" { print $1, $3 }')
"$crosvisor" watch -o jsonl >events.jsonl 2>/dev/null </dev/null &
watcher=$!
whole=$(traces)

for state in starting started ready suspended stopping; do
  for part in vmm keeper device nbdkit; do
    begin "$part is killed, the VM being $state"
    state_name=$state
    [ "$state" != suspended ] || state_name=ready,
    bring_to "$state"
    cid=$(victim_cid)
    await "process $part" part_is_there "$part"
    kill -KILL "$(part_of "$part" "$cid")"
    await "end of the VM" is_gone victim
    await "event of the end" was_told "$cid" dead
    like "the event" "$(grep "\"cid\":$cid,.*\"event\":\"dead\"" events.jsonl)" "$(words_for "$part" "$state")"
    await "end of all that it had" traces_are_as_before
    equal "the bystander" "$("$crosvisor" list | awk '$2 == "bystander" { print $1, $3 }')" "$before"
  done
done

begin "a VM that was only created has no process, and is ended by its last drop"
call run --detach --no-start bystander.json --name victim
equal "the exit code" "$status" 0
equal "its keeper" "$(keeper_of "$(victim_cid)")" ""
call stop victim
equal "the exit code" "$status" 0
await "end of all that it had" traces_are_as_before

kill "$watcher"
wait "$watcher" 2>/dev/null
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
