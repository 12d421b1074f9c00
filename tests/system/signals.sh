#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor run` and whoever ends it: Ctrl-C once and twice, SIGTERM, SIGHUP, --timeout, SIGKILL.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

start_and_signal() { # WORDS SIGNAL
  play "$1"
  run_watched vm.json --events events.json
  await_line 'vm * started *'
  kill "-$2" "$pid"
}

last_event() {
  "$event_lines" <events.json | tail -n 1
}

stopped_by() { # SIGNAL WORDS
  begin "SIG$1 stops the VM"
  start_and_signal play=up "$1"
  await_end
  equal "the exit code" "$status" 0
  equal "standard error" "$err" "vm CID starting   qemu, tcg, 1 cpu, 256 MiB
vm CID started    TIME
crosvisor: $2: stopping vm CID; once more kills it
vm CID stopping   power button
vm CID dead: shutdown   TIME"
  equal "the last event" "$(last_event)" 'dead shutdown {"code":0}'
  nothing_left
}
stopped_by INT Ctrl-C
stopped_by TERM SIGTERM
stopped_by HUP SIGHUP

begin "a second Ctrl-C kills the VM"
start_and_signal 'play=hang play=ignore-power play=refuse-quit' INT
await_line 'vm * stopping *power button'
kill -INT "$pid"
await_end
equal "the exit code" "$status" 137
like "standard error" "$err" "*crosvisor: Ctrl-C: killing vm CID
vm CID stopping   SIGKILL
vm CID dead: killed   TIME*"
equal "the last event" "$(last_event)" 'dead killed {"signal":9}'
nothing_left

begin "more signals than two change nothing"
start_and_signal 'play=hang play=ignore-power play=refuse-quit' INT
await_line 'vm * stopping *power button'
for signal in INT TERM HUP INT; do
  kill "-$signal" "$pid" 2>/dev/null
done
await_end
equal "the exit code" "$status" 137
nothing_left

begin "a VMM that refuses everything is ended by the last step"
play 'play=hang play=refuse-quit'
run_watched vm.json --timeout 0.1 --events events.json
await_end
equal "the exit code" "$status" 124
nothing_left

begin "--timeout stops the VM"
play play=up
run vm.json --timeout 0.5 --events events.json
equal "the exit code" "$status" 124
equal "standard error" "$err" "vm CID starting   qemu, tcg, 1 cpu, 256 MiB
vm CID started    TIME
crosvisor: --timeout: vm CID has run for 0.500 s; stopping it
vm CID stopping   power button
vm CID dead: shutdown   TIME"
nothing_left

begin "--timeout that is not reached"
play play=off
run vm.json --timeout 3600
equal "the exit code" "$status" 0
nothing_left

begin "--timeout that is over before the VMM answers"
play play=never
run vm.json --timeout 0.2
equal "the exit code" "$status" 124
nothing_left

begin "a Ctrl-C before the VMM answers"
play play=never
run_watched vm.json
await_line 'vm * starting *'
kill -INT "$pid"
await_end
equal "the exit code" "$status" 143
# Perhaps before there was a process.
like "standard error" "$err" '*vm CID dead: killed   TIME   *stopped *'
nothing_left

begin "a signal that was ignored from the start stays ignored"
play play=up
rm -f err.pipe
mkfifo err.pipe
: >err.txt
env --ignore-signal=HUP --default-signal=INT,TERM "$crosvisor" run vm.json >out.txt 2>err.pipe \
  </dev/null &
pid=$!
exec 8<err.pipe
await_line 'vm * started *'
kill -HUP "$pid"
kill -TERM "$pid"
await_end
check "SIGTERM alone was heard" grep -q '^crosvisor: SIGTERM: stopping' err.txt
check "SIGHUP was not" test -z "$(grep SIGHUP err.txt)"
nothing_left

begin "a VMM that somebody kills"
play play=up
run_watched vm.json --events events.json
await_line 'vm * started *'
vmm=$(vmm_of "$pid")
kill -KILL "$vmm"
await_end
equal "the exit code" "$status" 137
like "standard error" "$err" '*vm CID dead: killed   TIME   QEMU was ended by signal 9 (Killed)'
equal "the last event" "$(last_event)" 'dead killed {"signal":9}'
nothing_left

begin "the VMM dies with a program that is killed, and the next run clears up"
play play=hang
run_watched vm.json
await_line 'vm * started *'
vmm=$(vmm_of "$pid")
kill -KILL "$pid"
await_end
equal "the exit code" "$status" 137
# tail waits for a process that is no child of ours.
timeout 60 tail --pid="$vmm" -f /dev/null
equal "what still runs" "$(running)" ""
check "something was left" test -n "$(find run -mindepth 1 ! -name cids)"
play play=off
run vm.json
equal "the exit code of the next" "$status" 0
nothing_left

finish
