#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon and its users, with a program that plays QEMU: who may do what, references, signals.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need setpriv unshare

play "play=up"
chmod 644 vmlinux vm.json
readonly grants="\"manage\": {\"uids\": [$alice, $bob]}, \"custom\": {\"uids\": [$alice]}"

begin "a configuration is checked"
configure "$grants"
"$daemon" --config daemon.json --check >out.txt 2>err.txt
equal "the exit code" "$?" 0
sed -i 's/"permissions"/"permisions"/' daemon.json
"$daemon" --config daemon.json --check >out.txt 2>err.txt
equal "the exit code" "$?" 2
like "the complaint" "$(cat err.txt)" '*daemon.json:*unknown key "permisions"; did you mean "permissions"?'

begin "without a daemon"
call list
equal "the exit code" "$status" 1
like "the complaint" "$err" "crosvisor: no crosvisord at $socket*"

configure "$grants"
start_daemon

begin "a list of none"
call list
equal "the exit code" "$status" 0
like "standard output" "$out" 'CID *NAME *STATE *OWNER *VMM *MEMORY *RESTARTS *SINCE'

begin "a second daemon on the same socket"
"$daemon" --config daemon.json >out.txt 2>err.txt </dev/null
check "it fails" [ $? != 0 ]
check "the first one still serves" answers

begin "a VM that is run by the daemon"
play "play=console:hello play=off"
call run vm.json
equal "the exit code" "$status" 0
like "standard error" "$err" "vm CID starting   qemu, *
vm CID started    TIME
vm CID dead: shutdown   TIME"
call logs actor
like "its console" "$out" '*hello*'

begin "a detached one stays"
play "play=up"
call run --detach vm.json
equal "the exit code" "$status" 0
like "standard output" "$out" '[1-9]*'
cid=$out
call list
like "the list" "$out" "*$cid *actor *started *root *qemu *256 MiB*"
call list -o json
like "the list as JSON" "$out" '*"schema": 1*'
call info actor
equal "the exit code" "$status" 0
like "what is known of it" "$out" "*$cid*"
call suspend actor
equal "the exit code" "$status" 0
call resume "$cid"
equal "the exit code" "$status" 0
call balloon actor 16M
equal "the exit code" "$status" 0
call balloon actor
like "the balloon" "$out" '*16 MiB*'

begin "a name is taken"
call run vm.json
equal "the exit code" "$status" 6

begin "what another user sees of it"
as "$alice" list
says_no 4 "permission denied by crosvisord: uid $alice lacks \"debug\" (granted in /etc/crosvisor/crosvisor.json)"
as "$alice" stop actor
equal "the exit code" "$status" 3
as "$alice" stop "$cid"
equal "the exit code" "$status" 3
as "$alice" logs actor
equal "the exit code" "$status" 3
as "$alice" hold "$cid"
equal "the exit code" "$status" 3

begin "one that is handed over"
call pass actor
equal "the exit code" "$status" 0
word=$out
as "$alice" take "$word"
equal "the exit code" "$status" 0
as "$bob" take "$word"
equal "the exit code" "$status" 3
as "$alice" info "$cid"
equal "the exit code" "$status" 0
as "$alice" suspend "$cid"
equal "the exit code" "$status" 0
as "$bob" suspend "$cid"
equal "the exit code" "$status" 3

begin "the last reference is dropped"
call drop actor
equal "the exit code" "$status" 0
await "end of the VM" is_gone actor

begin "kernels of one's own need a right"
play "play=up"
chmod 644 vm.json vmlinux
as "$bob" run --detach vm.json
equal "the exit code" "$status" 4
like "the complaint" "$err" "*uid $bob lacks \"custom\"*"
as "$alice" run --detach vm.json
equal "the exit code" "$status" 0
call list
like "the list" "$out" "* actor *$alice*"
as "$bob" stop actor
equal "the exit code" "$status" 3
as "$alice" stop actor
equal "the exit code" "$status" 0
as 65534 run --detach vm.json
equal "the exit code" "$status" 4

begin "a client that is killed lets go of its VM"
play "play=up"
setsid "$crosvisor" run vm.json >out.txt 2>err.txt </dev/null &
pid=$!
await "start" is_in_state actor started
kill -KILL "$pid"
wait "$pid" 2>/dev/null
await "end of the VM" is_gone actor

begin "stop, forced"
play "play=hang play=ignore-power play=refuse-quit"
call run --detach vm.json
call stop actor --force
equal "the exit code" "$status" 0

begin "fifty commands at once"
play "play=up"
call run --detach vm.json
pids=()
for ((i = 0; i < 50; i++)); do
  "$crosvisor" list >"list.$i" 2>&1 </dev/null &
  pids+=($!)
done
bad=0
for i in "${!pids[@]}"; do
  wait "${pids[$i]}" && grep -q ' actor ' "list.$i" || bad=$((bad + 1))
done
equal "those that failed" "$bad" 0

begin "a client in another pid namespace"
unshare --pid --fork --mount-proc -- "$crosvisor" list >out.txt 2>err.txt </dev/null
status=$?
read_output
equal "the exit code" "$status" 0
like "the list" "$out" '* actor *'

begin "a reload"
as "$alice" list
equal "the exit code" "$status" 4
configure "$grants, \"debug\": {\"uids\": [$alice]}"
kill -HUP "$daemon_pid"
# shellcheck disable=SC2317 # `await` calls it.
alice_lists() { as "$alice" list && [ "$status" = 0 ]; }
await "right to list" alice_lists
echo '{' >daemon.json
kill -HUP "$daemon_pid"
await "complaint about the configuration" grep -q 'daemon.json:' daemon.err
as "$alice" list
equal "the exit code" "$status" 0

begin "events"
"$crosvisor" watch --history -o jsonl >events.jsonl 2>/dev/null </dev/null &
watcher=$!
call stop actor
await "event of the end" grep -q '"event":"dead"' events.jsonl
kill "$watcher"
wait "$watcher" 2>/dev/null
check "the beginning is there, too" grep -q '"event":"created"' events.jsonl

begin "SIGTERM ends the VMs and leaves nothing"
play "play=up"
call run --detach vm.json
stop_daemon
equal "the exit code" "$status" 0
check "the socket is gone" [ ! -e "$socket" ]
equal "what still runs" "$(running)" ""

begin "a daemon that is killed under load, and its clients"
configure "$grants"
start_daemon
play "play=up"
watchers=()
callers=()
for ((i = 0; i < 10; i++)); do
  "$crosvisor" watch >/dev/null 2>"watch.$i" </dev/null &
  watchers+=($!)
  (while "$crosvisor" list >/dev/null 2>&1 || ! echo $? >"code.$i"; do :; done) </dev/null &
  callers+=($!)
done
"$crosvisor" run vm.json >out.txt 2>err.txt </dev/null &
pid=$!
await "start" is_in_state actor started
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
daemon_pid=
wait "${callers[@]}"
equal "the exit codes" "$(sort -u code.*)" 1
# shellcheck disable=SC2317 # `await` calls them.
{
  all_said() { [ "$(grep -l "$1" watch.* err.txt | wc -l)" = 11 ]; }
}
await "word of the loss" all_said '^crosvisor: lost the connection to .*; trying again'

begin "the next one takes the socket over"
start_daemon
await "word of the new connection" all_said '^crosvisor: connected to .* again'
check "the VM is its client's" is_in_state actor started
kill -TERM "$pid"
wait "$pid"
check "the VM is gone" is_gone actor
kill "${watchers[@]}"
wait "${watchers[@]}" 2>/dev/null
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""

begin "a bound that is reached is named"
configure "$grants" '"limits": {"vms_per_user": 1}'
start_daemon
play "play=up"
call run --detach vm.json
equal "the exit code" "$status" 0
call run --name second vm.json
equal "the exit code" "$status" 126
like "the complaint" "$err" "crosvisor: *uid 0 has 1 VMs, as many as one user may have (limits.vms_per_user)*"
call info --limits
equal "the exit code" "$status" 0
like "the limits" "$out" "LIMIT *USED *OF *REFUSED *KEY*
vms_per_user *1 *1 *1 *limits.vms_per_user*
connections *limits.connections*
tickets *limits.tickets*"
call info --limits -o jsonl
like "the limits as JSON" "$out" '*{"schema":1,"name":"vms_per_user","used":1,"limit":1,"refused":1,"key":"limits.vms_per_user"}*'
as "$bob" info --limits -o jsonl
equal "the exit code" "$status" 0
like "what another user sees" "$out" '{"schema":1,"name":"vms_per_user","used":0,"limit":1,"refused":0,"key":"limits.vms_per_user"}*'
call stop actor --timeout 10
equal "the exit code" "$status" 0
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""

finish
