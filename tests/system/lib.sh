# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the program have in common. Each is run as
#
#   TEST.sh CROSVISOR STAND_INS EVENT_LINES GUEST
#
# with the program, the folder of the programs that play VMMs, the reader of event lines, and the
# demo guest's folder. A test goes on after a check that failed, and fails in the end.
set -uo pipefail

# shellcheck disable=SC2034 # Of use to those who read this file.
readonly crosvisor=$1 stand_ins=$2 event_lines=$3 guest=$4
work=$(cd "$(mktemp -d)" && pwd -P)
readonly work
trap 'rm -rf "$work"' EXIT
chmod 711 "$work"
cd "$work" || exit 1

unset NO_COLOR CROSVISOR_CROSVM CROSVISOR_LOG CROSVISOR_VMM_UID
export CROSVISOR_RUNTIME_DIR=$work/run CROSVISOR_STATE_DIR=$work/state
# Below our directory, so that whatever was started by us can be told by its command line.
mkdir bin
ln -s "$stand_ins/qemu-system-x86_64" bin/qemu
export CROSVISOR_QEMU=$work/bin/qemu

# Partitioning tools are in sbin, which not everybody has in PATH.
PATH=$PATH:/usr/sbin:/sbin

# Without one of these programs the test has failed.
need() { # PROGRAM...
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || {
      echo "there is no $program; \`./dev setup\` installs it" >&2
      exit 1
    }
  done
}

# Instead of the program that plays QEMU.
use_real_qemu() {
  need qemu-system-x86_64
  ln -sf "$(command -v qemu-system-x86_64)" bin/qemu
}

# As root, VMs have users of their own, unless those can't reach what was built.
if [ "$(id -u)" = 0 ] \
  && ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$stand_ins/qemu-system-x86_64"; then
  echo "VMs run as root in this test: $stand_ins is closed to other users"
  export CROSVISOR_VMM_UID=0
fi

case_name='(none)'
checks=0
failures=0

# -- checks --------------------------------------------------------------------

begin() { # NAME
  case_name=$1
  echo "- $1"
}

failed() { # WHAT
  failures=$((failures + 1))
  echo "FAILED: $case_name: $1" >&2
}

check() { # WHAT COMMAND...
  checks=$((checks + 1))
  "${@:2}" || failed "$1"
}

equal() { # WHAT ACTUAL EXPECTED
  checks=$((checks + 1))
  [ "$2" = "$3" ] || failed "$1 is
  $2
and should be
  $3"
}

# PATTERN is one of the shell's.
like() { # WHAT ACTUAL PATTERN
  checks=$((checks + 1))
  # shellcheck disable=SC2053 # The pattern is meant as one.
  [[ $2 == $3 ]] || failed "$1 is
  $2
and should be like
  $3"
}

finish() {
  echo "checks: $checks, failed: $failures"
  [ "$failures" = 0 ] && [ "$checks" -gt 0 ]
  exit
}

# -- runs ----------------------------------------------------------------------

# Writes vm.json: the stand-in's VM with these words as its kernel command line.
play() { # WORDS
  echo kernel >vmlinux
  printf '{"name": "actor", "kernel": "vmlinux", "params": "%s"}\n' "$1" >vm.json
}

# Runs the program to its end. Sets status, out and err, the last without the times.
run() { # ARGUMENT...
  "$crosvisor" run "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

# shellcheck disable=SC2034 # Of use to those who read this file.
read_output() {
  out=$(tr -d '\0' <out.txt)
  err=$(without_times <err.txt)
}

without_times() {
  sed -E 's/ [0-9]+\.[0-9]{2} s/ TIME/; s/\bvm [0-9]+/vm CID/g'
}

# What the program says of itself, as against the VM's state.
complaints() {
  grep '^crosvisor: ' err.txt
}

# -- what is left --------------------------------------------------------------

# The file `cids` has no content and stays, as does the folder of a daemon's keepers: their locks are
# what counts.
nothing_left() {
  equal "what is left in the runtime directory" \
    "$(find "$CROSVISOR_RUNTIME_DIR" -mindepth 1 ! -name cids ! -name keepers ! -path '*/keepers/.lock' \
      2>/dev/null)" ""
  equal "what still runs" "$(running)" ""
}

# Command lines with our directory in them; this script's has none, nor has grep's.
running() {
  grep -aslF -f /dev/stdin /proc/[0-9]*/cmdline <<<"$work/" |
    while IFS= read -r file; do
      tr '\0' ' ' 2>/dev/null <"$file" && echo
    done
}

# The VMM of a program that runs.
vmm_of() { # PID
  local child
  # shellcheck disable=SC2013 # They are words.
  for child in $(cat "/proc/$1"/task/*/children); do
    [ "$(cat "/proc/$child/comm")" = crosvisor-vsock ] || echo "$child"
  done
}

# A configuration or a command line that is wrong: one line, and nothing was started.
refused() { # LINE ARGUMENT...
  run "${@:2}"
  equal "the exit code" "$status" 2
  equal "standard error" "$(cat err.txt)" "$1"
  equal "standard output" "$out" ""
  equal "what was logged" "$(ls "$CROSVISOR_STATE_DIR/logs" 2>/dev/null)" ""
  nothing_left
}

# -- runs that are watched -----------------------------------------------------

# Starts the program, with the signals as a terminal has them, its standard error in a pipe that
# await_line reads. Sets pid.
run_watched() { # ARGUMENT...
  rm -f err.pipe
  mkfifo err.pipe
  : >err.txt
  env --default-signal=INT,HUP,TERM "$crosvisor" run "$@" >out.txt 2>err.pipe </dev/null &
  pid=$!
  exec 8<err.pipe
}

# Reads standard error until a line is like PATTERN; what was read is in err.txt.
await_line() { # PATTERN
  local line
  checks=$((checks + 1))
  while IFS= read -r -t 120 line <&8; do
    printf '%s\n' "$line" >>err.txt
    # shellcheck disable=SC2053 # The pattern is meant as one.
    [[ $line == $1 ]] && return
  done
  failed "no line like \"$1\" on standard error, but
$(cat err.txt)"
  kill -KILL "$pid" 2>/dev/null
}

# Waits for the program's end; sets what run sets.
await_end() {
  {
    cat <&8 >>err.txt
    exec 8<&-
    wait "$pid"
    status=$?
  } 2>/dev/null # bash tells of a child that was killed.
  read_output
}
