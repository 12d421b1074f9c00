# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The demo app's AndroidManifest.xml, for build.sh: signers and verifiers want
# one, in Android's binary form (ResourceTypes.h in AOSP's libs/androidfw).
#
#   <manifest package="..."><uses-sdk android:minSdkVersion="30"/></manifest>

# Numbers, little-endian.
words() { # BYTES NUMBER...
  local number shift
  for number in "${@:2}"; do
    for ((shift = 0; shift < 8 * $1; shift += 8)); do
      # shellcheck disable=SC2059 # It becomes a byte.
      printf "\\x$(printf %02x $((number >> shift & 255)))"
    done
  done
}

# What comes in, behind a header of the given size.
chunk() { # TYPE HEADER_BYTES
  cat >"$work/chunk"
  words 2 "$1" "$2"
  words 4 $((8 + $(stat -c %s "$work/chunk")))
  cat "$work/chunk"
}

string_pool() { # STRING...
  local string offsets=() data=0
  for string in "$@"; do
    offsets+=("$data")
    data=$((data + ${#string} + 3))
  done
  {
    words 4 $# 0 $((0x100)) $((28 + 4 * $#)) 0 "${offsets[@]}"
    for string in "$@"; do
      words 1 ${#string} ${#string}
      printf '%s\0' "$string"
    done
    head -c $(((4 - data % 4) % 4)) /dev/zero
  } | chunk 1 28
}

# An element with one attribute. Strings are given by their numbers.
start_element() { # NAME ATTRIBUTE_NAMESPACE ATTRIBUTE TEXT TYPE VALUE
  {
    words 4 1 -1 -1 "$1"
    words 2 20 20 1 0 0 0
    words 4 "$2" "$3" "$4"
    words 2 8
    words 1 0 "$5"
    words 4 "$6"
  } | chunk $((0x102)) 16
}

end_element() { # NAME
  words 4 1 -1 -1 "$1" | chunk $((0x103)) 16
}

write_manifest() { # FILE PACKAGE
  local none=-1 text=3 decimal=16
  {
    string_pool minSdkVersion manifest package "$2" uses-sdk \
      http://schemas.android.com/apk/res/android
    words 4 $((0x0101020c)) | chunk $((0x180)) 8
    start_element 1 $none 2 3 $text 3
    start_element 4 5 0 $none $decimal 30
    end_element 4
    end_element 1
  } >"$work/manifest"
  chunk 3 8 <"$work/manifest" >"$1"
}
