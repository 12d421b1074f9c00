#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon, and the keepers that it starts, fail at every step there is, with a program that plays
# QEMU and another that plays the guest's vsock: a VM that runs meanwhile notices nothing, the one in
# work is whole afterwards or never was, and nothing is left of it.
#
# First everything that this test does to a VM is done once, with every failpoint logged. That says
# which process passes which of them, in which deed, and how often at the daemon's start. One that
# nothing passes has failed.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

readonly names=${CROSVISOR_FAILPOINT_NAMES:?names the program that prints them}
# Of one command, of a deed, and of a process that is to end.
readonly command_bound=20 deed_bound=60

configure '' '"stop": {"grace_s": 1}'
sed -i "s|\"programs\": {|&\"vsock_device\": \"$work/bin/vsock\", |" daemon.json
ln -s "$stand_ins/stand_in_talking_vsock" bin/vsock
play "play=up"
truncate -s 8192 part.img
echo '{"name": "other", "kernel": "vmlinux", "params": "play=up", "disks": [
  {"writable": true, "partitions": [{"label": "a", "path": "part.img", "writable": true}]}]}' >other.json
truncate -s 8192 stored.img
echo '{"name": "other", "kernel": "vmlinux", "params": "play=up", "disks": [
  {"writable": false, "image": "image:stored.img"}]}' >stored.json

# As what interrupts a step of await does, too.
trap 'exit 1' TERM INT

# -- the VM in work -------------------------------------------------------------

cli() { timeout -k 1 "$command_bound" "$crosvisor" "$@"; }

# One after the other until one fails. Each is what clients do with one VM, which is gone afterwards.
deed_life() {
  cli run --detach other.json && cli suspend other && cli resume other \
    && hear_guest && cli stop other
}
# The guest's port says its name, and no more.
hear_guest() {
  local words=
  IFS= read -rN 12 words < <(cli connect other 7 & echo $! >connect.pid; wait)
  kill "$(<connect.pid)" 2>/dev/null
  [ "$words" = "guest port 7" ]
}
deed_force() { cli run --detach other.json && cli stop other --force; }
deed_output() {
  cli run other.json --payload-output out.bin --timeout 1
  [ $? = 124 ]
}
deed_partition() { rm -f p.img && cli create-partition p.img 1M --type instance; }
# Its image stays, as it is after a failure.
deed_image() {
  cli image push stored.img && cli image remove stored.img && cli image push stored.img \
    && cli run --detach stored.json && cli stop other --force
}
# What is done at its start is what counts.
deed_start() { :; }
readonly deeds=(start life output partition force image)

# -- what is there --------------------------------------------------------------

processes() {
  grep -aslF -f /dev/stdin /proc/[0-9]*/cmdline <<<"$work/" | cut -d/ -f3 \
    | grep -vx "${daemon_pid:-none}" | sort -n
}

# All that VMs have, of which nothing may come or go.
traces() {
  find "$CROSVISOR_RUNTIME_DIR" "$CROSVISOR_STATE_DIR/keepers" ! -name .lock \
    ! -path "*/run-${daemon_pid:-none}*" 2>/dev/null | sort
  processes
}

# But for those of CIDs: a dead VM has its own until it is forgotten, after a minute.
descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 ! -lname '*/cids' 2>/dev/null | wc -l; }
claimed_cids() { find "/proc/$daemon_pid/fd" -mindepth 1 -lname '*/cids' 2>/dev/null | wc -l; }
listed_vms() { cli list | tail -n +2 | wc -l; }

# CID, state and VMM of a VM.
facts_of() { # NAME
  cli info "$1" -o jsonl 2>/dev/null \
    | sed -E 's/.*"cid":([0-9]+).*"state":"([a-z_]+)".*"vmm_pid":([0-9]+|null).*/\1 \2 \3/'
}

traces_are_as_before() { [ "$(traces)" = "$whole" ]; }
descriptors_are_as_before() { [ "$(descriptors)" -le "$open_before" ]; }

bystander_is_whole() { # AFTER
  equal "the bystander after $1" "$(facts_of bystander)" "$bystander"
}

nothing_is_left() { # AFTER
  await "end of what was left after $1" traces_are_as_before \
    || failed "difference after $1:
$(diff <(echo "$whole") <(traces))"
  [ -z "$open_before" ] || await "end of descriptors after $1 ($(descriptors) and not $open_before)" descriptors_are_as_before
  check "as many CIDs as VMs after $1" [ "$(claimed_cids)" -le "$(listed_vms)" ]
  equal "complaints about what is left after $1" \
    "$(grep -E 'is left alone|stays:|leaves|did not end' daemon.err)" ""
}

# -- daemons with failpoints ------------------------------------------------------

ends_or_answers() { has_ended || answers; }
has_ended() { ! kill -0 "$daemon_pid" 2>/dev/null || [ "$(process_state)" = Z ]; }
process_state() { sed -E 's/.*\) ([A-Z]).*/\1/' "/proc/$daemon_pid/stat" 2>/dev/null; }

# Starts a daemon, and its keepers, with what fails in each. Sets daemon_pid.
start_failing() { # DAEMON_POINTS KEEPER_POINTS
  rm -f points.daemon points.keeper
  CROSVISOR_FAILPOINTS=$1 CROSVISOR_KEEPER_FAILPOINTS=$2 \
    CROSVISOR_FAILPOINT_LOG=$work/points.daemon CROSVISOR_KEEPER_FAILPOINT_LOG=$work/points.keeper \
    "$daemon" --config daemon.json >daemon.out 2>daemon.err </dev/null &
  daemon_pid=$!
  await "daemon with $1 $2" ends_or_answers
}

# Killed, not told to leave: that is what it must be able to stand anyway.
kill_daemon() {
  kill -KILL "$daemon_pid" 2>/dev/null
  reap_daemon
}

# Sets status.
reap_daemon() {
  { wait "$daemon_pid"; } 2>/dev/null # bash tells of a child that was killed.
  status=$?
  daemon_pid=
}

begin_deed() { # DEED
  timeout -k 1 "$deed_bound" bash -c "$(declare -f cli hear_guest "deed_$1"); crosvisor=$crosvisor
    command_bound=$command_bound; deed_$1" >deed.out 2>deed.err </dev/null &
  deed_pid=$!
}

# Sets deed_status.
end_deed() { # WHAT
  wait "$deed_pid"
  deed_status=$?
  check "the client's end within its bound: $1" [ "$deed_status" != 124 ]
}

is_settled() { case $(state_of other) in "" | dead* | started | ready) ;; *) return 1 ;; esac; }

# The VM in work, under a daemon that has no failpoints: adopted whole, or gone.
other_is_whole_or_gone() { # AFTER
  await "state of the other VM after $1" is_settled
  case $(state_of other) in
    started | ready)
      # It may end just now, as one that nobody holds.
      if cli suspend other 2>other.err; then
        cli resume other 2>>other.err || is_gone other \
          || failed "the other VM after $1 can't be resumed: $(cat other.err)"
      else
        await "suspension or end of the other VM after $1 ($(cat other.err))" is_gone other
      fi
      cli stop other --force >/dev/null 2>&1
      ;;
  esac
  await "end of the other VM after $1" is_gone other
}

# -- the cases --------------------------------------------------------------------

begin "a VM that is to notice nothing"
start_daemon
sed 's/actor/bystander/' vm.json >bystander.json
call run --detach bystander.json
equal "the exit code" "$status" 0
await "readiness" is_in_state bystander ready
bystander=$(facts_of bystander)
whole=$(traces)
open_before=
kill_daemon

begin "which points are passed, and where"
all_points() { "$names" | sed 's/$/=log/' | paste -sd,; }
start_failing "$(all_points)" "$(all_points)"
await "readiness" is_in_state bystander ready
declare -A passed_at_start deed_of
while read -r count point; do
  passed_at_start[$point]=$count
  deed_of[daemon:$point]=start
done < <(sort points.daemon | uniq -c)
for deed in "${deeds[@]}"; do
  rm -f points.daemon points.keeper
  begin_deed "$deed"
  end_deed "$deed"
  equal "the exit code of $deed: $(cat deed.err)" "$deed_status" 0
  nothing_is_left "$deed"
  for role in daemon keeper; do
    while read -r point; do
      : "${deed_of[$role:$point]:=$deed}"
    done < <(sort -u "points.$role" 2>/dev/null)
  done
done
for point in $("$names"); do
  check "a deed that passes $point" [ -n "${deed_of[daemon:$point]-}${deed_of[keeper:$point]-}" ]
done
await "readiness" is_in_state bystander ready
# Some that it keeps come with the first VM that it starts.
open_before=$(descriptors)
kill_daemon

# A point that is passed at the start, and in a deed, fails in the deed.
number_of() { # ROLE POINT DEED
  if [ "$1" = daemon ] && [ "$3" != start ]; then
    echo $((${passed_at_start[$2]-0} + 1))
  else
    echo 1
  fi
}

is_logged() { grep -qx "$2" "points.$1" 2>/dev/null; }
is_over() { # ROLE POINT
  has_ended || is_logged "$1" "$2" || ! kill -0 "$deed_pid" 2>/dev/null
}

kill_at() { # ROLE POINT DEED
  local where="$1:$2 ($3)" plan
  plan="$2=kill:$(number_of "$@")"
  if [ "$1" = daemon ]; then start_failing "$plan" ""; else start_failing "" "$plan"; fi
  begin_deed "$3"
  if [ "$1" = daemon ]; then
    await "death of the daemon at $where" has_ended || kill -KILL "$daemon_pid"
    reap_daemon
    equal "how the daemon ended at $where" "$status" 137
    start_daemon
  fi
  end_deed "$where"
  await "line of $where in the log" is_logged "$1" "$2"
  bystander_is_whole "$where"
  other_is_whole_or_gone "$where"
  nothing_is_left "$where"
  kill_daemon
}

begin "killed at each"
for key in $(printf '%s\n' "${!deed_of[@]}" | sort); do
  kill_at "${key%%:*}" "${key#*:}" "${deed_of[$key]}"
done

codes=(ENOSPC EMFILE EAGAIN ENOMEM EINTR)
turn=0
fail_at() { # ROLE POINT DEED HOW
  local where="$1:$2=$4 ($3)" plan
  plan="$2=$4:$(number_of "$@")"
  if [ "$1" = daemon ]; then start_failing "$plan" ""; else start_failing "" "$plan"; fi
  begin_deed "$3"
  end_deed "$where"
  if has_ended; then # It may refuse to start, and say why.
    check "the end at the start alone: $where" [ "$3" = start ]
    check "words of the daemon: $where" grep -q "$2" daemon.err
    reap_daemon
  elif [ "$deed_status" != 0 ]; then
    check "words of the client: $where: $(cat deed.err)" grep -q '^crosvisor: \|dead: ' deed.err
  fi
  [ "$4" = short ] || await "line of $where in the log" is_logged "$1" "$2"
  if [ "$3" = start ]; then
    [ -z "$daemon_pid" ] || kill_daemon
    start_daemon
    await "readiness" is_in_state bystander ready
  fi
  bystander_is_whole "$where"
  other_is_whole_or_gone "$where"
  nothing_is_left "$where"
  kill_daemon
}

begin "failing at each"
for key in $(printf '%s\n' "${!deed_of[@]}" | sort); do
  fail_at "${key%%:*}" "${key#*:}" "${deed_of[$key]}" "${codes[turn++ % ${#codes[@]}]}"
done

begin "short writes"
for key in daemon:write_file daemon:write_journal daemon:save_cid keeper:write_file; do
  fail_at "${key%%:*}" "${key#*:}" "${deed_of[$key]}" short
done

begin "the end"
start_daemon
call stop bystander
equal "the exit code" "$status" 0
stop_daemon
equal "the exit code" "$status" 0
equal "processes" "$(processes)" ""
equal "records" "$(ls "$CROSVISOR_STATE_DIR/keepers")" ""
equal "what is left in the runtime directory" \
  "$(find "$CROSVISOR_RUNTIME_DIR" -mindepth 1 ! -name cids ! -name keepers ! -name .lock)" ""
finish
