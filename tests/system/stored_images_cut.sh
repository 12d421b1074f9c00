#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An image on its way to another host, or from there, when the cable is cut, for ten seconds and for
# good.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"
# shellcheck source=stored_images_lib.sh
. "$(dirname "$0")/stored_images_lib.sh"

is_reached() {
  remote info
  [ "$status" = 0 ]
}

# Pulls large.img to the other host, the first bytes of it alone until reads_on. Sets puller.
begin_pull() {
  "${far_client[@]}" image pull large.img - >pull.pipe 2>pull.err </dev/null &
  puller=$!
  exec 6<pull.pipe
  head -c 1000 <&6 >pulled.img
}
reads_on() { cat <&6 >>pulled.img & }
end_pull() {
  wait "$puller"
  status=$?
  exec 6<&-
  err=$(<pull.err)
}
mkfifo pull.pipe
head -c 12582912 /dev/urandom >large.img

begin "the cable is cut for ten seconds"
start_paused 5
begin_push disk.img
await "piece" is_paused
began=$SECONDS
link down
await "word of the loss" grep -q 'lost the connection to .*; trying again' push.err
while [ $((SECONDS - began)) -lt 10 ]; do
  read -r -t 0.2 <>ready.pipe # Ten seconds are what is tested.
done
link up
open_gate
end_push
equal "the exit code" "$status" 0
remote image pull disk.img third.img
check "the copy is the same" cmp disk.img third.img
remote image remove disk.img
stop_daemon

begin "a pull whose cable is cut, and mended"
start_daemon
remote image push large.img
equal "the exit code of the push" "$status" 0
begin_pull
link down
reads_on
reader=$!
await "word of the loss" grep -q 'lost the connection to .*; trying again' pull.err
link up
end_pull
equal "the exit code" "$status" 0
wait "$reader"
check "the copy is the same" cmp large.img pulled.img
check "it had not come whole before" [ "$(grep -c 'connected to .* again' pull.err)" = 1 ]
stop_daemon

begin "the cable is cut for good"
start_paused 5
begin_push disk.img
await "piece" is_paused
begin_pull
link down
open_gate
reads_on
end_pull
equal "the exit code of a pull" "$status" 1
like "its last words" "${err##*$'\n'}" "crosvisor: lost the connection to *"
check "it was told only what came" cmp -n "$(stat -c %s pulled.img)" large.img pulled.img
end_push
equal "the exit code" "$status" 1
like "its last words" "${err##*$'\n'}" "crosvisor: lost the connection to *"
link up
await "connection" is_reached
remote image push disk.img
equal "the exit code" "$status" 0
like "standard error" "$err" "crosvisor: disk.img: goes on after *"

remote image pull disk.img last.img
check "the copy is the same" cmp disk.img last.img

stop_daemon
equal "the exit code" "$status" 0
finish
