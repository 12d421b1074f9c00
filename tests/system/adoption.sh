#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# VMs, with a program that plays QEMU, that outlive their daemon: who has them afterwards, what is
# told of them, and what ends them.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need setpriv

readonly grants="\"manage\": {\"uids\": [$alice, $bob]}, \"custom\": {\"uids\": [$alice, $bob]}"

# Starts a client as another user, which stays. Sets pid; its outputs are NAME.out and NAME.err.
begin_as() { # UID NAME ARGUMENT...
  setpriv --reuid "$1" --regid "$1" --clear-groups -- "$crosvisor" "${@:3}" \
    >"$2.out" 2>"$2.err" </dev/null &
  pid=$!
}

kill_daemon() { # SIGNAL
  kill "-$1" "$daemon_pid"
  wait "$daemon_pid" 2>/dev/null
  status=$?
  daemon_pid=
}

cid_of() { # NAME
  "$crosvisor" info "$1" -o jsonl | sed -E 's/.*"cid":([0-9]+).*/\1/'
}

# Whether it runs, and was started again so often.
has_life() { # NAME RESTARTS
  [[ $("$crosvisor" info "$1" -o jsonl 2>/dev/null) == *'"state":"started"'*"\"restarts\":$2"[!0-9]* ]]
}

end_vmm_of() { # NAME
  local vmm
  vmm=$(vmm_pid_of "$1")
  kill -KILL "$vmm"
  await "end of the VMM" has_ended "$vmm"
}

# CID, name and owner of each VM that lives.
living() {
  "$crosvisor" list | awk 'NR > 1 && $3 !~ /^dead/ { print $1, $2, $4 }'
}

# The numbers of all events that the watch has shown, each once and none left out.
numbers_are_whole() {
  local numbers
  numbers=$(grep -o '"number":[0-9]*' events.jsonl | cut -d: -f2)
  [ -n "$numbers" ] && [ "$numbers" = "$(seq "$(head -n 1 <<<"$numbers")" "$(tail -n 1 <<<"$numbers")")" ]
}

was_told() { # NAME EVENT
  grep -q "\"name\":\"$1\".*\"event\":\"$2\"" events.jsonl
}

is_up() { kill -0 "$1" 2>/dev/null; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

configure "$grants" '"stop": {"grace_s": 1}'
start_daemon
"$crosvisor" watch -o jsonl >events.jsonl 2>watch.err </dev/null &
watcher=$!

begin "VMs of two users"
play "play=up"
chmod 644 vm.json vmlinux
as "$alice" run --detach vm.json --name held
equal "the exit code" "$status" 0
begin_as "$alice" returns run vm.json --name returns
returning=$pid
begin_as "$bob" stays-away run vm.json --name stays-away
leaving=$pid
as "$alice" pass held
as "$bob" take "$out"
equal "the exit code" "$status" 0
for name in held returns stays-away; do
  await "start of $name" is_in_state "$name" started
done
before=$(living)
vmm=$(vmm_pid_of held)
held=$(cid_of held)

begin "a daemon that is killed leaves them running"
kill_daemon KILL
kill -KILL "$leaving"
wait "$leaving" 2>/dev/null
check "the VMM runs" is_up "$vmm"
check "the client waits" is_up "$returning"

begin "the next one has them as they were"
start_daemon
equal "the VMs" "$(living)" "$before"
equal "the VMM" "$(vmm_pid_of held)" "$vmm"
as "$bob" suspend held
equal "the exit code of whom it was passed to" "$status" 0
as "$bob" resume held
as "$bob" stop returns
equal "the exit code of a stranger" "$status" 3

begin "who does not return has no VM, who does keeps it"
await "connection of the client" grep -q 'connected to .* again' returns.err
await "end of the VM that nobody holds" is_gone stays-away
check "the other one lives" is_in_state returns started
check "so does the one that is held" is_in_state held started
as "$alice" stop returns
equal "the exit code" "$status" 0
wait "$returning"
equal "the client's exit code" "$?" 0
equal "the states that it told" \
  "$(without_times <returns.err | grep '^vm CID' | cut -d' ' -f3 | sort | uniq -c | awk '{ print $1 $2 }' | tr '\n' ' ')" \
  "1dead: 1started 1starting 1stopping "

begin "a watch goes on, and misses and repeats nothing"
await "event of the end" was_told returns dead
like "what it said" "$(cat watch.err)" '*lost the connection to *; trying again
*connected to *again'
check "the numbers are whole" numbers_are_whole

begin "a daemon that is told to leave"
kill_daemon USR2
equal "the exit code" "$status" 0
check "the socket is gone" [ ! -e "$socket" ]
check "the VMM runs" is_up "$vmm"

begin "what happens meanwhile is told with its reason"
kill -KILL "$vmm"
await "end of the VMM" has_ended "$vmm"
start_daemon
await "event of the end" was_told held dead
like "the event" "$(grep '"name":"held".*"event":"dead"' events.jsonl)" '*"vmm_exit":{"signal":9}*'
check "the numbers are whole" numbers_are_whole
as "$alice" info "$held"
like "what is known of it" "$out" '*dead: *'

begin "a VM that was only created is dead with its daemon"
as "$alice" run --detach --no-start vm.json --name created
equal "the exit code" "$status" 0
kill_daemon KILL
start_daemon
await "event of the end" was_told created dead
like "the event" "$(grep '"name":"created".*"event":"dead"' events.jsonl)" \
  '*"reason":"infrastructure_error"*'
equal "what lives" "$(living)" ""

begin "a second daemon on the same directories"
sed "s|$socket|$work/other.sock|" daemon.json >other.json
"$daemon" --config other.json >out.txt 2>err.txt </dev/null
equal "the exit code" "$?" 1
like "the complaint" "$(cat err.txt)" "crosvisord: \"*/events\" is in use by process $daemon_pid"

begin "a VM that is always started again, whoever is there"
sed 's/}$/, "restart": "always"}/' vm.json >always.json
chmod 644 always.json
as "$alice" run --detach always.json --name again
equal "the exit code" "$status" 0
await "start of the VM" has_life again 0
again=$(cid_of again)
end_vmm_of again
await "second life" has_life again 1
equal "the CID" "$(cid_of again)" "$again"
# Its keeper alone sees how it ends.
vmm=$(vmm_pid_of again)
kill_daemon KILL
kill -KILL "$vmm"
await "end of the VMM" has_ended "$vmm"
start_daemon
await "third life" has_life again 2
equal "the CID" "$(cid_of again)" "$again"
# One that did not start it.
kill_daemon USR2
start_daemon
check "it is in its third life" has_life again 2
end_vmm_of again
await "fourth life" has_life again 3
equal "the CID" "$(cid_of again)" "$again"
# In the wait, which has eight seconds by now.
end_vmm_of again
await "wait" is_in_state again not_started
kill_daemon KILL
start_daemon
await "fifth life" has_life again 4
equal "the CID" "$(cid_of again)" "$again"
as "$alice" stop again
equal "the exit code" "$status" 0
check "its end is one" is_gone again
equal "the restarts that were told" "$(grep -c '"name":"again".*"event":"restarting"' events.jsonl)" 4
equal "what lives" "$(living)" ""
equal "keepers" "$(keepers)" ""

begin "a drain"
as "$alice" run --detach vm.json
equal "the exit code" "$status" 0
as "$alice" drain
equal "the exit code of a user" "$status" 4
call drain --timeout 1
equal "the exit code" "$status" 0
equal "what lives" "$(living)" ""
as "$alice" run --detach vm.json
check "none is created" [ "$status" != 0 ]
like "the complaint" "$err" '*is being drained*'
call drain --resume
equal "the exit code" "$status" 0
as "$alice" run --detach vm.json
equal "the exit code" "$status" 0

begin "SIGTERM leaves nothing"
check "the numbers are whole" numbers_are_whole
kill "$watcher"
wait "$watcher" 2>/dev/null
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
equal "keepers" "$(keepers)" ""
equal "what is left in the state directory" "$(ls "$CROSVISOR_STATE_DIR/keepers")" ""

begin "VMs that start with the daemon"
play "play=up"
chmod 644 vm.json
cp vm.json second.json
chmod 666 second.json
configure "$grants" '"autostart": [
  {"config": "second.json", "name": "open"},
  {"config": "vm.json", "name": "one", "owner": '"$alice"', "restart": "always"},
  {"config": "vm.json", "name": "two"}]'
start_daemon
await "start of the first" is_in_state one started
await "start of the second" is_in_state two started
like "the VMs" "$(living)" "* one * two *"
check "one that others can write is refused" grep -q 'second.json: somebody else can write it' daemon.err
before=$(living)
kill_daemon KILL
start_daemon
equal "the VMs" "$(living)" "$before"
as "$alice" stop one
equal "the exit code" "$status" 0
stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
equal "keepers" "$(keepers)" ""

finish
