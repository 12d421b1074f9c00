#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The commands that make and show images, judged by other programs.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need nbdkit nbdcopy qemu-img sgdisk fsverity
plugin=$(dirname "$crosvisor")/nbdkit-composite-plugin.so

# Runs a command of the program; sets status, out and err.
crosvisor() { # ARGUMENT...
  "$crosvisor" "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

succeeds() { # ARGUMENT...
  crosvisor "$@"
  equal "the exit code" "$status" 0
  equal "standard error" "$err" ""
}

fails() { # EXIT_CODE PATTERN ARGUMENT...
  crosvisor "${@:3}"
  equal "the exit code" "$status" "$1"
  like "standard error" "$err" "crosvisor: $2"
  equal "standard output" "$out" ""
}

random_file() { # FILE BYTES
  head -c "$2" /dev/urandom >"$1"
}

# -- partitions ------------------------------------------------------------------

begin "partitions of every type"
succeeds create-partition raw.img 5000
equal "its size" "$(stat -c %s raw.img)" 8192
equal "what it holds" "$(tr -d '\0' <raw.img)" ""
succeeds create-partition instance.img 10M --type instance
equal "its size" "$(stat -c %s instance.img)" 10485760
equal "its header" "$(head -c 21 instance.img | od -An -c | tr -d ' \n')" \
  'Android-VM-instance001\0'
succeeds create-partition store.img 1M --type encryptedstore
equal "its mark" "$(head -c 19 store.img)" UNFORMATTED-STORAGE
for size in 1 64K 10M 1G 1T; do
  succeeds create-partition "$size.qcow2" "$size" --type qcow2
  check "qemu-img finds no error in $size" qemu-img check -q "$size.qcow2"
done

begin "a file that is there is never touched"
echo mine >mine.img
fails 6 'mine.img: is there already; it is not touched' create-partition mine.img 1M
equal "the file" "$(cat mine.img)" mine

begin "sizes that can't be"
fails 2 '*SIZE*out of range*' create-partition no.img 3T
fails 2 '*SIZE*no size*' create-partition no.img 1.5M
fails 2 'no/such.img: No such file or directory' create-partition no/such.img 1M
check "nothing is left" test ! -e no.img

# -- digests ---------------------------------------------------------------------

begin "a digest is that of the kernel's tools"
succeeds create-idsig "$guest/demo.apk" demo.idsig
fsverity digest --hash-alg=sha256 --block-size=4096 --out-merkle-tree=tree \
  --out-descriptor=descriptor "$guest/demo.apk" >/dev/null
equal "its tree" "$(tail -c "$(stat -c %s tree)" demo.idsig | sha256sum)" "$(sha256sum <tree)"
equal "its root" "$(od -An -tx1 -j21 -N32 demo.idsig)" "$(od -An -tx1 -j16 -N32 descriptor)"

begin "a digest that is up to date"
before=$(stat -c %y.%i demo.idsig)
crosvisor create-idsig "$guest/demo.apk" demo.idsig
equal "the exit code" "$status" 0
equal "standard error" "$err" "crosvisor: demo.idsig: is up to date"
equal "the file" "$(stat -c %y.%i demo.idsig)" "$before"

begin "a file without a signature"
random_file plain 9999
fails 2 'plain: APK is not signed *' create-idsig plain plain.idsig
check "nothing is left" test ! -e plain.idsig
succeeds create-idsig plain plain.idsig --allow-unsigned
equal "its size" "$(stat -c %s plain.idsig)" $((85 + 4096))

begin "files that can't be digested"
fails 2 'missing: no such file' create-idsig missing missing.idsig
fails 2 '*' create-idsig . folder.idsig --allow-unsigned
check "nothing is left" test ! -e missing.idsig -a ! -e folder.idsig

begin "a Ctrl-C leaves nothing"
truncate -s 4000M large
env --default-signal=INT "$crosvisor" create-idsig large large.idsig --allow-unsigned \
  >out.txt 2>err.txt </dev/null &
pid=$!
until [ -e large.idsig ] || ! kill -0 "$pid" 2>/dev/null; do
  sleep 0.01 # Nobody tells when the digest has begun; it takes a second at the least.
done
kill -INT "$pid"
wait "$pid"
equal "the exit code" "$?" 130
equal "standard error" "$(cat err.txt)" "crosvisor: large: given up"
check "nothing is left" test ! -e large.idsig
rm large

# -- disks -----------------------------------------------------------------------

begin "a disk of partitions is its parts, byte for byte"
random_file one 300000
random_file two 65536
succeeds create-composite disk.img one:one two:two:writable \
  three:one:C12A7328-F81F-11D2-BA4B-00A0C93EC93B
zeros() { head -c "$1" /dev/zero; }
{
  cat disk.img.header one && zeros $((303104 - 300000)) && cat two one &&
    zeros $((303104 - 300000)) && cat disk.img.footer
} >expected
# shellcheck disable=SC2016 # nbdkit has its own shell expand it.
nbdkit -r -U - "$plugin" disk.img --run 'nbdcopy "$uri" whole.img'
equal "the whole disk" "$(sha256sum <whole.img)" "$(sha256sum <expected)"
like "sgdisk" "$(sgdisk -v whole.img)" '*No problems found.*'

begin "disks that can't be"
fails 6 '*disk.img*' create-composite disk.img one:one
fails 2 '*"one"*' create-composite other.img one:one one:two
fails 2 '*' create-composite other.img one:missing
fails 2 '*' create-composite other.img one
fails 2 '*' create-composite other.img one:one:writable
check "nothing is left" test -z "$(compgen -G 'other.img*')"

# -- what images are ---------------------------------------------------------------

begin "every image is known and sound"
while read -r file format; do
  crosvisor inspect "$file" -o json
  equal "the exit code for $file" "$status" 0
  like "the format of $file" "$(tr -d ' \n' <out.txt)" "*\"format\":\"$format\"*"
done <<END
disk.img composite
whole.img gpt
1G.qcow2 qcow2
instance.img instance
store.img encryptedstore
$guest/demo.apk apk
demo.idsig idsig
END

begin "a damaged disk"
cp whole.img damaged.img
printf x | dd of=damaged.img bs=1 seek=1100 conv=notrunc status=none
crosvisor inspect damaged.img
equal "the exit code" "$status" 1
like "standard output" "$out" '*problem*'

nothing_left
finish
