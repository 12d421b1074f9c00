#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many real guests in rounds, some at a time. Each boots and ends: by itself in one of many ways, by
# request, or because its VMM or its keeper is killed; in every round the daemon is killed, too.
# After each round nothing is left of any, and the daemon has no more descriptors than before.
#
# CROSVISOR_SOAK_GUESTS (4), CROSVISOR_SOAK_ROUNDS (1) and CROSVISOR_SOAK_GUESTS_AT_ONCE (2) say how many.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
trap 'exit 1' TERM INT

readonly guests=${CROSVISOR_SOAK_GUESTS:-4} rounds=${CROSVISOR_SOAK_ROUNDS:-1}
readonly at_once=${CROSVISOR_SOAK_GUESTS_AT_ONCE:-2}
# Of one command; a guest boots in a few seconds where it has a processor.
readonly command_bound=120

use_real_qemu
configure '' '"stop": {"grace_s": 5}'

write_guest() { # NAME ACTION
  cat >"$1.json" <<END
{
  "name": "$1", "kernel": "$guest/vmlinux", "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=$2", "memory_mib": 128, "vmm": "qemu", "accel": "tcg",
  "guest_protocol": true
}
END
}

cli() { timeout -k 1 "$command_bound" "$crosvisor" "$@"; }
told() { cli info "$1" -o jsonl 2>/dev/null; } # NAME
is_ready() { [[ $(told "$1") == *'"state":"ready"'* ]]; }
until_ready() { # NAME
  local tries
  for ((tries = 0; tries < command_bound * 10; tries++)); do
    is_ready "$1" && return
    read -rt 0.1 <>ready.pipe # Another process's state can't wake us.
  done
  return 1
}
vmm_of_guest() { again told "$1" | sed -E 's/.*"vmm_pid":([0-9]+|null).*/\1/'; }

# Runs a guest to its own end.
ends_with() { # EXIT_CODE NAME ACTION
  write_guest "$2" "$3"
  cli run "$2.json" >"$2.out" 2>"$2.err" </dev/null
  [ $? = "$1" ]
}
# What fails since the daemon is being replaced is done again.
again() { # COMMAND...
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    "$@" && return
    read -rt 0.1 <>ready.pipe # As above.
  done
  return 1
}
is_heard() { [ "$(echo "heard by $1" | cli connect "$1" 7001)" = "heard by $1" ]; } # NAME
# Starts one that serves, and hears it.
serves() { # NAME
  write_guest "$1" serve
  cli run --detach "$1.json" >"$1.out" 2>"$1.err" </dev/null && until_ready "$1" && again is_heard "$1"
}

# Stops one. Where the daemon is killed before it or in the middle of it, the client says 1; the next
# daemon goes on with the stop, or has none left to stop, which is 3.
stops() { # NAME [OPTION...]
  cli stop "$@" >/dev/null && return
  [ $? = 1 ] && again is_stopped "$@"
}
is_stopped() {
  cli stop "$@" >/dev/null
  local status=$?
  [ "$status" = 0 ] || [ "$status" = 3 ]
}

# One guest's whole life, by its number; fails when it went otherwise than it was meant to.
live() { # NUMBER NAME
  case $(($1 % 8)) in
    0 | 4) ends_with 0 "$2" poweroff && [[ $(<"$2.out") == 'Hello from the payload: Linux '* ]] ;;
    1) serves "$2" && stops "$2" ;;
    2) ends_with 7 "$2" exit:7 ;;
    3) serves "$2" && kill -KILL "$(vmm_of_guest "$2")" ;;
    5) ends_with 122 "$2" reboot ;;
    6) serves "$2" && stops "$2" --force ;;
    7) ends_with 120 "$2" panic ;;
  esac
}

# So that many run at most; the daemon is a job, too.
wait_for_room() { # MOST
  while [ "$(jobs -pr | wc -l)" -gt "$1" ]; do
    wait -n 2>/dev/null || true
  done
}

replace_daemon() {
  { kill -KILL "$daemon_pid" && wait "$daemon_pid"; } 2>/dev/null
  start_daemon
  kills=$((kills + 1))
}

nothing_runs() { ! running | grep -qv crosvisord; }
no_records() { [ -z "$(ls "$CROSVISOR_STATE_DIR/keepers")" ]; }
descriptors_are_as_before() { [ "$(descriptors)" -le "$open_before" ]; }

run_round() { # ROUND
  local first=$((guests * ($1 - 1) / rounds)) until=$((guests * $1 / rounds)) began=$SECONDS i
  : >bad
  for ((i = first; i < until; i++)); do
    wait_for_room "$at_once"
    [ "$i" != $(((first + until) / 2)) ] || replace_daemon
    { live "$i" "guest$i" || echo "$i: $(cat "guest$i.err" 2>/dev/null)" >>bad; } </dev/null 2>/dev/null &
  done
  wait_for_room 1
  equal "guests of round $1 that went otherwise than meant" "$(cat bad)" ""
  await "end of all VMs" nothing_runs
  await "end of all records" no_records
  equal "what is left below the runtime directory" \
    "$(find "$CROSVISOR_RUNTIME_DIR" -mindepth 1 ! -name cids ! -name keepers ! -name .lock ! -name "run-$daemon_pid")" ""
  equal "complaints about what is left" "$(grep -E 'is left alone|stays:|leaves|did not end' daemon.err)" ""
  check "as many CIDs as VMs" [ "$(claimed_cids)" -le "$(listed_vms)" ]
  echo "  round $1 of $rounds: $((until - first)) guests in $((SECONDS - began)) s, $(descriptors) descriptors," \
    "$(rss_kib) KiB"
}

kills=0
start_daemon
begin "$guests guests in $rounds rounds, $at_once at a time"
for ((round = 1; round <= rounds; round++)); do
  run_round "$round"
  # What the first round has opened for good is what the others may have.
  [ "$round" != 1 ] || open_before=$(descriptors)
  await "end of descriptors ($(descriptors) and not $open_before)" descriptors_are_as_before
done
echo "  $guests guests, $kills kills of the daemon"

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
