#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A daemon whose disk is full, that has hardly any descriptors, and whose subscribers never read:
# what it can't do it refuses with a reason, and the VM that runs meanwhile notices nothing.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
trap 'exit 1' TERM INT

readonly subscribers=${CROSVISOR_SUBSCRIBERS:-50} most_starts=150

play "play=up"
configure '' '"stop": {"grace_s": 1}'

begin_bystander() {
  start_daemon
  call run --detach vm.json --name bystander
  equal "the exit code" "$status" 0
  before=$(facts)
}
facts() { "$crosvisor" list | awk '$2 == "bystander" { print $1, $3 }'; }
bystander_is_whole() {
  equal "the bystander" "$(facts)" "$before"
  call suspend bystander
  equal "the exit code of a suspension: $err" "$status" 0
  call resume bystander
  equal "the exit code of going on: $err" "$status" 0
}
end_all() {
  call drain --timeout 1
  equal "the exit code: $err" "$status" 0
  stop_daemon
  equal "the exit code" "$status" 0
  equal "what still runs" "$(running)" ""
}

# Starts VMs until one fails; sets refusal to what is said of it. No command may hang.
start_until_refused() {
  local i
  refusal=
  for ((i = 0; i < most_starts; i++)); do
    timeout -k 1 30 "$crosvisor" run --detach vm.json --name "more$i" >out.txt 2>err.txt </dev/null
    status=$?
    [ "$status" != 0 ] || continue
    refusal=$(grep -v '^vm [0-9]* start' err.txt)
    break
  done
  check "an end within the bound" [ "$status" != 124 ]
}

begin "a state directory of 1 MiB"
mkdir -p "$CROSVISOR_STATE_DIR"
if mount -t tmpfs -o size=1m,mode=700 tmpfs "$CROSVISOR_STATE_DIR" 2>/dev/null; then
  trap 'end_daemon; umount -l "$CROSVISOR_STATE_DIR"; rm -rf "$work"' EXIT
  begin_bystander
  head -c 2M /dev/zero >"$CROSVISOR_STATE_DIR/filling" 2>/dev/null
  start_until_refused
  like "what is said" "$refusal" '*No space left on device*'
  echo "  it says: $refusal"
  bystander_is_whole
  rm "$CROSVISOR_STATE_DIR/filling"
  call run --detach vm.json --name again
  equal "the exit code once there is room: $err" "$status" 0
  end_all
  equal "records" "$(ls "$CROSVISOR_STATE_DIR/keepers")" ""
  umount "$CROSVISOR_STATE_DIR"
  trap end_daemon EXIT
else
  echo "skipped: no file system can be mounted here"
fi

begin "64 descriptors"
daemon_runner=(prlimit --nofile=64:64 --)
begin_bystander
start_until_refused
like "what is said" "$refusal" '*[a-z]*'
echo "  it says: $refusal"
bystander_is_whole
check "it said why" grep -qi 'too many open files\|descriptors' err.txt daemon.err <(echo "$refusal")
end_all
daemon_runner=()

begin "$subscribers subscribers that never read"
begin_bystander
watchers=()
for ((i = 0; i < subscribers; i++)); do
  "$crosvisor" watch -o jsonl >/dev/null 2>&1 </dev/null &
  watchers+=($!)
  disown
done
all_connected() { [ "$(find "/proc/$daemon_pid/fd" -lname 'socket:*' | wc -l)" -ge "$subscribers" ]; }
await "connections" all_connected
kill -STOP "${watchers[@]}"
for ((i = 0; i < 5; i++)); do
  call run --detach vm.json --name "told$i"
  equal "the exit code: $err" "$status" 0
  call stop "told$i" --force
  equal "the exit code: $err" "$status" 0
done
bystander_is_whole
kill -KILL "${watchers[@]}"
end_all
finish
