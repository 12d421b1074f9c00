# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The kernel and its modules out of Debian's package, for build.sh.

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

# The modules, and those that they need, in the order in which they are loaded;
# what is in an earlier list is not repeated.
add_modules() { # TARGET_DIRECTORY LIST MODULE...
  local name
  module_order=()
  for name in "${@:3}"; do
    add_module "$name" "$1"
  done
  printf '%s\n' "${module_order[@]}" >"$1/$2"
}

dependencies() { # MODULE_FILE
  objcopy -O binary -j .modinfo "$1" "$work/modinfo"
  tr '\0' '\n' <"$work/modinfo" | sed -n 's/^depends=//p' | tr ',' ' '
}
