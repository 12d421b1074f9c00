#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the demo guest from Debian's packages and our own programs: kernel,
# initramfs, disk, configurations; and a signed app for it. The steps are in
# steps/.
set -euo pipefail
export LC_ALL=C
umask 022

# Loaded at start, in this order, each behind the modules that it depends on.
readonly modules=(
  virtio_pci virtio_mmio virtio_console virtio_blk virtio_balloon virtio-rng
  button evdev pvpanic pvpanic-pci pvpanic-mmio
  vsock vmw_vsock_virtio_transport
)
# Loaded when the guest runs an app, behind those above.
readonly app_modules=(loop dm-verity)
# Loaded when the guest shows its devices, behind the first.
readonly device_modules=(virtio_net virtiofs)
readonly meta_package=linux-image-cloud-amd64

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(dirname "$here")/build/guest
debs=
kernel_deb=
busybox_deb=
update=no
work=
downloads=

# shellcheck source-path=SCRIPTDIR source=steps/packages.sh
. "$here/steps/packages.sh"
# shellcheck source-path=SCRIPTDIR source=steps/kernel.sh
. "$here/steps/kernel.sh"
# shellcheck source-path=SCRIPTDIR source=steps/programs.sh
. "$here/steps/programs.sh"
# shellcheck source-path=SCRIPTDIR source=steps/app.sh
. "$here/steps/app.sh"
# shellcheck source-path=SCRIPTDIR source=steps/manifest.sh
. "$here/steps/manifest.sh"

usage() {
  cat <<'END'
usage: guest/build.sh [--out DIR] [--debs DIR] [--update]
                      [--kernel FILE.deb --busybox FILE.deb]

Makes in DIR (build/guest): vmlinux, initramfs.cpio, disk.raw, and the VM
configurations demo.json, tick.json (which runs until it is stopped), serve.json
(which serves vsock ports until then) and exit.json (whose payload exits 7);
os/microdroid.json, the guest as an operating system for apps, and demo.apk, an
app, signed by a key that is made once, in keys/. Does nothing when they are
there already, made from the same packages by the same sources and compiler.
Needs no root, mounts nothing.

  --out DIR           where the guest goes
  --debs DIR          where downloaded packages are kept (OUT/debs)
  --update            ask apt for newer packages; else those kept are used
  --kernel FILE.deb   use this linux-image-*-cloud-amd64 package
  --busybox FILE.deb  use this busybox-static package
END
}

say() { echo "guest: $*" >&2; }

die() {
  say "$*"
  exit 1
}

parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --update) update=yes ;;
      --out | --debs | --kernel | --busybox)
        [ $# -ge 2 ] || die "$1 needs a value; see --help"
        case $1 in
          --out) out=$2 ;;
          --debs) debs=$2 ;;
          --kernel) kernel_deb=$2 ;;
          --busybox) busybox_deb=$2 ;;
        esac
        shift
        ;;
      *) die "unknown option $1; see --help" ;;
    esac
    shift
  done
  debs=${debs:-$out/debs}
  [ "${kernel_deb:+k}" = "${busybox_deb:+k}" ] ||
    die "--kernel and --busybox go together"
}

# -- image ---------------------------------------------------------------------

build_initramfs() { # KERNEL_TREE BUSYBOX_TREE OUTPUT
  local tree=$work/initramfs kernel_modules=("$1"/{usr/,}lib/modules/*) busybox
  local name
  for name in "${!kernel_modules[@]}"; do
    [ -d "${kernel_modules[name]}" ] || unset "kernel_modules[name]"
  done
  [ ${#kernel_modules[@]} = 1 ] || die "the kernel package has no modules"
  mkdir -p "$tree"/{bin,dev,mnt,proc,sys,lib/modules}
  busybox=$(find "$2" -name busybox -type f -perm /111 | head -n 1)
  [ "$busybox" ] || die "the busybox package has no busybox"
  cp "$busybox" "$tree/bin/busybox"
  cp "$here/init" "$here"/{devices,disks,microdroid}.sh "$tree"
  build_programs "$tree"

  find_modules "${kernel_modules[@]}"
  add_modules "$tree/lib/modules" order "${modules[@]}"
  add_modules "$tree/lib/modules" order.microdroid "${app_modules[@]}"
  add_modules "$tree/lib/modules" order.devices "${device_modules[@]}"

  find "$tree" -type f -exec chmod 644 {} +
  chmod 755 "$tree/bin"/* "$tree/lib64"/* "$tree/init"
  find "$tree" -exec touch -h -d @0 {} +
  (cd "$tree" && find . | sort |
    cpio -o -H newc --quiet --reproducible -R +0:+0) >"$3"
}

write_demo() { # DIRECTORY
  truncate -s 64M "$1/disk.raw"
  echo "The demo disk of crosvisor." |
    dd of="$1/disk.raw" conv=notrunc status=none
  cat >"$1/demo.json" <<'END'
{
  "name": "demo",
  "kernel": "vmlinux",
  "initrd": "initramfs.cpio",
  "params": "quiet crosvisor.demo=poweroff",
  "cpus": 1,
  "memory_mib": 128,
  "guest_protocol": true,
  "disks": [
    {"image": "disk.raw", "format": "raw", "writable": false}
  ]
}
END
  write_variant "$1" tick tick
  write_variant "$1" serve serve
  write_variant "$1" exit exit:7
}

write_variant() { # DIRECTORY NAME ACTION
  sed "s/\"demo\"/\"$2\"/; s/demo=poweroff/demo=$3/" "$1/demo.json" \
    >"$1/$2.json"
}

readonly products=(
  vmlinux initramfs.cpio disk.raw demo.json tick.json serve.json exit.json
  os/microdroid.json demo.apk demo.apk.idsig
)

build() {
  local began=$SECONDS new=$work/new file
  for file in apksigner cpio dpkg-deb g++ objcopy openssl strip xz zip; do
    need "$file"
  done
  say "building from $(basename "$kernel_deb")"
  mkdir "$new"
  dpkg-deb -x "$kernel_deb" "$work/kernel"
  dpkg-deb -x "$busybox_deb" "$work/busybox"
  extract_vmlinux "$(echo "$work/kernel/boot/vmlinuz-"*)" "$new/vmlinux"
  build_initramfs "$work/kernel" "$work/busybox" "$new/initramfs.cpio"
  write_demo "$new"
  mkdir "$new/os"
  cp "$here/os/microdroid.json" "$new/os"
  build_app "$new/demo.apk"

  # The stamp goes first and comes last: without it there is no guest.
  rm -f "$out/stamp"
  mkdir -p "$out/os"
  for file in "${products[@]}"; do
    mv "$new/$file" "$out/$file"
  done
  inputs_hash >"$work/stamp"
  mv "$work/stamp" "$out/stamp"
  say "built in $((SECONDS - began)) s:" \
    "vmlinux $(mib "$out/vmlinux"), initramfs $(mib "$out/initramfs.cpio")"
}

mib() { # FILE
  echo "$((($(stat -c %s "$1") + 524288) / 1048576)) MiB"
}

need() { # PROGRAM
  command -v "$1" >/dev/null ||
    die "$1 is missing; \`./dev setup\` installs what the build needs"
}

# -- cache ---------------------------------------------------------------------

# The packages stand for themselves by name and size when apt put them there
# (their names hold their versions), others by their content.
inputs_hash() {
  local file
  {
    if [ "$(dirname "$kernel_deb")" = "$debs" ]; then
      stat -c '%n %s' "$kernel_deb" "$busybox_deb" | sed 's:.*/::'
    else
      sha256sum "$kernel_deb" "$busybox_deb" | cut -d' ' -f1
    fi
    (cd "$here" && find . -type f ! -name test.sh | sort | xargs sha256sum)
    if command -v gcc >/dev/null; then
      gcc -dumpfullversion
      for file in libc.a libc.so.6 ld-linux-x86-64.so.2; do
        sha256sum <"$(gcc -print-file-name="$file")"
      done
    fi
  } | sha256sum | cut -d' ' -f1
}

is_current() {
  local file
  [ -f "$out/stamp" ] || return 1
  for file in "${products[@]}"; do
    [ -f "$out/$file" ] || return 1
  done
  [ "$(cat "$out/stamp")" = "$(inputs_hash)" ]
}

take_lock() {
  mkdir -p "$out"
  exec 9>"$out/lock"
  if ! flock -n 9; then
    say "waiting for another build"
    flock 9
  fi
}

make_work_directory() {
  # Ours is the lock, so what a killed build left behind is nobody's.
  rm -rf "$out"/work.*
  work=$(mktemp -d "$out/work.XXXXXX")
  trap 'rm -rf "$work" ${downloads:+"$downloads"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

main() {
  local given=no
  parse_options "$@"
  if [ "$kernel_deb" ]; then
    given=yes
    [ -f "$kernel_deb" ] || die "no such file: $kernel_deb"
    [ -f "$busybox_deb" ] || die "no such file: $busybox_deb"
  fi
  if { [ $given = yes ] || use_kept_packages; } && is_current; then
    return
  fi
  take_lock
  make_work_directory
  if [ $given = no ] && ! use_kept_packages; then
    fetch_packages
  fi
  is_current || build
}

main "$@"
