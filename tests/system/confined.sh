#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whom VMs run as where root runs them, and how that is changed.
# shellcheck source=SCRIPTDIR/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

ids() { # PID
  sed -n 's/^[UG]id:\t//p' "/proc/$1/status" | tr '\t\n' '  '
}

four() { # ID
  echo "$1 $1 $1 $1 $1 $1 $1 $1 "
}

run_and_look() { # IDS
  play play=hang
  run_watched vm.json
  await_line 'vm * started *'
  equal "the VMM's ids" "$(ids "$(vmm_of "$pid")")" "$1"
  # It dies with the program, whoever it is.
  vmm=$(vmm_of "$pid")
  kill -KILL "$pid"
  await_end
  timeout 60 tail --pid="$vmm" -f /dev/null
  equal "what still runs" "$(running)" ""
}

if [ "$(id -u)" != 0 ]; then
  begin 'a VMM is whoever runs it'
  run_and_look "$(four "$(id -u)")"
  finish
fi

if [ "${CROSVISOR_VMM_UID-}" = 0 ]; then
  echo "not tested: VMs' own users"
else
  begin 'a VMM has a user of its own, by its CID'
  run_and_look "$(four $((1879048192 + 2048)))"

  begin 'the first uid is what the environment says'
  CROSVISOR_VMM_UID=500000 run_and_look "$(four $((500000 + 2049)))"
fi

begin 'with a first uid of 0 a VMM is root'
CROSVISOR_VMM_UID=0 run_and_look "$(four 0)"

begin 'a first uid that is no number runs nothing'
for word in x 4294967296 -1 '' '7 '; do
  CROSVISOR_VMM_UID=$word run vm.json
  equal "what it says" "$(complaints)" \
    "crosvisor: CROSVISOR_VMM_UID: \"$word\" is no number from 0 to 4294967295"
  equal "what still runs" "$(running)" ""
done

begin 'users that go past the end are not had, and it says so'
play play=off
CROSVISOR_VMM_UID=4294967295 run vm.json
equal "the exit code" "$status" 0
like "standard error" "$err" '*warning vms run as uid 0: the users of VMs would go up to 4295032830*'
nothing_left

finish
