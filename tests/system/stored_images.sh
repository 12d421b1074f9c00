#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images that a client on another host stores with a daemon: pushed, pulled, cut off, gone on with,
# and named by VMs.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"
# shellcheck source=stored_images_lib.sh
. "$(dirname "$0")/stored_images_lib.sh"

start_daemon

begin "pushed, listed and pulled"
remote image push disk.img
equal "the exit code" "$status" 0
equal "standard output" "$out" ""
equal "standard error" "$err" "crosvisor: stored image:disk.img, 3145745 bytes"
remote image list -o jsonl
like "the list" "$out" "{\"schema\":1,\"name\":\"disk.img\",\"size_bytes\":3145745,\"in_use\":false,\"sha256\":\"$sum\",\"owner\":\"subject *CN=client*\",\"stored\":\"20*Z\"}"
remote image pull disk.img copy.img
equal "the exit code" "$status" 0
check "the copy is the same" cmp disk.img copy.img
"${far_client[@]}" image pull image:disk.img - </dev/null 2>err.txt | sha256sum >sum.txt
like "the checksum of what goes to standard output" "$(<sum.txt)" "$sum *"
remote image pull disk.img copy.img
equal "the exit code" "$status" 6
equal "standard error" "$err" "crosvisor: copy.img: is there already; it is not touched"

begin "pushed again, and another of its name"
remote image push disk.img
equal "standard error" "$err" "crosvisor: image:disk.img is there already, 3145745 bytes"
remote image push copy.img disk.img
equal "the exit code" "$status" 0
echo other >other.img
remote image push other.img disk.img
equal "the exit code" "$status" 6
like "standard error" "$err" 'crosvisor: other.img: there is another image "disk.img"; *'

begin "names, files and commands that are no good"
remote image push other.img ../other
equal "the exit code" "$status" 2
: >empty.img
remote image push empty.img
equal "the exit code" "$status" 2
equal "standard error" "$err" "crosvisor: empty.img: is empty"
remote image push "$work"
equal "the exit code" "$status" 2
remote image pull none
equal "the exit code" "$status" 3
equal "standard error" "$err" 'crosvisor: image:none: no image "none"'
check "nothing is left of it" [ ! -e none ]
remote image pusj other.img
# shellcheck disable=SC2016 # The backquotes are meant.
like "standard error" "$err" 'crosvisor: unknown command "pusj"; did you mean "push"?; see `crosvisor image --help`'

begin "everybody's are their own"
call image push other.img disk.img
equal "the exit code" "$status" 0
as "$alice" image list
equal "the exit code" "$status" 4
remote image pull disk.img - >/dev/null
equal "the exit code" "$status" 0
call image list
equal "how many root sees" "$(tail -n +2 out.txt | wc -l)" 2
call image remove disk.img
equal "the exit code" "$status" 0

begin "a VM from images, which are in use meanwhile"
play "play=up"
cat >image.json <<END
{"name": "stored", "kernel": "image:vmlinux", "params": "play=up", "disks": [
  {"writable": true, "image": "image:data.img"}, {"writable": false, "image": "image:disk.img"}]}
END
remote image push vmlinux
remote create-partition image:data.img 1M
equal "the exit code" "$status" 0
remote create-partition image:data.img 1M
equal "the exit code" "$status" 6
remote run --detach image.json
equal "the exit code" "$status" 0
await "start" is_in_state stored started
remote image remove disk.img
equal "the exit code" "$status" 6
equal "standard error" "$err" 'crosvisor: image "disk.img" is in use by a VM, or is being read'
remote image pull data.img
equal "the exit code" "$status" 6
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
start_daemon
await "adoption" is_in_state stored started
remote image remove disk.img
equal "the exit code, by the next daemon" "$status" 6
remote image list
like "the list" "$out" "*data.img *1 MiB *in use * - *disk.img *in use *"
remote stop stored --force
equal "the exit code" "$status" 0
is_removed() { # NAME
  remote image remove "$1"
  [ "$status" = 0 ]
}
await "end of its use" is_removed data.img

begin "here is no daemon, and no image"
CROSVISOR_CONNECT=embedded: "$crosvisor" run image.json >out.txt 2>err.txt </dev/null
equal "the exit code" "$?" 2
read_output
equal "standard error" "$err" "crosvisor: image.json: image:vmlinux is a daemon's, and here is none; start crosvisord, or name a file"
CROSVISOR_CONNECT=embedded: "$crosvisor" image list >out.txt 2>err.txt </dev/null
equal "the exit code" "$?" 2

begin "a quota"
head -c 17825792 /dev/zero >large.img
remote image push large.img
equal "the exit code" "$status" 1
like "standard error" "$err" 'crosvisor: large.img: subject "CN=client" has * MiB of images, and with 17 MiB more they were beyond the 16 MiB that one user may have (images.mib_per_user)'
remote info --limits
like "the bound" "$out" "*stored_image_bytes_per_user *16777216 *1 *images.mib_per_user*"
remote image remove vmlinux disk.img
equal "the exit code" "$status" 0
stop_daemon

begin "a client that is killed, and another that goes on"
start_paused 5
begin_push disk.img
await "piece" is_paused
kill -KILL "$pusher"
end_push 2>/dev/null
open_gate
remote image list -o jsonl
equal "what is listed of it" "$out" ""
remote image push disk.img
equal "the exit code" "$status" 0
like "standard error" "$err" "crosvisor: disk.img: goes on after * of 3145745 bytes
crosvisor: stored image:disk.img, 3145745 bytes"
remote image list -o jsonl
like "the list" "$out" "*\"sha256\":\"$sum\"*"
remote image remove disk.img
stop_daemon

begin "a daemon that is killed, and the next one goes on"
start_paused 5
begin_push disk.img
await "piece" is_paused
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
start_daemon
end_push
equal "the exit code" "$status" 0
like "standard error" "$err" "crosvisor: lost the connection to *; trying again
crosvisor: connected to * again
crosvisor: stored image:disk.img, 3145745 bytes"
remote image pull disk.img second.img
check "the copy is the same" cmp disk.img second.img
remote image remove disk.img

begin "nothing is left"
stop_daemon
equal "the exit code" "$status" 0
equal "what is left in the store" "$(find "$CROSVISOR_STATE_DIR/images" -mindepth 2 ! -name .owner)" ""
finish
