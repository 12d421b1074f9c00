#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A daemon whose disk is full, that has hardly any descriptors or processes, and whose subscribers never read:
# what it can't do it refuses with a reason, and the VM that runs meanwhile notices nothing.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
trap 'exit 1' TERM INT

readonly deaf_subscribers=${CROSVISOR_DEAF_SUBSCRIBERS:?names the program}
readonly subscribers=1000 greedy=3 most_starts=150
# How many processes and threads more than a daemon and one VM have.
readonly room=12
readonly unread_kib=1024 slack_kib=$((16 << 10)) base_kib=$((64 << 10)) connection_kib=100

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

begin "no processes left"
# Whoever is not root, whose processes and threads the kernel counts.
mkdir -m 755 alice
chown "$alice" alice
daemon_runner=(setpriv --reuid "$alice" --regid "$alice" --clear-groups --)
daemon_options=(--user)
# She has programs of her own where she can't reach those that were built.
if [ "${CROSVISOR_VMM_UID-}" = 0 ]; then
  mkdir -m 755 programs
  cp "$(dirname "$daemon")"/{crosvisord,crosvisor-keeper,crosvisor-vsock} programs
  cp -L --remove-destination "$stand_ins/qemu-system-x86_64" bin/qemu
  cat >programs/run <<END
#!/bin/bash
exec env --default-signal=INT,HUP,TERM "$work/programs/crosvisord" "\${@:4}"
END
  chmod 755 programs/run
  daemon_runner+=("$work/programs/run")
fi
socket_before=$CROSVISOR_CONNECT run_before=$CROSVISOR_RUNTIME_DIR state_before=$CROSVISOR_STATE_DIR
export CROSVISOR_CONNECT=unix:$work/alice/daemon.sock
export CROSVISOR_RUNTIME_DIR=$work/alice/run CROSVISOR_STATE_DIR=$work/alice/state
sed -i "s|\"path\": \"[^\"]*\"|\"path\": \"$work/alice/daemon.sock\"|" daemon.json
threads_of() { # UID
  cat /proc/[0-9]*/status 2>/dev/null \
    | awk -v uid="$1" '$1 == "Uid:" { own = $2 == uid } $1 == "Threads:" && own { n += $2 } END { print n + 0 }'
}
# Its own user may lower and raise the soft limit.
limit_processes() { # COUNT
  setpriv --reuid "$alice" --regid "$alice" --clear-groups -- prlimit --pid "$daemon_pid" --nproc="$1:"
}
begin_bystander
limit_processes $(($(threads_of "$alice") + room))
start_until_refused
like "what is said" "$refusal" '*fork: Resource temporarily unavailable; there are as many processes and threads as may be*'
echo "  it says: $refusal"
bystander_is_whole
limit_processes 10000
call run --detach vm.json --name again
equal "the exit code once there is room: $err" "$status" 0
end_all
equal "records" "$(ls "$CROSVISOR_STATE_DIR/keepers")" ""
daemon_runner=() daemon_options=()
export CROSVISOR_CONNECT=$socket_before CROSVISOR_RUNTIME_DIR=$run_before CROSVISOR_STATE_DIR=$state_before

begin "$subscribers subscribers that never read"
configure '' "\"stop\": {\"grace_s\": 1}, \"limits\": {\"unread_kib\": $unread_kib, \"connections\": 4096,
  \"connections_per_user\": 2048, \"subscriptions_per_user\": 2048}"
daemon_runner=(prlimit --nofile=8192:8192 --)
begin_bystander
sockets() { find "/proc/$daemon_pid/fd" -lname 'socket:*' 2>/dev/null | wc -l; }
sockets_before=$(sockets)
mkfifo hold.pipe
"$deaf_subscribers" "$socket" "$subscribers" "$greedy" <hold.pipe >deaf.out 2>deaf.err &
exec 7>hold.pipe
await "subscriptions ($(cat deaf.err))" grep -qs ready deaf.out
equal "what they complained of" "$(cat deaf.err)" ""
# Those that ask for what they do not read are cut off, and nobody else.
are_left() { [ "$(sockets)" = $((sockets_before + subscribers - greedy)) ]; }
await "end of the connections that ask for too much ($(sockets) sockets, before $sockets_before)" are_left
check "word of it in the log" grep -q 'it does not read its answers (limits.unread_kib)' daemon.err
rss_before=$(rss_kib)
for ((i = 0; i < 5; i++)); do
  call run --detach vm.json --name "told$i"
  equal "the exit code: $err" "$status" 0
  call stop "told$i" --force
  equal "the exit code: $err" "$status" 0
done
await "what is left of the connections ($(sockets) sockets)" are_left
bystander_is_whole
# What all connections of one user may hold is four times the bound of one.
bound=$((4 * unread_kib + slack_kib)) grown=$(($(rss_kib) - rss_before))
check "memory within $bound KiB more than $rss_before KiB, not $grown KiB" [ "$grown" -le "$bound" ]
check "less than $connection_kib KiB for each of them ($rss_before KiB)" \
  [ "$rss_before" -le $((base_kib + subscribers * connection_kib)) ]
echo "  memory $rss_before KiB, and $grown KiB more after $((5 * 2)) requests"
exec 7>&-
end_all
finish
