#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tests guest/build.sh: same bytes every time, a cache that is whole or absent.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kept=$(dirname "$here")/build/guest/debs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "guest/test.sh: $*" >&2
  exit 1
}

build() { # OUTPUT_DIRECTORY
  "$here/build.sh" --out "$1" --kernel "$kernel" --busybox "$busybox"
}

products() { # OUTPUT_DIRECTORY
  (cd "$1" && sha256sum vmlinux initramfs.cpio disk.raw ./*.json os/*.json \
    demo.apk demo.apk.idsig)
}

inode() { stat -c %i "$1"; }

"$here/build.sh"
mapfile -t names <"$kept/current"
kernel=$kept/${names[0]}
busybox=$kept/${names[1]}

build "$work/one"

# The key is for its owner alone, and its signature is good.
[ "$(find "$work/one/keys" -type f -perm /077)" = "" ] ||
  fail "others can read the demo app's key"
verified=$(apksigner verify -v "$work/one/demo.apk")
grep -q '^Verified using v3 scheme .*: true$' <<<"$verified" ||
  fail "the demo app is not signed as it should be: $verified"

# A second call does nothing.
before=$(inode "$work/one/vmlinux")
output=$(build "$work/one" 2>&1)
[ -z "$output" ] || fail "an up-to-date guest was built again: $output"
[ "$(inode "$work/one/vmlinux")" = "$before" ] || fail "vmlinux was replaced"

# A build that is killed leaves nothing that passes for a guest, and the next
# one, of sources that lie elsewhere, in other habits, makes the same bytes; all
# but the key, which is made once.
mkdir -p "$work/two"
cp -r "$work/one/keys" "$work/two/keys"
mkdir -p "$work/elsewhere/of another name"
cp -r "$here" "$work/elsewhere/of another name/guest"
setsid "$here/build.sh" --out "$work/two" --kernel "$kernel" \
  --busybox "$busybox" &
killed=$!
until compgen -G "$work/two/work.*/kernel/boot" >/dev/null; do
  kill -0 "$killed" 2>/dev/null || fail "the build ended before it was killed"
  sleep 0.02 # Nobody tells when the build has come so far; it must be killed in the middle.
done
kill -KILL -- "-$killed"
wait "$killed" 2>/dev/null || true
[ ! -e "$work/two/stamp" ] || fail "a killed build left a stamp"
(
  umask 077
  cd /
  TZ=Asia/Tokyo "$work/elsewhere/of another name/guest/build.sh" \
    --out "$work/two" --kernel "$kernel" --busybox "$busybox"
)
[ "$(products "$work/one")" = "$(products "$work/two")" ] ||
  fail "two builds differ: $(products "$work/one"; products "$work/two")"
if compgen -G "$work/two/work.*" >/dev/null; then
  fail "work directories were left behind"
fi

# A changed or missing product is not taken for the real one.
rm "$work/two/initramfs.cpio"
build "$work/two"
[ "$(products "$work/one")" = "$(products "$work/two")" ] ||
  fail "a guest with a missing file was not made whole"

echo "guest/test.sh: two builds are the same, byte for byte"
products "$work/one"
