#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo guest as Microdroid, under the real QEMU, without what crosvisor does for apps: the disks
# are put together here, by sfdisk, and the digests are apksigner's or made by hand.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need sfdisk zip
use_real_qemu

# -- disks ---------------------------------------------------------------------

# A raw image with a GPT; each partition has whole blocks of 4096 bytes, as crosvm's have.
make_disk() { # DISK [LABEL FILE]...
  local disk=$1 at=2048 sectors table='label: gpt'
  shift
  rm -f "$disk"
  while [ $# -gt 0 ]; do
    # shellcheck disable=SC2017 # Whole blocks, of eight sectors each.
    sectors=$((($(stat -c %s "$2") + 4095) / 4096 * 8))
    table+=$'\n'"start=$at, size=$sectors, name=\"$1\""
    dd if="$2" of="$disk" bs=512 seek=$at conv=notrunc status=none
    at=$((at + sectors))
    shift 2
  done
  truncate -s $(((at + 2048) * 512)) "$disk"
  sfdisk -q --wipe never --wipe-partitions never "$disk" <<<"$table"
}

# A field of protobuf, of up to 127 bytes.
field() { # NUMBER TEXT
  printf "\\x$(printf %02x $(($1 << 3 | 2)))\\x$(printf %02x ${#2})%s" "$2"
}

# With the payload's field: an entry of the APK, or else a file of lib/x86_64.
write_metadata() { # FILE PAYLOAD
  local body
  body=$(
    printf '\x08\x01'
    field 3 "$(field 1 apk)$(field 2 microdroid-apk)$(field 3 microdroid-apk-idsig)"
    case $2 in
      assets/*) field 4 "/mnt/apk/$2" ;;
      *) field 5 "$(field 1 "$2")" ;;
    esac
  )
  printf "\\0\\0\\0\\x$(printf %02x ${#body})%s" "$body" >"$1"
}

# The digest of an APK of one block, which has no tree: as the service of 2021 wrote them.
write_small_idsig() { # APK IDSIG
  local root
  root=$({ cat "$1" && head -c $((4096 - $(stat -c %s "$1"))) /dev/zero; } | sha256sum)
  # shellcheck disable=SC2059 # The hash becomes bytes.
  {
    printf '\2\0\0\0\x2d\0\0\0\1\0\0\0\x0c\0\0\0\0\x20\0\0\0'
    printf "$(sed 's/ .*//; s/../\\x&/g' <<<"$root")"
    printf '\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\3\0\0\0\0\0\0\0\0\0\0'
  } >"$2"
}

new_instance() {
  { printf 'Android-VM-instance\1\0' && head -c 65515 /dev/zero; } >instance.part
  make_disk instance.img vm-instance instance.part
}

flip() { # FILE OFFSET NEW_FILE
  local byte
  cp "$1" "$3"
  byte=$(od -An -tu1 -j"$2" -N1 "$1")
  # shellcheck disable=SC2059 # It becomes a byte.
  printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$3" bs=1 seek="$2" conv=notrunc status=none
}

# -- runs ----------------------------------------------------------------------

# Runs the payload of an APK; further partitions go behind it, and `instance.img` is a second disk.
run_app() { # APK IDSIG PAYLOAD [LABEL FILE]...
  write_metadata metadata "$3"
  make_disk payload.img payload-metadata metadata microdroid-apk "$1" microdroid-apk-idsig "$2" \
    "${@:4}"
  cat >vm.json <<END
{
  "name": "app",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=microdroid",
  "memory_mib": 256,
  "vmm": "qemu",
  "accel": "tcg",
  "guest_protocol": true,
  "disks": [
    {"image": "payload.img", "writable": false},
    {"image": "instance.img", "writable": true}
  ]
}
END
  run vm.json --console console.txt --timeout 120
}

# The payload did not run; why not is like PATTERN.
no_payload() { # EXIT_CODE PATTERN
  equal "the exit code" "$status" "$1"
  equal "standard output" "$out" ""
  like "standard error" "$err" "*vm CID payload error   $2
vm CID dead: shutdown   TIME"
  nothing_left
}

readonly apk=$guest/demo.apk idsig=$guest/demo.apk.idsig
hello='Hello from the app, on Linux [1-9]*; its APK, root hash *, is verified.'
mkdir -p small/lib/x86_64
printf '#!/bin/busybox sh\nbusybox ls /mnt/extra-apk/0/lib/x86_64\nexit 3\n' >small/lib/x86_64/script
(cd small && zip -q -X -r ../small.apk lib)
write_small_idsig small.apk small.idsig

new_instance
begin "a payload"
run_app "$apk" "$idsig" assets/vm_config.json
equal "the exit code" "$status" 0
like "standard output" "$out" "$hello
argument 1: hello
argument 2: from vm_config.json"
like "standard error" "$err" '*vm CID finished   exit 0
vm CID dead: shutdown   TIME'
check "the root hash is kept" grep -aq '^microdroid-apk [0-9a-f]*$' instance.img
nothing_left

begin "the same APK once more; a payload that exits 7"
cp instance.img kept.img
run_app "$apk" "$idsig" assets/exit7.json
equal "the exit code" "$status" 7
check "the instance image is the same" cmp instance.img kept.img

begin "another APK with that instance image"
run_app small.apk small.idsig script
no_payload 123 'payload_changed: the instance image is of another payload'
check "the instance image is the same" cmp instance.img kept.img

begin "a second APK that was not there before"
run_app "$apk" "$idsig" assets/vm_config.json extra-apk-0 small.apk extra-idsig-0 small.idsig
no_payload 123 'payload_changed: the instance image is of another payload'

begin "an APK of one block, a payload by its name, another APK beside it"
new_instance
run_app small.apk small.idsig script extra-apk-0 "$apk" extra-idsig-0 "$idsig"
equal "the exit code" "$status" 3
equal "standard output" "$out" "demo
libdemo.so
libdemo_avm.so"

begin "an executable that is killed"
new_instance
run_app "$apk" "$idsig" assets/killed.json
equal "the exit code" "$status" 119
like "standard error" "$err" '*vm CID finished   exit 137*'

begin "an executable by its path"
run_app "$apk" "$idsig" assets/executable.json
equal "the exit code" "$status" 0
like "standard output" "$out" "$hello
argument 1: an
argument 2: executable"

begin "a library of today"
run_app "$apk" "$idsig" assets/newest.json
equal "the exit code" "$status" 0
equal "standard output" "$out" "Hello from the app's library; its files are in /mnt/apk."
like "standard error" "$err" '*vm CID ready *vm CID finished   exit 0*'

begin "a library of 2021"
run_app "$apk" "$idsig" assets/native.json
equal "the exit code" "$status" 0
like "standard output" "$out" "$hello
argument 1: a
argument 2: library"

begin "a binary that is missing"
run_app "$apk" "$idsig" assets/missing.json
no_payload 126 "payload_invalid_config: the payload's binary no_such_binary is not there"

begin "a configuration that is missing"
run_app "$apk" "$idsig" assets/none.json
no_payload 126 "payload_invalid_config: can't open the configuration /mnt/apk/assets/none.json: *"

begin "a configuration that is malformed"
run_app "$apk" "$idsig" assets/malformed.json
no_payload 126 'payload_invalid_config: the configuration is no JSON object*'

begin "a task of an unknown type"
run_app "$apk" "$idsig" assets/unknown_type.json
no_payload 126 "payload_invalid_config: the task's type is \"script\"; *"

begin "a changed byte of the APK"
flip "$apk" $(($(stat -c %s "$apk") - 1)) changed.apk
run_app changed.apk "$idsig" assets/vm_config.json
no_payload 123 "payload_verification_failed: block * of the APK's * is not what the idsig says*"

begin "a changed byte of the tree"
flip "$idsig" $(($(stat -c %s "$idsig") - 5000)) changed.idsig
run_app "$apk" changed.idsig assets/vm_config.json
no_payload 123 "payload_verification_failed: block * of the APK's * is not what the idsig says*"

begin "the idsig of another APK"
run_app "$apk" small.idsig assets/vm_config.json
no_payload 123 'payload_verification_failed: the idsig is of another APK: *'

begin "what is no APK"
head -c 3000 "$apk" >none.apk
write_small_idsig none.apk none.idsig
run_app none.apk none.idsig script
no_payload 123 'payload_verification_failed: the APK is no ZIP file that can be unpacked'

begin "what is no instance image"
head -c 65536 /dev/zero >instance.part
make_disk instance.img vm-instance instance.part
run_app small.apk small.idsig script
no_payload 126 'unknown: the instance image does not begin with "Android-VM-instance"'

finish
