#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor run` with VMMs that are missing, broken or mad: told once and truly, and nothing is
# left.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

play play=up

# Not started at all: one line.
unusable() { # NAME PROGRAM PATTERN
  begin "$1"
  CROSVISOR_QEMU=$2 run vm.json --vmm qemu
  equal "the exit code" "$status" 125
  like "standard error" "$err" "crosvisor: vm.json: vmm: $3"
  equal "the number of lines" "$(wc -l <err.txt)" 1
  equal "standard output" "$out" ""
  nothing_left
}

program() { # NAME LINE...
  printf '%s\n' '#!/bin/sh' "${@:2}" >"bin/$1"
  chmod 755 "bin/$1"
}

unusable "a VMM that is missing" "$work/bin/none" \
  "qemu-system-x86_64: \"$work/bin/none\"*: No such file or directory*"
unusable "a VMM that is a directory" "$work/bin" "*\"$work/bin\" is a directory; *"
echo data >bin/data
unusable "a VMM that is not executable" "$work/bin/data" "*\"$work/bin/data\" is not executable; *"
chmod 755 bin/data
printf '\177ELF and nothing else' >bin/broken
chmod 755 bin/broken
unusable "a VMM that is no program" "$work/bin/broken" "*\"$work/bin/broken\" can't be run: *"
unusable "a VMM that is another program" /bin/true "\"/bin/true\" is no QEMU: asked for its version, it printed \"true (GNU *"
program failing 'echo "no libfoo.so" >&2' 'exit 127'
unusable "a VMM that can't begin" "$work/bin/failing" \
  "\"$work/bin/failing\" does not work: *exit code 127: no libfoo.so; install it anew"
program old 'echo "QEMU emulator version 4.2.0"'
unusable "a VMM that is too old" "$work/bin/old" \
  'QEMU emulator version 4.2.0 is too old; 7.2 or newer is needed'
ln -s "$(command -v yes)" "$(command -v sleep)" bin
program endless "exec '$work/bin/yes'"
unusable "a VMM that prints without end" "$work/bin/endless" "\"$work/bin/endless\" prints without end*"
program hanging "exec '$work/bin/sleep' 1000"
unusable "a VMM that hangs when it is asked for its version" "$work/bin/hanging" \
  "*\"$work/bin/hanging\"*"

# Started, and dead before the guest ran.
fails() { # NAME WORDS EXIT_CODE REASON DETAIL
  begin "$1"
  play "$2"
  run vm.json --events events.json
  equal "the exit code" "$status" "$3"
  like "the last state" "$(grep '^vm ' <<<"$err" | tail -n 1)" "vm CID dead: $4   TIME   $5"
  check "one complaint at most" [ "$(complaints | wc -l)" -le 1 ]
  equal "lines of neither kind" "$(grep -vE '^(vm |crosvisor: |  \| )' err.txt)" ""
  like "the last event" "$("$event_lines" <events.json | tail -n 1)" "dead $4 {*}"
  nothing_left
}

fails "a VMM that ends at once with 1" play=exit:1 125 \
  start_failed 'QEMU could not start the guest; it gave up with exit code 1'
fails "a VMM that ends at once with 0" play=exit:0 125 start_failed '*'
fails "a VMM that is killed at once" play=signal:9 137 \
  killed 'QEMU was ended by signal 9 (Killed)'
fails "a VMM that crashes at once" play=signal:11 120 \
  crash 'QEMU crashed by signal 11 (Segmentation fault)'
fails "a VMM that speaks another protocol" play=garbage 125 \
  start_failed 'the VMM speaks no QMP: "SSH-2.0-OpenSSH_9.2\\x1b\[2J"'
fails "a VMM that stops in the middle of a word" play=half 125 \
  start_failed 'the VMM did not answer on its control channel in time'
fails "a VMM that never speaks and ignores SIGTERM" 'play=hang play=never' 125 \
  start_failed 'the VMM did not answer on its control channel in time'

begin "a VMM that vanishes between its probe and its start"
# shellcheck disable=SC2016 # The words are the program's.
program vanishing 'case $1 in' '--version) echo "QEMU emulator version 7.2.22" ;;' \
  '-accel) echo tcg; rm "$0" ;;' 'esac'
play play=off
CROSVISOR_QEMU=$work/bin/vanishing run vm.json --vmm qemu --events events.json
equal "the exit code" "$status" 125
like "the complaint" "$(complaints)" "crosvisor: vm.json: *$work/bin/vanishing*No such file or directory*"
like "the last state" "$(grep '^vm ' <<<"$err" | tail -n 1)" 'vm CID dead: start_failed*'
equal "the last event" "$("$event_lines" <events.json | tail -n 1)" 'dead start_failed null'
nothing_left

begin "files that vanish between check and use"
# The descriptors are open by then, so nobody misses them.
program removing "rm -f '$work/vmlinux' '$work/vm.json'" "exec '$work/bin/qemu' \"\$@\""
CROSVISOR_QEMU=$work/bin/removing run vm.json --vmm qemu
equal "the exit code" "$status" 0
check "the kernel is gone" [ ! -e vmlinux ]
like "the last state" "$(tail -n 1 <<<"$err")" 'vm CID dead: shutdown*'
nothing_left

finish
