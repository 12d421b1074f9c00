#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisord` as a process: its command line, a second one, signals, and what it leaves behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly daemon=$CROSVISORD socket=$work/run/crosvisord.sock
# The host's daemon is root's; anybody else has one of their own, with the same places.
mode=()
[ "$(id -u)" = 0 ] || mode=(--user)

configure() { # WORDS
  printf '%s\n' "$1" >daemon.json
}

# Runs it to its end. Sets status, out and err.
run_daemon() { # ARGUMENT...
  "$daemon" "$@" >out.txt 2>err.txt </dev/null
  status=$?
  out=$(cat out.txt)
  err=$(cat err.txt)
}

# Runs it until it serves. Sets pid.
start_daemon() {
  rm -f err.pipe
  mkfifo err.pipe
  : >err.txt
  "$daemon" "${mode[@]}" --config daemon.json >out.txt 2>err.pipe </dev/null &
  pid=$!
  exec 8<err.pipe
  await_line '*daemon serves socket "*/crosvisord.sock"'
}

end_daemon() { # SIGNAL
  kill "-$1" "$pid"
  await_end
}

users=
[ -z "${CROSVISOR_VMM_UID-}" ] || users=", \"vmm\": {\"first_uid\": $CROSVISOR_VMM_UID}"
readonly good="{\"log\": \"debug\", // a comment
 \"programs\": {\"qemu\": \"$CROSVISOR_QEMU\"}$users}"

begin "the version and the help"
run_daemon --version
like "standard output" "$out" 'crosvisord *.*.*'
equal "the exit code" "$status" 0
run_daemon --help
like "standard output" "$out" '*--config FILE*'
run_daemon --chekc
equal "the exit code" "$status" 2
equal "standard error" "$err" \
  'crosvisord: unknown option "--chekc"; did you mean "--check"?'

begin "a configuration is checked and nothing starts"
configure "$good"
run_daemon --config daemon.json --check
equal "the exit code" "$status" 0
equal "standard output" "$out" "daemon.json: is sound"
configure '{
  "stop": {"grace_m": 1}}'
refused_configuration() { # ARGUMENT...
  run_daemon --config daemon.json "$@"
  equal "the exit code" "$status" 2
  equal "standard error" "$err" \
    'crosvisord: daemon.json:2:12: unknown key "grace_m"; did you mean "grace_s"?'
}
refused_configuration --check
refused_configuration "${mode[@]}"
run_daemon --config none.json --check
equal "the exit code" "$status" 2
equal "standard error" "$err" 'crosvisord: none.json: no such file'
nothing_left

begin "it serves, a second one does not"
configure "$good"
start_daemon
check "the clients' socket is there" [ -S "$socket" ]
check "the descriptors' socket is there" [ -S "$socket.fds" ]
run_daemon "${mode[@]}" --config daemon.json
equal "the exit code" "$status" 1
equal "standard error" "$err" "crosvisord: \"$socket\" is in use by process $pid"
check "the clients' socket is there" [ -S "$socket" ]

begin "SIGHUP reads the configuration anew"
configure "{\"log\": \"info\", \"images\": {\"workers\": 1}$users}"
kill -HUP "$pid"
await_line '*daemon uses a changed "images" from its next start on'
await_line '*daemon read its configuration anew'
configure '{"log": "loud"}'
kill -HUP "$pid"
await_line '*error daemon keeps its configuration: daemon.json:1:9: log: expected "debug", *'

begin "SIGTERM ends it"
end_daemon TERM
equal "the exit code" "$status" 0
nothing_left

begin "SIGINT ends it"
configure "$good"
start_daemon
end_daemon INT
equal "the exit code" "$status" 0
nothing_left

begin "what a killed daemon left is replaced"
start_daemon
end_daemon KILL
check "its socket is there" [ -S "$socket" ]
start_daemon
end_daemon TERM
equal "the exit code" "$status" 0
nothing_left

begin "what is no socket is not replaced"
mkdir -p run
echo precious >run/crosvisord.sock
run_daemon "${mode[@]}" --config daemon.json
equal "the exit code" "$status" 1
like "standard error" "$err" "crosvisord: socket \"$socket\": something else is there; *"
equal "what is there" "$(cat run/crosvisord.sock)" precious
rm run/crosvisord.sock
nothing_left

finish
