#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many lives of VMs one after the other, several at a time, with a program that plays QEMU. Each is
# created, starts and ends: by itself in one of many ways, by request, or because its VMM, its keeper
# or now and then the daemon is killed. Afterwards the daemon has no more descriptors, and no more
# memory than a bound, and nothing is left of any VM.
#
# CROSVISOR_SOAK_LIVES (60) and CROSVISOR_SOAK_AT_ONCE (8) say how many, beside as many again under one daemon.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
trap 'exit 1' TERM INT

readonly lives=${CROSVISOR_SOAK_LIVES:-60} at_once=${CROSVISOR_SOAK_AT_ONCE:-8}
# What the daemon keeps of events has a bound, and a dead VM is remembered for a minute.
readonly grown_kib=$((8 << 10)) grown_per_remembered_kib=16 grown_most_kib=$((64 << 10))
readonly life_bound=60 progress_every=500

ways=(off reset panic exit:3 signal:11 never up up up up)
for way in "${ways[@]}"; do
  play "play=$way"
  mv vm.json "${way%%:*}.json"
done
# Their VMMs are killed, and they have a next life or are stopped before it.
ways+=(again again)
sed 's/}$/, "restart": "always"}/' up.json >again.json
configure '' '"stop": {"grace_s": 1}'

# The keeper's number, by the lock on its record.
keeper_of() { # CID
  find /proc/[0-9]*/fd -lname "$CROSVISOR_STATE_DIR/keepers/$1" 2>/dev/null | head -n 1 | cut -d/ -f3
}

vmm_of_vm() { # CID
  timeout 20 "$crosvisor" info "$1" -o jsonl 2>/dev/null | sed -E 's/.*"vmm_pid":([0-9]+|null).*/\1/'
}

kill_process() { # NUMBER
  [ -z "$1" ] || [ "$1" = null ] || kill -KILL "$1" 2>/dev/null
}

# One VM, from its creation to its end. Fails when a command did not come back in time.
live() { # NUMBER
  local way=${ways[RANDOM % ${#ways[@]}]} cid
  way=${way%%:*}
  if [ "$way" = up ]; then
    cid=$(timeout -k 1 "$life_bound" "$crosvisor" run --detach up.json --name "life$1" 2>"life.$1")
    [ $? != 124 ] || return
    case $((RANDOM % 4)) in
      0) kill_process "$(vmm_of_vm "$cid")" ;;
      1) kill_process "$(keeper_of "${cid:-none}")" ;;
      2) timeout -k 1 "$life_bound" "$crosvisor" stop "$cid" >/dev/null 2>"life.$1" ;;
      3) timeout -k 1 "$life_bound" "$crosvisor" stop "$cid" --force >/dev/null 2>"life.$1" ;;
    esac
  elif [ "$way" = again ]; then
    live_again "$1"
  elif [ "$way" = never ]; then
    timeout -s INT -k "$life_bound" 1 "$crosvisor" run never.json --name "life$1" 2>"life.$1"
    return 0
  else
    timeout -k 1 "$life_bound" "$crosvisor" run "$way.json" --name "life$1" >/dev/null 2>"life.$1"
  fi
  [ $? != 124 ]
}

# Through two lives, the second of which may be over at any step of its begin.
live_again() { # NUMBER
  local cid
  cid=$(timeout -k 1 "$life_bound" "$crosvisor" run --detach again.json --name "life$1" 2>"life.$1")
  [ $? != 124 ] || return 124
  kill_process "$(vmm_of_vm "$cid")"
  # It does not wait for the next one then, unless its end is not known yet.
  if [ $((RANDOM % 3)) != 0 ]; then
    timeout -k 1 "$life_bound" "$crosvisor" start "$cid" >/dev/null 2>"life.$1" &
  fi
  [ $((RANDOM % 3)) != 0 ] || wait
  timeout -k 1 "$life_bound" "$crosvisor" stop "$cid" --force >/dev/null 2>>"life.$1"
}

# Every so many lives, all that run at that moment see their daemon killed.
run_lives() { # COUNT [KILLS]
  local first=$next_life until=$((next_life + $1)) every=$(($1 / (${2:-0} + 1) + 1)) bad began=$SECONDS
  for (( ; next_life < until; next_life++)); do
    while [ "$(jobs -pr | wc -l)" -gt "$at_once" ]; do # The daemon is one of them.
      wait -n 2>/dev/null || true
    done
    if [ $(((next_life - first + 1) % every)) = 0 ]; then
      { kill -KILL "$daemon_pid" && wait "$daemon_pid"; } 2>/dev/null
      daemon_kills=$((daemon_kills + 1))
      start_daemon
    fi
    if [ $(((next_life - first + 1) % progress_every)) = 0 ]; then
      echo "  $((next_life - first + 1)) of $1 lives in $((SECONDS - began)) s; memory $(rss_kib) KiB"
    fi
    { live "$next_life" || echo "$next_life" >>late; } </dev/null 2>/dev/null &
  done
  while [ "$(jobs -pr | wc -l)" -gt 1 ]; do
    wait -n 2>/dev/null || true
  done
  bad=$(wc -l 2>/dev/null <late || echo 0)
  equal "commands that did not come back" "$bad" 0
}

# What nobody holds ends by itself; what was held when a daemon was killed is ended here.
end_all() {
  call drain --timeout 1
  equal "the exit code: $err" "$status" 0
  call drain --resume
}

nothing_runs() { ! running | grep -qv crosvisord; }
no_records() { [ -z "$(ls "$CROSVISOR_STATE_DIR/keepers")" ]; }
descriptors_are_as_before() { [ "$(descriptors)" -le "$open_before" ]; }

next_life=0
daemon_kills=0
start_daemon

begin "$lives lives, $at_once at a time"
run_lives "$lives" $((lives < 1000 ? 2 : lives / 500))
end_all
await "end of all VMs" nothing_runs
await "end of all records" no_records

begin "a daemon after as many again, not killed"
{ kill -KILL "$daemon_pid" && wait "$daemon_pid"; } 2>/dev/null
start_daemon
more=$((lives / 2))
run_lives "$more"
end_all
await "end of all VMs" nothing_runs
open_before=$(descriptors)
remembered_before=$(listed_vms)
rss_before=$(rss_kib)
run_lives "$more"
end_all
await "end of all VMs" nothing_runs
await "end of all records" no_records
await "end of descriptors ($(descriptors) and not $open_before)" descriptors_are_as_before
check "as many CIDs as VMs" [ "$(claimed_cids)" -le "$(listed_vms)" ]
rss_after=$(rss_kib)
remembered=$(($(listed_vms) - remembered_before))
bound=$((grown_kib + (remembered > 0 ? remembered * grown_per_remembered_kib : 0)))
bound=$((bound < grown_most_kib ? bound : grown_most_kib))
check "memory within $bound KiB more than $rss_before KiB, not $rss_after KiB" \
  [ $((rss_after - rss_before)) -le "$bound" ]
equal "what is left below the runtime directory" \
  "$(find "$CROSVISOR_RUNTIME_DIR" -mindepth 1 ! -name cids ! -name keepers ! -name .lock ! -name "run-$daemon_pid")" ""
equal "complaints about what is left" "$(grep -E 'is left alone|stays:|leaves|did not end' daemon.err)" ""
echo "$next_life lives, $daemon_kills kills of the daemon; descriptors $open_before before, $(descriptors) after;" \
  "memory $rss_before KiB before, $rss_after KiB after"

begin "the end"
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
