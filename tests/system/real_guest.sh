#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor run` with the demo guest under the real QEMU: exit codes, and what is said on the way.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

use_real_qemu

demo() { # ACTION
  cat >vm.json <<END
{
  "name": "demo",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=$1",
  "memory_mib": 128,
  "vmm": "qemu",
  "accel": "tcg"
}
END
}

begin "the demo"
run "$guest/demo.json" --vmm qemu --accel tcg --events events.json
equal "the exit code" "$status" 0
like "standard output" "$out" \
  'Hello from the payload: Linux [1-9]*.[0-9]*, 1 cpu, [1-9]* MiB, vda 64 MiB ro'
equal "standard error" "$err" "vm CID starting   qemu, tcg, 1 cpu, 128 MiB
vm CID started    TIME
vm CID ready      TIME
vm CID finished   exit 0
vm CID dead: shutdown   TIME"
equal "the events" "$("$event_lines" <events.json)" 'created
starting
started
payload_started
ready
finished
dead shutdown {"code":0}'
nothing_left

begin "options over the configuration"
run "$guest/demo.json" --vmm qemu --accel tcg --cpus 2 --mem 192 --name other
like "standard output" "$out" 'Hello from the payload: *, 2 cpus, 1[4-9]? MiB, *'
like "standard error" "$err" 'vm CID starting   qemu, tcg, 2 cpus, 192 MiB*'
nothing_left

begin "console and log in files"
demo poweroff
run vm.json --console console.txt --log log.txt --payload-output output.txt
equal "the exit code" "$status" 0
equal "standard output" "$out" ""
check "the console has its line" grep -q '^demo: poweroff' console.txt
check "the output has the greeting" grep -q '^Hello from the payload: Linux ' output.txt
check "the log has the end" grep -q '\] init: powering off$' log.txt

begin "a reboot"
demo reboot
run vm.json
equal "the exit code" "$status" 122
like "standard error" "$err" '*vm CID dead: reboot   TIME*'
nothing_left

begin "a panic"
demo panic
run vm.json
equal "the exit code" "$status" 120
like "standard error" "$err" "*vm CID dead: crash   TIME   the guest's kernel panicked
crosvisor: the last lines of its console:
  | *"
check "what is kept has the cause" grep -q 'Kernel panic - not syncing' state/logs/*-demo/console.log
nothing_left

begin "a kernel that is none"
echo 'This is no kernel.' >vmlinux
printf '{"kernel": "vmlinux", "vmm": "qemu", "accel": "tcg"}' >vm.json
run vm.json
equal "the exit code" "$status" 125
like "standard error" "$err" '*vm CID dead: start_failed   TIME   QEMU could not start the guest*kernel*'
nothing_left

watch_guest() { # ACTION OPTION...
  demo "$1"
  rm -f log.pipe
  mkfifo log.pipe
  exec 7<>log.pipe
  run_watched vm.json --log log.pipe "${@:2}"
  await_line 'vm * started *'
  # What the guest logs last before it only waits.
  while IFS= read -r -t 120 line <&7; do
    [[ $line != *'init: action '* ]] || return
  done
  failed "the guest did not get to its action"
}

begin "Ctrl-C"
watch_guest idle
kill -INT "$pid"
await_end
equal "the exit code" "$status" 0
like "standard error" "$err" "*crosvisor: Ctrl-C: stopping vm CID; once more kills it
vm CID stopping   power button
vm CID dead: shutdown   TIME"
nothing_left

begin "Ctrl-C twice for a guest that ignores its power button"
watch_guest stubborn
kill -INT "$pid"
await_line 'vm * stopping *power button'
kill -INT "$pid"
await_end
equal "the exit code" "$status" 137
nothing_left

begin "a guest that ignores its power button is ended by its VMM"
watch_guest stubborn
kill -TERM "$pid"
await_end
equal "the exit code" "$status" 143
like "standard error" "$err" "*vm CID stopping   power button
vm CID stopping   VMM stop
vm CID dead: killed   TIME*"
nothing_left

begin "--timeout"
watch_guest idle --timeout 20
await_end
equal "the exit code" "$status" 124
nothing_left

begin "kill -9 of the VMM"
watch_guest idle --events events.json
kill -KILL "$(vmm_of "$pid")"
await_end
equal "the exit code" "$status" 137
equal "the last event" "$("$event_lines" <events.json | tail -n 1)" 'dead killed {"signal":9}'
nothing_left

finish
