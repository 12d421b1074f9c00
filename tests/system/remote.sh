#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two hosts, which are two network namespaces, and a daemon that serves both.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"

start_daemon

begin "a list from the other host"
play "play=up"
call run --detach vm.json
cid=$out
remote list
equal "the exit code" "$status" 0
like "the list" "$out" "*$cid *actor *started *uid 0 *"

begin "another's VM is not the remote user's"
remote stop actor
check "it is refused" [ "$status" != 0 ]
call pass actor
word=$out
remote take "$word"
equal "the exit code" "$status" 0
remote suspend actor
equal "the exit code" "$status" 0
remote resume actor
equal "the exit code" "$status" 0
remote logs actor
equal "the exit code" "$status" 0
# Nobody is in there who would answer.
remote connect actor 7001 --timeout 1
equal "the exit code" "$status" 5
equal "the complaint" "$err" "crosvisor: port 7001: Connection timed out"

begin "events on the other host"
"${far_client[@]}" watch --history -o jsonl >events.jsonl 2>watch.err </dev/null &
watcher=$!
await "first event" grep -q '"event":"created"' events.jsonl
remote stop actor
equal "the exit code" "$status" 0
await "last event" grep -q '"event":"dead"' events.jsonl

begin "a certificate of another authority"
on "$far" env CROSVISOR_CONNECT=tls://192.0.2.1:7443 CROSVISOR_CA="$work/pki/ca.pem" \
  CROSVISOR_CERTIFICATE="$work/pki/foreign.pem" CROSVISOR_KEY="$work/pki/foreign.key" \
  "$crosvisor" list >out.txt 2>err.txt </dev/null
check "it is refused" [ $? != 0 ]

begin "no certificate at all"
on "$far" env CROSVISOR_CONNECT=tls://192.0.2.1:7443 "$crosvisor" list >out.txt 2>err.txt </dev/null
equal "the exit code" "$?" 2

begin "new certificates with a reload"
mkdir "$work/old"
cp "$work"/pki/* "$work/old"
"$certificates" "$work/pki" 192.0.2.1 || exit 1
remote list
check "the daemon has its old ones still" [ "$status" != 0 ]
kill -HUP "$daemon_pid"
# shellcheck disable=SC2317 # `await` calls it.
new_one_is_let_in() {
  remote list
  [ "$status" = 0 ]
}
await "answer to the new certificate" new_one_is_let_in
on "$far" env CROSVISOR_CONNECT=tls://192.0.2.1:7443 CROSVISOR_CA="$work/pki/ca.pem" \
  CROSVISOR_CERTIFICATE="$work/old/client.pem" CROSVISOR_KEY="$work/old/client.key" \
  "$crosvisor" list >out.txt 2>err.txt </dev/null
check "the old one is refused" [ $? != 0 ]
kill -0 "$watcher"
equal "who was connected before" "$?" 0

begin "the cable is cut, and mended"
on "$near" ip link set crosvisor-near down
await "word of the loss" grep -q 'lost the connection to .*; trying again' watch.err
on "$near" ip link set crosvisor-near up
await "connection" grep -q 'connected to .* again' watch.err
call run --detach vm.json
await "event after that" grep -q "\"cid\":$out,.*\"event\":\"started\"" events.jsonl
call stop actor
equal "the exit code" "$status" 0

begin "the cable is cut for good"
began=$SECONDS
on "$near" ip link set crosvisor-near down
wait "$watcher"
check "the watcher gave up" [ $((SECONDS - began)) -le 60 ]
like "its last words" "$(tail -n 1 watch.err)" "crosvisor: lost the connection to *"

stop_daemon
equal "the exit code" "$status" 0
finish
