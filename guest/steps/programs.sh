# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The guest's own programs, for build.sh.

# Linked by gcc, and not by g++, they have nothing of C++'s own library. Paths are
# relative, so that none of this machine's gets into what is made.
readonly compile=(
  gcc -std=c++20 -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics
  -ffunction-sections "-Wl,--gc-sections,--build-id=none"
)

build_programs() { # INITRAMFS_TREE
  (
    cd "$here"
    "${compile[@]}" -static vsock/*.cpp -o "$1/bin/vsock"
    "${compile[@]}" -static microdroid/*.cpp vsock/stream.cpp \
      -o "$1/bin/microdroid"
    "${compile[@]}" -rdynamic launcher/launcher.cpp \
      -o "$1/bin/microdroid_launcher"
  )
  strip "$1/bin/vsock" "$1/bin/microdroid" "$1/bin/microdroid_launcher"
  copy_libraries "$1"
}

# What a program needs that is not static: this machine's C library, which is
# also what such a program was linked with.
copy_libraries() { # INITRAMFS_TREE
  mkdir -p "$1/lib64" "$1/lib/x86_64-linux-gnu"
  cp -L "$(gcc -print-file-name=ld-linux-x86-64.so.2)" "$1/lib64"
  cp -L "$(gcc -print-file-name=libc.so.6)" "$1/lib/x86_64-linux-gnu"
}
