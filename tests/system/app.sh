#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor run-app` with the demo app in real guests: from an APK to the exit code.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need nbdkit zip
use_real_qemu
export CROSVISOR_OS_DIR=$guest/os

# -- runs ----------------------------------------------------------------------

run_app() { # ARGUMENT...
  "$crosvisor" run-app "$@" --vmm qemu --accel tcg --timeout 120 >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

# The payload did not run; the guest said why.
no_payload() { # EXIT_CODE PATTERN
  equal "the exit code" "$status" "$1"
  equal "standard output" "$out" ""
  like "standard error" "$err" "*vm CID payload error   $2*vm CID dead: shutdown   TIME"
  nothing_left
}

# Nothing was started, for the reason in the last line of complaint.
app_refused() { # PATTERN ARGUMENT...
  run_app "${@:2}"
  equal "the exit code" "$status" 2
  equal "standard output" "$out" ""
  like "the complaint" "$(complaints | tail -n 1)" "crosvisor: $1"
  equal "what was started" "$(grep -c '^vm [0-9]* started' err.txt)" 0
  nothing_left
}

flip() { # FILE OFFSET
  local byte
  byte=$(od -An -tu1 -j"$2" -N1 "$1")
  # shellcheck disable=SC2059 # It becomes a byte.
  printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# The offset of the payload's bytes, from those of its first block that are nowhere else.
offset_in() { # FILE TEXT
  grep -abo -F -m 1 "$2" "$1" | head -n 1 | cut -d: -f1
}

cp "$guest/demo.apk" demo.apk
hello='Hello from the app, on Linux [1-9]*; its APK, root hash *, is verified.'

# -- good ones -----------------------------------------------------------------

begin "an app with everything to be made"
run_app demo.apk demo.apk.idsig instance.img assets/vm_config.json --events events.jsonl --name app
equal "the exit code" "$status" 0
like "standard output" "$out" "$hello*"
like "standard error" "$err" "crosvisor: wrote demo.apk.idsig
crosvisor: made instance.img, instance
vm CID starting   qemu, tcg, 1 cpu, 256 MiB
vm CID started    TIME
*vm CID finished   exit 0
vm CID dead: shutdown   TIME"
like "the events" "$("$event_lines" <events.jsonl)" '*payload_started*finished
dead shutdown *'
equal "the instance image's size" "$(stat -c %s instance.img)" 10485760
nothing_left

begin "the same instance again"
before=$(stat -c %Y.%i demo.apk.idsig)
first=$(sha256sum <instance.img)
run_app demo.apk demo.apk.idsig instance.img assets/vm_config.json
equal "the exit code" "$status" 0
like "standard output" "$out" "$hello*"
equal "the digest, which is left untouched" "$(stat -c %Y.%i demo.apk.idsig)" "$before"
equal "the instance image" "$(sha256sum <instance.img)" "$first"
check "the instance image is in use" test "$(tr -d '\0' <instance.img | wc -c)" -gt 21
nothing_left

begin "a payload that exits 7"
run_app demo.apk demo.apk.idsig instance.img assets/exit7.json
equal "the exit code" "$status" 7
like "standard error" "$err" "*vm CID finished   exit 7*"
nothing_left

begin "a payload that is killed"
run_app demo.apk demo.apk.idsig instance.img assets/killed.json
equal "the exit code" "$status" 119
like "standard error" "$err" "*vm CID finished   exit 137*"
nothing_left

begin "a program as an executable, at debug level full"
run_app demo.apk demo.apk.idsig instance.img assets/executable.json --debug full --mem 192
equal "the exit code" "$status" 0
like "standard error" "$err" "*vm CID starting   qemu, tcg, 1 cpu, 192 MiB*"
nothing_left

begin "a payload by its name"
run_app demo.apk demo.apk.idsig instance.img --payload-binary demo
equal "the exit code" "$status" 0
nothing_left

# -- what the guest refuses ------------------------------------------------------

begin "a binary that is missing"
run_app demo.apk demo.apk.idsig instance.img assets/missing.json
equal "standard output" "$out" ""
like "standard error" "$err" "*vm CID payload error   payload_invalid_config: *no_such_binary is not there*"
check "the exit code is no success" test "$status" -ne 0
nothing_left

begin "a flipped byte of the APK"
cp demo.apk flipped.apk
cp demo.apk.idsig flipped.idsig
flip flipped.apk "$(offset_in flipped.apk 'Hello from the app')"
run_app flipped.apk flipped.idsig fresh.img assets/vm_config.json
no_payload 123 "payload_verification_failed*"

begin "a flipped byte of the tree"
cp demo.apk.idsig tree.idsig
flip tree.idsig $(($(stat -c %s tree.idsig) - 4096))
run_app demo.apk tree.idsig fresh2.img assets/vm_config.json
no_payload 123 "payload_verification_failed*"

begin "another app on the same instance"
(cp demo.apk other.apk && printf x | dd of=extra.txt status=none && zip -q -X other.apk extra.txt)
run_app other.apk other.idsig instance.img assets/vm_config.json --allow-unsigned
no_payload 123 "payload_changed*"

# -- what the host refuses -------------------------------------------------------

begin "a configuration that is not there"
app_refused "demo.apk: *assets/vm_confg.json: no such entry*" \
  demo.apk demo.apk.idsig instance.img assets/vm_confg.json

begin "an operating system that nobody offers"
app_refused "demo.apk: *\"android\"*this host offers microdroid*" \
  demo.apk demo.apk.idsig instance.img assets/vm_config.json --os android

begin "an APK without a signature"
mkdir -p plain/assets
echo '{}' >plain/assets/vm_config.json
(cd plain && zip -q -X -r ../plain.apk .)
app_refused "plain.apk: *is not signed*allow_unsigned*" \
  plain.apk plain.idsig new.img assets/vm_config.json
check "no digest is left" test ! -e plain.idsig
check "no instance image is left" test ! -e new.img

begin "a configuration of 100 MB"
head -c 104857600 /dev/zero | tr '\0' ' ' >plain/assets/big.json
(cd plain && zip -q -9 -X -r ../big.apk .)
app_refused "big.apk: *assets/big.json*104857600*" \
  big.apk big.idsig instance.img assets/big.json --allow-unsigned

begin "an APK that unpacks to more than the guest's memory"
(cp demo.apk bomb.apk && truncate -s 600M bomb && zip -q -9 -X bomb.apk bomb && rm bomb)
run_app bomb.apk bomb.idsig bomb.img assets/vm_config.json --allow-unsigned
no_payload 126 "*memory*"

begin "a truncated APK"
head -c 100000 demo.apk >cut.apk
app_refused "cut.apk: *" cut.apk cut.idsig instance.img assets/vm_config.json
check "no digest is left" test ! -e cut.idsig

begin "an instance image that is none"
echo nothing >none.img
truncate -s 4096 none.img
run_app demo.apk demo.apk.idsig none.img assets/vm_config.json
check "the exit code is no success" test "$status" -ne 0
equal "standard output" "$out" ""
nothing_left

finish
