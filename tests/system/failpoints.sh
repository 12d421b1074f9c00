#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon, and the keepers that it starts, fail at every step there is, with a program that plays
# QEMU and another that plays the guest's vsock: a real guest that runs meanwhile notices nothing, the
# VM in work is whole afterwards or never was, and nothing is left of it.
#
# With CROSVISOR_FAILPOINT_GUESTS=1 the VM in work is a real guest too, the daemon alone is killed, and
# that takes its time: `./dev soak guests`.
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
readonly vsock=${CROSVISOR_VSOCK_PROGRAM:?names the program} guests=${CROSVISOR_FAILPOINT_GUESTS:-}
# Of one command, and of a deed.
command_bound=20 deed_bound=60
[ -z "$guests" ] || command_bound=60 deed_bound=240

configure '' '"stop": {"grace_s": 1}'
sed -i "s|\"programs\": {|&\"vsock_device\": \"$work/bin/vsock\", |" daemon.json

# Real programs for real guests, whose words are in the command line; the first VM is one.
need qemu-system-x86_64 nbdkit
real_qemu=$(command -v qemu-system-x86_64)
readonly first_cid=2048
put_program() { # NAME PATTERN REAL STAND_IN
  rm -f "bin/$1"
  cat >"bin/$1" <<END
#!/bin/bash
case "\$*" in $2) exec -a "\$0" "$3" "\$@" ;; esac
exec -a "\$0" "$4" "\$@"
END
  chmod 755 "bin/$1"
}
put_program qemu '*crosvisor.demo=*' "$real_qemu" "$stand_ins/qemu-system-x86_64"
put_program vsock "${guests:+*|}*--cid\ $first_cid\ *" "$vsock" "$stand_ins/stand_in_talking_vsock"

write_guest() { # NAME MORE
  cat >"$1.json" <<END
{
  "name": "${1/lasting/other}", "kernel": "$guest/vmlinux", "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=serve", "memory_mib": 128, "vmm": "qemu", "accel": "tcg",
  "guest_protocol": true${2:+, $2}
}
END
}
echo kernel >vmlinux
write_played() { # NAME MORE
  echo "{\"name\": \"other\", \"kernel\": \"vmlinux\", \"params\": \"play=up\", $2}" >"$1.json"
}
truncate -s 8192 part.img
write_guest bystander
for write in write_played ${guests:+write_guest}; do
  "$write" other '"disks": [
    {"writable": true, "partitions": [{"label": "a", "path": "part.img", "writable": true}]}]'
  "$write" lasting '"restart": "always"'
done
[ -z "$guests" ] || await_tries=1200
truncate -s 8192 stored.img
echo '{"name": "other", "kernel": "vmlinux", "params": "play=up", "disks": [
  {"writable": false, "image": "image:stored.img"}]}' >stored.json

# As what interrupts a step of await does, too.
trap 'exit 1' TERM INT

# -- the VM in work -------------------------------------------------------------

cli() { timeout -k 1 "$command_bound" "$crosvisor" "$@"; }

# How often it was started again, its state and its VMM.
life_of() { # NAME
  cli info "$1" -o jsonl 2>/dev/null \
    | sed -E 's/.*"state":"([a-z_]+)".*"vmm_pid":([0-9]+|null).*"restarts":([0-9]+).*/\3 \1 \2/'
}
is_ready() { [[ $(life_of "$1") == "$2 ready "* ]]; } # NAME RESTARTS

# Waits for that, as long as there is such a VM.
until_ready() { # NAME RESTARTS
  local tries
  for ((tries = 0; tries < ${guests:+1}200; tries++)); do
    is_ready "$1" "$2" && return
    read -rt 0.1 <>ready.pipe # Another process's state can't wake us.
  done
  return 1
}

# One after the other until one fails. Each is what clients do with one VM, which is gone afterwards.
deed_life() {
  cli run --detach other.json && until_ready other 0 && cli suspend other && cli resume other \
    && hear_guest && cli stop other
}
deed_restart() {
  cli run --detach lasting.json && until_ready other 0 && kill_vmm && until_ready other 1 \
    && cli stop other
}
kill_vmm() {
  local life
  life=$(life_of other)
  kill -KILL "${life##* }"
}

hears_echo() { # NAME
  [ "$(echo "heard by $1" | cli connect "$1" 7001)" = "heard by $1" ]
}
# The guest's port says its name, and no more.
hear_guest() {
  local words=
  [ -z "$guests" ] || { hears_echo other; return; }
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
readonly deeds=(start life output partition restart force image)

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

bystander_answers() { # AFTER
  check "an echo of the bystander's after $1" hears_echo bystander
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
  timeout -k 1 "$deed_bound" bash -c "$(declare -f cli hear_guest hears_echo life_of is_ready until_ready \
    kill_vmm "deed_$1"); crosvisor=$crosvisor guests=$guests
    command_bound=$command_bound; deed_$1" >deed.out 2>deed.err </dev/null &
  deed_pid=$!
}

# Sets deed_status.
end_deed() { # WHAT
  wait "$deed_pid"
  deed_status=$?
  check "the client's end within its bound: $1" [ "$deed_status" != 124 ]
}

is_settled() {
  case $(state_of other) in
    "" | dead* | ready) ;;
    started) [ -z "$guests" ] ;; # Its guest is still to come.
    *) return 1 ;;
  esac
}

# The VM in work, under a daemon that has no failpoints: adopted whole, or gone.
other_is_whole_or_gone() { # AFTER
  await "state of the other VM after $1" is_settled
  case $(state_of other) in
    started | ready)
      # It may end just now, as one that nobody holds.
      [ -z "$guests" ] || hears_echo other || is_gone other || failed "the other guest after $1 is deaf"
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
call run --detach bystander.json
equal "the exit code: $err" "$status" 0
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
  bystander_answers "$where"
  other_is_whole_or_gone "$where"
  nothing_is_left "$where"
  kill_daemon
}

begin "killed at each"
kills=0
for key in $(printf '%s\n' "${!deed_of[@]}" | sort); do
  kills=$((kills + 1))
  kill_at "${key%%:*}" "${key#*:}" "${deed_of[$key]}"
done

# -- between two lives --------------------------------------------------------------

# The point is passed a number of times until then, at the start and in the first life.
kill_between() { # POINT NUMBER
  local where="daemon:$1 between two lives"
  start_failing "$1=kill:$2" ""
  cli run --detach lasting.json >other.out 2>other.err
  await "the first life at $where ($(cat other.err))" is_ready other 0
  kill_vmm
  await "death of the daemon at $where" has_ended || kill -KILL "$daemon_pid"
  reap_daemon
  start_daemon
  await "the next life after $where" is_ready other 1
  equal "living VMs after $where" "$(cli list | awk '$2 == "other" && $3 == "ready"' | wc -l)" 1
  bystander_is_whole "$where"
  bystander_answers "$where"
  cli stop other --force >/dev/null 2>other.err
  nothing_is_left "$where"
  kill_daemon
}

begin "killed between two lives"
start_failing "$(all_points)" ""
await "readiness" is_in_state bystander ready
passed() { grep -cx "$1" points.daemon; }
cli run --detach lasting.json >other.out 2>other.err
await "the first life" is_ready other 0
declare -A passed_before
for point in $("$names"); do passed_before[$point]=$(passed "$point"); done
kill_vmm
await "the next life" is_ready other 1
between=()
for point in $("$names"); do
  [ "$(passed "$point")" = "${passed_before[$point]}" ] || between+=("$point")
done
cli stop other --force >/dev/null 2>other.err
kill_daemon
# How often the others are passed depends on who comes first.
for point in hear_exit life_aside start_keeper keeper_started hear_up release_keeper; do
  like "what is passed between two lives" " ${between[*]} " "* $point *"
  kill_between "$point" $((passed_before[$point] + 1))
done

begin "killed while it waits for another try to begin the next life"
start_failing "start_keeper=EAGAIN:$((passed_before[start_keeper] + 1))" ""
cli run --detach lasting.json >other.out 2>other.err
await "the first life" is_ready other 0
kill_vmm
waits_again() { [[ $(life_of other) == "2 not_started "* ]]; }
await "a next life that can't begin" waits_again
kill_daemon
start_daemon
await "the life after it" is_ready other 2
equal "living VMs" "$(cli list | awk '$2 == "other" && $3 == "ready"' | wc -l)" 1
bystander_answers "that"
cli stop other --force >/dev/null 2>other.err
nothing_is_left "that"
kill_daemon

[ -z "$guests" ] || {
  echo "  $kills kills at points, 6 between two lives"
  finish
}

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
  [ $((turn % 5)) != 0 ] || bystander_answers "$where"
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
