#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The keys of each configuration, and the names of events, states and reasons, that the programs know,
# and those that the documents have.
#
#   keys.sh CHECK SOURCE: crosvisor-document-check, and the folder of the sources
# shellcheck disable=SC2016 # Backticks are those of the pages.
set -uo pipefail
readonly check=$1 source=$2
checks=0
failures=0

# A table's cells in one column, of a page's section, with the keys of objects that the row shows.
cells() { # PAGE HEADING COLUMN
  sed 's/\\|/ or /g' "$source/docs/$1" | awk -v heading="$2" -v column="$3" -F '|' '
    /^#/ { on = ($0 == heading) }
    on && /^\| / {
      print $(column + 1)
      # Keys of an object that is shown in the row.
      if (!match($(column + 1), /`[a-z_.\[\]]+`/)) next
      name = substr($(column + 1), RSTART + 1, RLENGTH - 2)
      for (rest = $0; match(rest, /"[a-z_]+":/); rest = substr(rest, RSTART + RLENGTH))
        print "`" name "." substr(rest, RSTART + 1, RLENGTH - 3) "`"
    }'
}

# The keys in cells: `a.b`, `.c` is two, a.b and a.c; P is each permission, `x.*` none.
keys_in() {
  grep -oE '`[^`]*`' | tr -d '`' | awk '
    /^\.[a-z]/ { key = last; sub(/\.[a-z_]+$/, "", key); $0 = key $0 }
    /^[a-z_]+(\[\])?(\.([a-z_]+|P)(\[\])?)*$/ {
      last = $0
      if ($0 !~ /\.P\./) { print; next }
      for (i = split("manage debug custom", words, " "); i > 0; --i) {
        key = $0
        sub(/\.P\./, "." words[i] ".", key)
        print key
      }
    }'
}

in_backticks() { grep -oE '`[a-z_]+`' | tr -d '`'; }
paragraph() { sed -n "/^$2/,/^\$/p" "$source/docs/$1"; } # PAGE BEGINNING

# What a program could know is in its sources between quotation marks.
known() { # FORMAT FOLDER...
  local format=$1
  shift
  grep -rohE --include='*.cpp' '"[a-z_]+"' "$@" | tr -d '"' | sort -u | "$check" keys "$format"
}

# The objects and lists that keys are in, which may be documented as such, too.
containers() {
  awk -F . '{
    path = ""
    for (i = 1; i < NF; ++i) {
      path = path (i > 1 ? "." : "") $i
      name = path
      sub(/\[\]$/, "", name)
      print name
    }
  }'
}

agree() { # WHAT KNOWN DOCUMENTED
  local key documented
  documented=$(grep -vxF -f <(containers <<<"$2" | grep -vxF "$2") <<<"$3")
  while IFS= read -r key; do
    checks=$((checks + 1))
    failures=$((failures + 1))
    echo "FAILED: $1: $key" >&2
  done < <(comm -3 <(sort -u <<<"$2") <(sort -u <<<"$documented") | sed 's/^\t\(.*\)/\1, which no program knows/; t; s/$/ is not documented/')
  checks=$((checks + $(sort -u <<<"$2" | wc -l)))
}

daemon_keys=$({
  cells daemon.md '## Configuration' 1
  cells daemon.md '### Bounds' 2
} | keys_in)
agree crosvisor.json "$(known daemon "$source/service/daemon")" "$daemon_keys"

vm_keys=$(cells configuration.md '## The file' 1 | keys_in)
# Those of Android's are in a paragraph of their own.
android_keys=$(paragraph configuration.md 'Keys of Android' | in_backticks |
  grep -E '^(platform_version|cpu_topology|console_input_device|devices|usb_config|num_cpus|cpu_affinity)$')
known_by_vm=$(known vm "$source/io/config" | sed 's/^usb_config\..*/usb_config/')
agree "a VM's configuration" "$known_by_vm" "$vm_keys
$android_keys"

# An operating system's has those of a VM's, too.
os_keys=$(cells apps.md '## Operating systems' 1 | keys_in)
agree "an operating system's definition" "$(known os "$source/io/config" "$source/io/payload" | sed 's/^usb_config\..*/usb_config/')" \
  "$(printf '%s\n' "$known_by_vm" "$os_keys")"

agree "an event" "$("$check" names events)" \
  "$(paragraph configuration.md 'Events: ' | sed 's/Fields besides.*//' | in_backticks)"
agree "a reason" "$("$check" names reasons)" \
  "$(cells configuration.md '### Reasons of a death' 1 | in_backticks)"
agree "a state" "$("$check" names states)" "$(paragraph concepts.md '\*\*State.\*\*' | in_backticks)"

# Figures are in a table of their own sources.
agree "a figure" "$(grep -oE '^    \{"[a-z]+"' "$source/bench/figure.cpp" | tr -dc 'a-z\n')" \
  "$(cells benchmarks.md '## What is measured' 1 | in_backticks)"

echo "checks: $checks, failed: $failures"
[ "$failures" = 0 ] && [ "$checks" -gt 100 ]
