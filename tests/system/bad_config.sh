#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `crosvisor run` with configurations and command lines that are wrong: one line that says what,
# where and what is allowed, exit code 2, and nothing is left.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

echo kernel >vmlinux
truncate -s 1M disk.raw
: >empty
mkdir folder

# Refused as vm.json.
refuse() { # NAME JSON MESSAGE
  begin "$1"
  printf '%s' "$2" >vm.json
  refused "crosvisor: vm.json:$3" vm.json
}

# -- files ---------------------------------------------------------------------

refuse "a kernel that is missing" '{"kernel": "missing"}' \
  " kernel \"missing\": no such file in $work"
refuse "a kernel that is missing elsewhere" '{"kernel": "/nowhere/vmlinux"}' \
  ' kernel "/nowhere/vmlinux": no such file'
refuse "a kernel that is a directory" '{"kernel": "folder"}' \
  ' kernel "folder": is a directory'
refuse "a kernel that is a disk to be written, too" \
  '{"kernel": "vmlinux", "disks": [{"image": "vmlinux", "writable": true}]}' \
  " disks[0] \"vmlinux\": is the same file as kernel \"vmlinux\", and one of them is writable"
refuse "a kernel that is empty" '{"kernel": "empty"}' ' kernel "empty": is empty'
mkfifo fifo
refuse "a kernel that is a FIFO" '{"kernel": "fifo"}' \
  ' kernel "fifo": is not a regular file'
refuse "a kernel that is a device" '{"kernel": "/dev/zero"}' \
  ' kernel "/dev/zero": is not a regular file'
refuse "an initrd that is missing" '{"kernel": "vmlinux", "initrd": "missing"}' \
  " initrd \"missing\": no such file in $work"
refuse "a bootloader that is missing" '{"bootloader": "missing"}' \
  " bootloader \"missing\": no such file in $work"
ln -s loop loop
refuse "a symlink to itself" '{"kernel": "loop"}' \
  ' kernel "loop": Too many levels of symbolic links'
refuse "a disk that is missing" \
  '{"kernel": "vmlinux", "disks": [{"image": "missing", "writable": false}]}' \
  " disks[0] \"missing\": no such file in $work"
refuse "a disk that is a directory and written" \
  '{"kernel": "vmlinux", "disks": [{"image": "folder", "writable": true}]}' \
  ' disks[0] "folder": is a directory'
refuse "a disk twice, once writable" '{"kernel": "vmlinux", "disks": [
  {"image": "disk.raw", "writable": false}, {"image": "./disk.raw", "writable": true}]}' \
  ' disks[1] "./disk.raw": is the same file as disks[0] "disk.raw", and one of them is writable'
ln disk.raw link.raw
refuse "a disk twice, by another name" '{"kernel": "vmlinux", "disks": [
  {"image": "disk.raw", "writable": true}, {"image": "link.raw", "writable": false}]}' \
  ' disks[1] "link.raw": is the same file as disks[0] "disk.raw", and one of them is writable'
refuse "a disk without writable" '{"kernel": "vmlinux", "disks": [{"image": "disk.raw"}]}' \
  '1:33: disks[0].writable: missing; say true or false'
refuse "a raw disk that is said to be qcow2" \
  '{"kernel": "vmlinux", "disks": [{"image": "disk.raw", "format": "qcow2", "writable": true}]}' \
  ' disks[0] "disk.raw": stated as qcow2, but it is none; it looks like raw'

# -- what boots ----------------------------------------------------------------

refuse "kernel and bootloader both" '{"kernel": "vmlinux", "bootloader": "vmlinux"}' \
  '1:2: kernel and bootloader: a VM has one or the other, not both'
refuse "neither kernel nor bootloader" '{"memory_mib": 64}' \
  '1:1: kernel: missing; a VM needs a kernel or a bootloader'
refuse "params of a bootloader" '{"bootloader": "vmlinux", "params": "quiet"}' \
  '1:27: params: go with a kernel, not with a bootloader'
refuse "params that are too long" \
  "{\"kernel\": \"vmlinux\", \"params\": \"$(printf '%01793d' 0)\"}" \
  '1:23: params: 1793 bytes; at most 1792 are allowed'
refuse "two MiB of params" "{\"kernel\": \"vmlinux\", \"params\": \"$(printf '%02097152d' 0)\"}" \
  '1:1: larger than 1 MiB'
refuse "params with a line break" '{"kernel": "vmlinux", "params": "quiet\nsplash"}' \
  '1:23: params: hold a control character; only printable text is allowed'

# -- numbers -------------------------------------------------------------------

for number in -1 0 15 4194305 99999999999999999999; do
  refuse "memory of $number MiB" "{\"kernel\": \"vmlinux\", \"memory_mib\": $number}" \
    "1:37: memory_mib: $number is out of range; allowed is 16 to 4194304"
done
refuse "memory of half a MiB" '{"kernel": "vmlinux", "memory_mib": 0.5}' \
  '1:37: memory_mib: expected a whole number, got 0.5'
refuse "memory in words" '{"kernel": "vmlinux", "memory_mib": "128"}' \
  '1:37: memory_mib: expected a whole number, got "128"'
begin "more memory than the host has"
printf '{"kernel": "vmlinux", "memory_mib": 4194304}' >vm.json
run vm.json
equal "the exit code" "$status" 2
like "standard error" "$err" \
  "crosvisor: vm.json: memory_mib: 4194304 is more than the host's *[0-9]"
nothing_left
for number in -1 0 65; do
  refuse "$number cpus" "{\"kernel\": \"vmlinux\", \"cpus\": $number}" \
    "1:31: cpus: $number is out of range; allowed is 1 to 64"
done

# -- keys ----------------------------------------------------------------------

refuse "an unknown key" '{
  "kernel": "vmlinux",
  "memory_mb": 64
}' '3:3: unknown key "memory_mb"; did you mean "memory_mib"?'
refuse "an unknown key of a disk" \
  '{"kernel": "vmlinux", "disks": [{"image": "disk.raw", "writeable": true}]}' \
  '1:55: unknown key "writeable"; did you mean "writable"?'
refuse "a key like none" '{"kernel": "vmlinux", "zzzzzzzzzz": 1}' '1:23: unknown key "zzzzzzzzzz"'
refuse "a key twice" '{"kernel": "vmlinux", "kernel": "vmlinux"}' '1:23: key "kernel" is given twice'
refuse "a key that is known and not supported" '{"kernel": "vmlinux", "num_cpus": 2}' \
  '1:35: num_cpus: not supported; use "cpus"'
refuse "a name that is none" '{"kernel": "vmlinux", "name": "../../etc"}' \
  "1:23: name: \"../../etc\" is not a name; allowed are letters, digits, '.', '_' and '-', a letter\
 first, at most 64"
refuse "an unknown VMM" '{"kernel": "vmlinux", "vmm": "bochs"}' \
  '1:30: vmm: expected "auto", "crosvm" or "qemu", got "bochs"'

# -- JSON ----------------------------------------------------------------------

malformed() { # NAME JSON PATTERN
  begin "$1"
  printf '%s' "$2" >vm.json
  run vm.json
  equal "the exit code" "$status" 2
  like "standard error" "$err" "crosvisor: vm.json:$3"
  equal "the number of lines" "$(wc -l <err.txt)" 1
  nothing_left
}

malformed "a comma too many" '{
  "kernel": "vmlinux",
}' '3:1: malformed JSON: *'
malformed "an object that does not end" '{"kernel": "vmlinux"' '1:21: malformed JSON: *'
malformed "a comment" '{
  // the kernel
  "kernel": "vmlinux"
}' '2:3: malformed JSON: *'
malformed "an empty file" '' '1:1: malformed JSON: *'
malformed "another thing behind it" '{"kernel": "vmlinux"} {}' '1:23: malformed JSON: *'
malformed "no UTF-8" $'{"kernel": "vml\xff\xfe"}' '1:16: malformed JSON: *'
malformed "escape codes in a key" $'{"kernel": "vmlinux", "\x1b[2J": 1}' '1:2?: malformed JSON: *'
malformed "an array" '["vmlinux"]' '1:1: *'
begin "bytes at random"
head -c 100000 /dev/urandom >vm.json
run vm.json
equal "the exit code" "$status" 2
equal "the number of lines" "$(wc -l <err.txt)" 1
begin "the configuration is missing"
refused 'crosvisor: missing.json: no such file' missing.json
begin "the configuration is a directory"
refused 'crosvisor: folder: is a directory; a configuration is a JSON file' folder
begin "the configuration is a FIFO"
refused 'crosvisor: fifo: is not a regular file; a configuration is a JSON file' fifo
printf '{"kernel": "missing"}' >-.json
begin "the configuration's name begins like an option"
refused 'crosvisor: ./-.json: kernel "missing": no such file in '"$work" ./-.json

# -- what only others may read -------------------------------------------------

begin "a kernel that may not be read"
printf '{"kernel": "secret"}' >vm.json
echo kernel >secret
chmod 000 secret
chmod 644 vm.json
# Where anybody can reach it, whatever the mode of the build tree.
cp "$crosvisor" bin/crosvisor
as_nobody=(env)
if [ "$(id -u)" = 0 ]; then
  mkdir nobody
  chown 65534:65534 nobody
  as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env
    CROSVISOR_RUNTIME_DIR="$work/nobody/run" CROSVISOR_STATE_DIR="$work/nobody/state")
fi
"${as_nobody[@]}" bin/crosvisor run vm.json >out.txt 2>err.txt
equal "the exit code" "$?" 2
equal "standard error" "$(cat err.txt)" \
  'crosvisor: vm.json: kernel "secret": Permission denied'
begin "a disk that may only be read, given as writable"
printf '{"kernel": "vmlinux", "disks": [{"image": "disk.raw", "writable": true}]}' >vm.json
chmod 444 disk.raw
"${as_nobody[@]}" bin/crosvisor run vm.json >out.txt 2>err.txt
equal "the exit code" "$?" 2
equal "standard error" "$(cat err.txt)" \
  "crosvisor: vm.json: disks[0] \"disk.raw\": can't be opened for writing: Permission denied"
nothing_left

# -- the command line ----------------------------------------------------------

play play=off
refuse_line() { # NAME MESSAGE ARGUMENT...
  begin "$1"
  refused "crosvisor: $2; see \`crosvisor run --help\`" "${@:3}"
}

refuse_line "no configuration" 'CONFIG is required'
refuse_line "an unknown option" 'unknown option "--memory"' vm.json --memory 64
refuse_line "a misspelt option" 'unknown option "--consol"; did you mean "--console"?' \
  vm.json --consol -
refuse_line "two configurations" 'unexpected "other.json"' vm.json other.json
for number in -1 0 1x 4194305; do
  begin "--mem $number"
  run vm.json "--mem=$number"
  equal "the exit code" "$status" 2
  like "standard error" "$err" 'crosvisor: --mem: *; allowed is 16 to 4194304; see *'
  nothing_left
done
for time in 0 -1 nan inf 1e99 never; do
  begin "--timeout $time"
  run vm.json "--timeout=$time"
  equal "the exit code" "$status" 2
  like "standard error" "$err" "crosvisor: --timeout: \"$time\" is no time; allowed is *"
  nothing_left
done
begin "--console in a folder that is missing"
refused 'crosvisor: --console "nowhere/out": no such folder' vm.json --console nowhere/out
begin "--console over the kernel"
refused "crosvisor: --console \"vmlinux\": is a disk or a file of the VM's; give another one" \
  vm.json --console vmlinux
equal "the kernel" "$(cat vmlinux)" kernel
begin "--events into a FIFO that nobody reads"
refused 'crosvisor: --events "fifo": is a FIFO that nobody reads, or a socket' \
  vm.json --events fifo
begin "a VMM that this host can't use"
run vm.json --vmm crosvm
equal "the exit code" "$status" 125
like "standard error" "$err" 'crosvisor: vm.json: vmm: *crosvm*'
nothing_left
begin "crosvm has no emulation"
refused 'crosvisor: vm.json: accel: crosvm has no tcg; use vmm "qemu" or accel "kvm"' \
  vm.json --vmm crosvm --accel tcg
begin "protected where the host can't"
printf '{"kernel": "vmlinux", "protected": true}' >vm.json
run vm.json
equal "the exit code" "$status" 2
like "standard error" "$err" "crosvisor: vm.json: protected: this host can't: *"
nothing_left

finish
