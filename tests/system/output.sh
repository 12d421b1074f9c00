#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `crosvisor run` writes where, to readers that are slow, gone or no terminal.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

escape=$'\e'

begin "what the guest says goes to standard output and nothing else does"
play 'play=console:hello play=log:there play=off'
run vm.json --console -
equal "the exit code" "$status" 0
equal "standard output" "$out" hello
equal "standard error" "$err" "vm CID starting   qemu, tcg, 1 cpu, 256 MiB
vm CID started    TIME
vm CID dead: shutdown   TIME"
run vm.json --log -
equal "standard output with --log" "$out" there
run vm.json --console console.txt --log log.txt
equal "standard output with files" "$out" ""
equal "the console's file" "$(cat console.txt)" hello
equal "the log's file" "$(cat log.txt)" there
equal "the files' modes" "$(stat -c %a console.txt log.txt | tr '\n' ' ')" "600 600 "
run vm.json
equal "standard output without options" "$out" ""
equal "what is kept" "$(cat state/logs/*/console.log state/logs/*/log.log | sort -u | tr '\n' ' ')" \
  "hello there "
nothing_left

begin "--events is one JSON object a line"
run vm.json --events -
equal "the events" "$("$event_lines" <out.txt)" 'created
starting
started
dead shutdown {"code":0}'
like "the first line" "$(head -n 1 out.txt)" \
  '{"schema":1,"seq":1,"time":"20*Z","cid":*,"name":"actor","event":"created"*}'
run vm.json --events events.json
equal "the events in a file" "$("$event_lines" <events.json | wc -l)" 4
begin "--events and --console can't share standard output"
run vm.json --events - --console -
equal "the exit code" "$status" 2
equal "standard error" "$err" \
  "crosvisor: --events and --console or --log can't share standard output; give one a file"
begin "--events and --payload-output can't share standard output"
run vm.json --events - --payload-output -
equal "the exit code" "$status" 2
equal "standard error" "$err" \
  "crosvisor: --events and --payload-output can't share standard output; give one a file"
run vm.json --payload-output payload.txt
equal "the exit code with a file" "$status" 0
equal "the payload's file" "$(stat -c '%a %s' payload.txt)" "600 0"
run vm.json --payload-output none/payload.txt
equal "the exit code without a folder" "$status" 2
equal "standard error" "$err" \
  'crosvisor: --payload-output "none/payload.txt": no such folder'
begin "an event with what is no UTF-8"
play 'play=reset'
run vm.json --events - --name 'a.b_c-d'
check "the events are JSON" "$event_lines" <out.txt >/dev/null
like "the name" "$(head -n 1 out.txt)" '*"name":"a.b_c-d"*'
equal "the exit code" "$status" 122

begin "the last lines of a guest that crashed"
play "play=console:one play=console:two${escape}[2J play=panic"
run vm.json
equal "the exit code" "$status" 2
play 'play=console:one play=console:two play=panic'
run vm.json
equal "the exit code" "$status" 120
like "standard error" "$err" "*vm CID dead: crash   TIME   the guest's kernel panicked
crosvisor: the last lines of its console:
  | one
  | two*"
begin "the last lines are not shown twice"
run vm.json --console -
equal "standard output" "$out" "one
two"
check "standard error has none" test -z "$(grep '^  |' err.txt)"
nothing_left

begin "the reader of the console has enough"
play 'play=console:one play=console:two play=up'
"$crosvisor" run vm.json --console - --timeout 2 2>err.txt </dev/null | head -n 1 >out.txt
equal "the exit code" "${PIPESTATUS[0]}" 124
equal "standard output" "$(cat out.txt)" one
check "the end is told" grep -q '^vm .* dead: ' err.txt
nothing_left
begin "the reader of the events has enough"
play play=off
"$crosvisor" run vm.json --events - 2>err.txt </dev/null | true
equal "the exit code" "${PIPESTATUS[0]}" 0
nothing_left

for fd in 0 1 2; do
  begin "descriptor $fd is closed"
  play 'play=console:hello play=off'
  eval "\"\$crosvisor\" run vm.json $fd>&-" >out.txt 2>err.txt
  case $fd in
    1) "$crosvisor" run vm.json --console - </dev/null 2>err.txt >&- ;;
    2) "$crosvisor" run vm.json --console - </dev/null >out.txt 2>&- ;;
    *) "$crosvisor" run vm.json --console - <&- >out.txt 2>err.txt ;;
  esac
  equal "the exit code" "$?" 0
  nothing_left
done
begin "all three are closed"
"$crosvisor" run vm.json --console - <&- >&- 2>&-
equal "the exit code" "$?" 0
nothing_left

begin "no disk space for the console"
if [ -c /dev/full ]; then
  play 'play=console:hello play=off'
  "$crosvisor" run vm.json --console - >/dev/full 2>err.txt </dev/null
  equal "the exit code" "$?" 0
  "$crosvisor" run vm.json --events - >/dev/full 2>err.txt </dev/null
  check "events that are lost are told" grep -q '^crosvisor: --events: ' err.txt
fi

# -- colours -------------------------------------------------------------------

on_terminal() { # ENVIRONMENT...
  env TERM=xterm "$@" script -qec "'$crosvisor' run vm.json" /dev/null </dev/null >out.txt
}

begin "colours on a terminal alone, and not with NO_COLOR"
play play=off
run vm.json --console - --events events.json
check "none without a terminal" test -z "$(cat err.txt out.txt events.json | grep -F "$escape")"
on_terminal
check "some on a terminal" grep -qF "$escape" out.txt
on_terminal NO_COLOR=1
check "none with NO_COLOR" test -z "$(grep -F "$escape" out.txt)"
on_terminal TERM=dumb
check "none on a dumb terminal" test -z "$(grep -F "$escape" out.txt)"
nothing_left

# -- two at once ---------------------------------------------------------------

begin "two at once have different CIDs"
play play=up
"$crosvisor" run vm.json --name one --timeout 3 --events one.json 2>/dev/null >&2 </dev/null &
first=$!
"$crosvisor" run vm.json --name two --timeout 3 --events two.json 2>/dev/null >&2 </dev/null &
second=$!
wait "$first"
equal "the exit code of one" "$?" 124
wait "$second"
equal "the exit code of the other" "$?" 124
cids() {
  sed -sn '1s/.*"cid":\([0-9]*\).*/\1/p' one.json two.json
}
equal "the number of CIDs" "$(cids | sort -u | wc -l)" 2
nothing_left

finish
