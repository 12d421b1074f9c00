#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor info` and what the program says of itself.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

info() { # ARGUMENT...
  "$crosvisor" info "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

begin "a table"
info
equal "the exit code" "$status" 0
equal "standard error" "$err" ""
like "the lines" "$out" "KVM *
vhost-vsock *
vsock device *
vsock port 3000 *
vsock port 5000 *
protected VMs *
crosvm *
qemu  *yes  $work/bin/qemu, QEMU emulator version 7.2.22 (stand-in)
*kvm, tcg
demo guest *
runtime files *$work/run
kept files *$work/state
memory *
CIDs *2048 to 65535"
check "no escape codes" test -z "$(grep -F $'\e' out.txt)"

begin "JSON"
info -o json
equal "the exit code" "$status" 0
like "the text" "$out" '{*"schema": 1,*"kvm": {*"vmms": {*"crosvm": {*"qemu": {*"limits": {*}'
# The program's own reader of JSON takes all of it before it looks at the first key.
mv out.txt info.json
run info.json
like "what its reader says" "$err" 'crosvisor: info.json:2:3: unknown key "schema"*'
nothing_left

begin "what is missing is told with what to do"
CROSVISOR_QEMU=$work/none info
equal "the exit code" "$status" 0
like "the line of QEMU" "$(grep ^qemu <<<"$out")" "qemu *no *\"$work/none\"*"
CROSVISOR_GUEST_DIR=$work/guest info
like "the line of the guest" "$(grep '^demo guest' <<<"$out")" "demo guest *no *$work/guest*"
mkdir guest
touch guest/demo.json
CROSVISOR_GUEST_DIR=$work/guest info
like "the line of the guest" "$(grep '^demo guest' <<<"$out")" \
  "demo guest *yes *$work/guest/demo.json"

begin "nothing is made by looking"
rm -rf run state
info
equal "the directories" "$(ls -d run state 2>/dev/null)" ""

begin "a reader that has enough"
"$crosvisor" info 2>err.txt | head -n 1 >out.txt
equal "standard error" "$(cat err.txt)" ""
like "the line" "$(cat out.txt)" 'KVM *'
begin "no space for what is printed"
if [ -c /dev/full ]; then
  "$crosvisor" info >/dev/full 2>err.txt
  equal "the exit code" "$?" 1
  equal "standard error" "$(cat err.txt)" 'crosvisor: standard output: No space left on device'
fi

begin "wrong usage"
info --output yaml
equal "the exit code" "$status" 2
like "standard error" "$err" 'crosvisor: --output: "yaml" is not one of table, json, jsonl; see *'
info one more
equal "the exit code" "$status" 2
equal "standard error" "$err" "crosvisor: unexpected \"more\"; see \`crosvisor info --help\`"

begin "version and help"
like "the version" "$("$crosvisor" --version)" 'crosvisor [0-9]*.[0-9]*.[0-9]*'
for words in --help 'run --help' 'info --help'; do
  # shellcheck disable=SC2086 # Two words.
  "$crosvisor" $words >out.txt 2>err.txt
  equal "the exit code of $words" "$?" 0
  check "$words says how to use it" grep -q '^Usage: crosvisor' out.txt
  equal "standard error of $words" "$(cat err.txt)" ""
  equal "lines of $words that are too long" "$(grep -cE '^.{101}' out.txt)" 0
done
begin "a level of logging that is none"
CROSVISOR_LOG=loud "$crosvisor" info >out.txt 2>err.txt
equal "the exit code" "$?" 2
equal "standard error" "$(cat err.txt)" \
  "crosvisor: CROSVISOR_LOG is no level; allowed are debug, info, warn and error"
begin "no command"
"$crosvisor" >out.txt 2>err.txt
equal "the exit code" "$?" 2
equal "standard error" "$(cat err.txt)" "crosvisor: no command given; see \`crosvisor --help\`"
begin "an unknown command"
"$crosvisor" rum vm.json >out.txt 2>err.txt
equal "the exit code" "$?" 2
equal "standard error" "$(cat err.txt)" \
  "crosvisor: unknown command \"rum\"; did you mean \"run\"?; see \`crosvisor --help\`"

finish
