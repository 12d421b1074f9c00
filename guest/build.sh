#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the demo guest from Debian's packages and our own program that speaks
# vsock: kernel, initramfs, disk, configurations.
set -euo pipefail
export LC_ALL=C
umask 022

# Loaded at start, in this order, each behind the modules that it depends on.
readonly modules=(
  virtio_pci virtio_mmio virtio_console virtio_blk virtio_balloon virtio-rng
  button evdev pvpanic pvpanic-pci pvpanic-mmio
  vsock vmw_vsock_virtio_transport
)
readonly meta_package=linux-image-cloud-amd64

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(dirname "$here")/build/guest
debs=
kernel_deb=
busybox_deb=
update=no
work=
downloads=

usage() {
  cat <<'END'
usage: guest/build.sh [--out DIR] [--debs DIR] [--update]
                      [--kernel FILE.deb --busybox FILE.deb]

Makes in DIR (build/guest): vmlinux, initramfs.cpio, disk.raw, and the VM
configurations demo.json, tick.json (which runs until it is stopped), serve.json
(which serves vsock ports until then) and exit.json (whose payload exits 7).
Does nothing when they are there already, made from the same packages by the
same sources and compiler. Needs no root, mounts nothing.

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

# -- packages ------------------------------------------------------------------

# Sets kernel_deb and busybox_deb from the packages kept by an earlier build.
use_kept_packages() {
  local names
  [ "$update" = no ] && [ -f "$debs/current" ] || return 1
  mapfile -t names <"$debs/current"
  kernel_deb=$debs/${names[0]}
  busybox_deb=$debs/${names[1]}
  [ -f "$kernel_deb" ] && [ -f "$busybox_deb" ]
}

# Package lists of our own: fresh ones without root and without touching the
# system's.
make_private_lists() {
  say "fetching package lists"
  mkdir -p "$downloads/lists/partial" "$downloads/cache/archives/partial"
  apt_options+=(
    -o "Dir::State::lists=$downloads/lists" -o "Dir::Cache=$downloads/cache"
    -o "Debug::NoLocking=1"
  )
  apt-get "${apt_options[@]}" -qq update >&2
}

kernel_package() {
  apt-cache "${apt_options[@]}" show --no-all-versions "$meta_package" \
    2>/dev/null |
    sed -n 's/^Depends:.*\(linux-image-[^ ,]*-cloud-amd64\).*/\1/p'
}

download() {
  local package
  package=$(kernel_package)
  [ "$package" ] || return 1
  say "downloading $package and busybox-static"
  (
    cd "$downloads"
    rm -f -- *.deb
    apt-get "${apt_options[@]}" -qq download "$package" busybox-static
  ) >&2
}

fetch_packages() {
  local apt_options=()
  command -v apt-get >/dev/null ||
    die "no apt-get here; give Debian's packages by --kernel and --busybox"
  downloads=$(mktemp -d)
  # Apt drops root while it downloads, and must reach the place then.
  if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$downloads"
  fi
  # Lists may be missing, as in containers, or too old for what the mirror has.
  if ! download 2>"$work/apt.log"; then
    make_private_lists
    download || die "can't download $meta_package and busybox-static"
  else
    cat "$work/apt.log" >&2
  fi
  keep_packages
}

keep_packages() {
  local kernel busybox
  kernel=$(cd "$downloads" && echo linux-image-*.deb)
  busybox=$(cd "$downloads" && echo busybox-static*.deb)
  mkdir -p "$debs"
  rm -f "$debs/current" "$debs"/*.deb
  cp "$downloads/$kernel" "$downloads/$busybox" "$debs"
  printf '%s\n' "$kernel" "$busybox" >"$debs/current.new"
  mv "$debs/current.new" "$debs/current"
  kernel_deb=$debs/$kernel
  busybox_deb=$debs/$busybox
}

# -- kernel --------------------------------------------------------------------

number_at() { # FILE OFFSET BYTES
  od -An -v -tu"$3" -j"$2" -N"$3" "$1" | tr -d ' '
}

# A bzImage holds the compressed ELF kernel where its setup header says, ended
# by four bytes of its uncompressed size (Documentation/arch/x86/boot.rst).
# Booting the ELF spares the guest the unpacking, which is slow in emulation.
extract_vmlinux() { # BZIMAGE OUTPUT
  local offset length magic unpack size
  [ "$(number_at "$1" $((0x202)) 2)" -ge $((0x208)) ] ||
    die "$1 is no bzImage of boot protocol 2.08 or later"
  offset=$((($(number_at "$1" $((0x1f1)) 1) + 1) * 512 + \
    $(number_at "$1" $((0x248)) 4)))
  length=$(number_at "$1" $((0x24c)) 4)
  magic=$(od -An -v -tx1 -j"$offset" -N4 "$1" | tr -d ' ')
  case $magic in
    02214c18) unpack=lz4 ;;
    28b52ffd) unpack=zstd ;;
    fd377a58) unpack=xz ;;
    1f8b*) unpack=gzip ;;
    *) die "$1 is packed in an unknown way (magic $magic)" ;;
  esac
  need "$unpack"
  part_of "$1" "$offset" $((length - 4)) | "$unpack" -dc >"$2" ||
    die "can't unpack $1 with $unpack"
  size=$(number_at "$1" $((offset + length - 4)) 4)
  [ "$(stat -c %s "$2")" = "$size" ] ||
    die "$1 unpacks to $(stat -c %s "$2") bytes instead of $size"
  [ "$(od -An -v -tx1 -N4 "$2" | tr -d ' ')" = 7f454c46 ] ||
    die "$1 holds no ELF kernel"
}

part_of() { # FILE OFFSET LENGTH
  dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count="$3" bs=1M \
    status=none
}

# -- modules -------------------------------------------------------------------

declare -A module_file module_state
module_order=()

# Kernel files spell names with - or _, dependencies always with _.
find_modules() { # MODULE_TREE
  local file name
  while IFS= read -r file; do
    name=${file##*/}
    name=${name%%.ko*}
    module_file[${name//-/_}]=$file
  done < <(find "$1/kernel" -name '*.ko' -o -name '*.ko.xz' | sort)
  while IFS= read -r file; do
    name=${file##*/}
    name=${name%.ko}
    module_state[${name//-/_}]=built-in
  done <"$1/modules.builtin"
}

# Appends to module_order what the module needs, then the module, each once.
# "!name" stands for a module that the kernel's package lacks.
add_module() { # NAME TARGET_DIRECTORY
  local name=${1//-/_} needed
  [ -z "${module_state[$name]:-}" ] || return 0
  module_state[$name]=added
  if [ -z "${module_file[$name]:-}" ]; then
    say "the kernel has no module $name"
    module_order+=("!$name")
    return
  fi
  case ${module_file[$name]} in
    *.xz) xz -dc "${module_file[$name]}" >"$2/$name.ko" ;;
    *) cp "${module_file[$name]}" "$2/$name.ko" ;;
  esac
  for needed in $(dependencies "$2/$name.ko"); do
    add_module "$needed" "$2"
  done
  # Type information costs time to load, and nobody reads it.
  strip --strip-debug --remove-section=.BTF "$2/$name.ko"
  module_order+=("$name")
}

dependencies() { # MODULE_FILE
  objcopy -O binary -j .modinfo "$1" "$work/modinfo"
  tr '\0' '\n' <"$work/modinfo" | sed -n 's/^depends=//p' | tr ',' ' '
}

# -- program -------------------------------------------------------------------

# Linked by gcc, and not by g++, it has nothing of C++'s own library.
build_program() { # OUTPUT
  local options=(
    -std=c++20 -Os -static -fno-exceptions -fno-rtti -fno-threadsafe-statics
    -ffunction-sections "-Wl,--gc-sections,--build-id=none"
  )
  (cd "$here/vsock" && gcc "${options[@]}" ./*.cpp -o "$1")
  strip "$1"
}

# -- image ---------------------------------------------------------------------

build_initramfs() { # KERNEL_TREE BUSYBOX_TREE OUTPUT
  local tree=$work/initramfs kernel_modules=("$1"/{usr/,}lib/modules/*) busybox
  local name
  for name in "${!kernel_modules[@]}"; do
    [ -d "${kernel_modules[name]}" ] || unset "kernel_modules[name]"
  done
  [ ${#kernel_modules[@]} = 1 ] || die "the kernel package has no modules"
  mkdir -p "$tree"/{bin,dev,proc,sys,lib/modules}
  busybox=$(find "$2" -name busybox -type f -perm /111 | head -n 1)
  [ "$busybox" ] || die "the busybox package has no busybox"
  cp "$busybox" "$tree/bin/busybox"
  cp "$here/init" "$tree/init"
  build_program "$tree/bin/vsock"

  find_modules "${kernel_modules[@]}"
  for name in "${modules[@]}"; do
    add_module "$name" "$tree/lib/modules"
  done
  printf '%s\n' "${module_order[@]}" >"$tree/lib/modules/order"

  find "$tree" -type f -exec chmod 644 {} +
  chmod 755 "$tree/bin/busybox" "$tree/bin/vsock" "$tree/init"
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
)

build() {
  local began=$SECONDS new=$work/new file
  for file in cpio dpkg-deb g++ objcopy strip xz; do
    need "$file"
  done
  say "building from $(basename "$kernel_deb")"
  mkdir "$new"
  dpkg-deb -x "$kernel_deb" "$work/kernel"
  dpkg-deb -x "$busybox_deb" "$work/busybox"
  extract_vmlinux "$(echo "$work/kernel/boot/vmlinuz-"*)" "$new/vmlinux"
  build_initramfs "$work/kernel" "$work/busybox" "$new/initramfs.cpio"
  write_demo "$new"

  # The stamp goes first and comes last: without it there is no guest.
  rm -f "$out/stamp"
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
  {
    if [ "$(dirname "$kernel_deb")" = "$debs" ]; then
      stat -c '%n %s' "$kernel_deb" "$busybox_deb" | sed 's:.*/::'
    else
      sha256sum "$kernel_deb" "$busybox_deb" | cut -d' ' -f1
    fi
    sha256sum "$here/build.sh" "$here/init" "$here/vsock"/* | cut -d' ' -f1
    if command -v gcc >/dev/null; then
      gcc -dumpfullversion
      sha256sum <"$(gcc -print-file-name=libc.a)"
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
