# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the daemon have in common; read after lib.sh. CROSVISORD names the daemon.
# shellcheck disable=SC2034,SC2154 # Of use to those who read this file, or theirs and lib.sh's.

readonly daemon=${CROSVISORD:?names the daemon}
readonly socket=$work/crosvisord.sock
export CROSVISOR_CONNECT=unix:$socket
daemon_pid=
# What the daemon is run by, where it is not run by itself.
daemon_runner=()
# Beside its configuration.
daemon_options=()

# Whoever is not root: users that no system has VMs of.
readonly alice=60101 bob=60102

# Writes daemon.json; PERMISSIONS is the object's content, MORE are further keys.
configure() { # PERMISSIONS [MORE]
  local users=
  [ -z "${CROSVISOR_VMM_UID-}" ] || users=",
  \"vmm\": {\"first_uid\": $CROSVISOR_VMM_UID}"
  cat >daemon.json <<END
{
  // Written by a test.
  "socket": {"path": "$socket", "mode": "0666"},
  "permissions": {$1},
  "programs": {"qemu": "$work/bin/qemu"},
  "references": {"grace_s": 1},
  "log": "info"$users${2:+,
  $2}
}
END
}

# Starts the daemon and waits until it serves. Sets daemon_pid.
start_daemon() {
  rm -f notify.pipe
  mkfifo ready.pipe 2>/dev/null
  "${daemon_runner[@]}" env --default-signal=INT,HUP,TERM "$daemon" --config daemon.json "${daemon_options[@]}" >daemon.out 2>daemon.err </dev/null &
  daemon_pid=$!
  await "the daemon's socket" answers
}

answers() { "$crosvisor" info -o json >/dev/null 2>&1; }

# How often await tries, ten times a second.
await_tries=200

# Tries until COMMAND succeeds, for 20 seconds at most.
await() { # WHAT COMMAND...
  local tries
  checks=$((checks + 1))
  for ((tries = 0; tries < await_tries; tries++)); do
    "${@:2}" && return
    # What is waited for is another process's, and can't wake us.
    read -r -t 0.1 <>ready.pipe
  done
  failed "no $1 in $((await_tries / 10)) s; the daemon said
$(cat daemon.err)"
  return 1
}

# Ends the daemon as systemd does. Sets status.
stop_daemon() {
  kill -TERM "$daemon_pid" 2>/dev/null
  wait "$daemon_pid" 2>/dev/null
  status=$?
  daemon_pid=
}

# The keepers of the daemon's VMs, which outlive it.
keepers() {
  find /proc/[0-9]*/fd -lname "$CROSVISOR_STATE_DIR/keepers/*" 2>/dev/null | cut -d/ -f3 | sort -u \
    | grep -vx "${daemon_pid:-none}"
}

# Nothing is left of a test that fails halfway.
end_daemon() {
  [ -z "$daemon_pid" ] || kill -KILL "$daemon_pid" 2>/dev/null
  daemon_pid=
  # shellcheck disable=SC2046 # They are words.
  kill -KILL $(keepers) 2>/dev/null
  rm -rf "$work"
}
trap end_daemon EXIT

# What the daemon has open, but for CIDs: a dead VM has its own until it is forgotten, after a minute.
descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 ! -lname '*/cids' 2>/dev/null | wc -l; }
claimed_cids() { find "/proc/$daemon_pid/fd" -mindepth 1 -lname '*/cids' 2>/dev/null | wc -l; }
listed_vms() { "$crosvisor" list | tail -n +2 | wc -l; }
# A sanitizer has many times the memory of what it watches, so that there is nothing to judge.
rss_kib() {
  [ -z "${CROSVISOR_SANITIZED:-}" ] || { echo 0 && return; }
  sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon_pid/status"
}

# Runs the program as another user. Sets status, out and err.
as() { # UID ARGUMENT...
  setpriv --reuid "$1" --regid "$1" --clear-groups -- "$crosvisor" "${@:2}" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

# The same as root.
call() { # ARGUMENT...
  "$crosvisor" "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

# A call that is answered no.
says_no() { # EXIT_CODE LINE
  equal "the exit code" "$status" "$1"
  # shellcheck disable=SC2154 # read_output sets it.
  equal "standard error" "$err" "crosvisor: $2"
  equal "standard output" "$out" ""
}

# Of the newest VM of that name.
state_of() { # NAME
  "$crosvisor" list | awk -v name="$1" '$2 == name { state = $3 } END { print state }'
}

vmm_pid_of() { # NAME
  "$crosvisor" info "$1" -o jsonl | sed -E 's/.*"vmm_pid":([0-9]+|null).*/\1/'
}

is_in_state() { # NAME STATE
  [ "$(state_of "$1")" = "$2" ]
}

is_gone() { # NAME
  case $(state_of "$1") in "" | dead*) ;; *) return 1 ;; esac
}
