#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual pages, held against groff and against what the programs know.
#
#   manual.sh CROSVISOR PAGES CHECK FOLDER: the program, crosvisor-pages, crosvisor-document-check,
#   and where the pages are.
set -uo pipefail
shopt -s nullglob
readonly crosvisor=$1 pages=$2 folder=$4
export LC_ALL=C.UTF-8
checks=0
failures=0

failed() { # WHAT
  failures=$((failures + 1))
  echo "FAILED: $1" >&2
}

command -v man >/dev/null || {
  echo "there is no man; \`./dev setup\` installs it" >&2
  exit 1
}

# One line a paragraph, so that words are not parted.
shown() { # PAGE
  MANWIDTH=10000 MAN_KEEP_FORMATTING='' man -E UTF-8 -P cat -l "$folder/$1.gz" 2>/dev/null
}

for page in crosvisor.1 crosvisor-vm.json.5 nbdkit-composite-plugin.1 crosvisord.8 crosvisor.json.5 crosvisor-vsock.8; do
  checks=$((checks + 1))
  said=$(MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$folder/$page.gz" 2>&1 >/dev/null) ||
    failed "man can't show $page"
  [ -z "$said" ] || failed "of $page, man says $said"
  # What apropos(1) finds.
  name=$(lexgrog "$folder/$page.gz")
  [[ $name == *"\"${page%.[0-9]} - "* ]] || failed "$page has the name $name"
done

# The page has each command as --help lists them, and with each of its options.
page=$(shown crosvisor.1)
while IFS= read -r command; do
  checks=$((checks + 1))
  grep -qE "^ +crosvisor $command( |$)" <<<"$page" || failed "crosvisor.1 lacks the command $command"
done < <("$crosvisor" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')

# What stands under a command's heading, and after it what stands under that of all.
section_of() { # HEADING
  awk -v heading="   $1" '$0 == heading { on = 1; next } /^   [^ ]/ || /^[^ ]/ { on = 0 } on' <<<"$page"
}

shared=$(section_of "Options of most commands")
daemon_page=$(shown crosvisord.8)
known=$("$pages" options)
in_page=
while read -r program words; do
  if [[ $words != *--* ]]; then
    in_page=$(section_of "crosvisor $words")
    others=$(sed -nE 's/^ *And all options of (crosvisor [a-z-]+)\.$/\1/p' <<<"$in_page")
    in_page+=$'\n'$shared$'\n'${others:+$(section_of "$others")}
    continue
  fi
  checks=$((checks + 1))
  option=--${words##*--}
  if [ "$program" = crosvisord ]; then
    grep -qE "^ +$option( |$)" <<<"$daemon_page" || failed "crosvisord.8 lacks $option"
  else
    grep -qE "^ +(-., )?$option( |$)" <<<"$in_page" || failed "crosvisor.1 lacks $words"
  fi
done <<<"$known"

# The other way round: each option that a page defines is a program's.
while IFS= read -r option; do
  checks=$((checks + 1))
  grep -qE -- "^[^ ]+ .*$option\$|^crosvisord $option\$" <<<"$known" ||
    [[ $option == --help || $option == --version ]] || failed "no program has $option"
done < <(printf '%s\n' "$page" "$daemon_page" | sed -nE 's/^ {7}(-., )?(--[a-z-]+).*/\2/p' | sort -u)

echo "checks: $checks, failed: $failures"
[ "$failures" = 0 ] && [ "$checks" -gt 100 ]
