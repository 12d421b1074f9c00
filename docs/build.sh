#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the book and checks that every link in it leads somewhere.
#
#   build.sh PAGES OUT: crosvisor-pages, and the folder for the book, of which pages/ and site/ are
#   made anew
set -euo pipefail
readonly pages=$1 out=$2
docs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly docs

command -v mkdocs >/dev/null || {
  echo "there is no mkdocs; \`./dev setup judges\` installs it" >&2
  exit 1
}

mkdir -p "$out"
rm -rf "$out/pages" "$out/site"
"$pages" book "$docs" "$out"
mkdocs build --quiet --strict -f "$out/mkdocs.yml"
cd "$out/site"

# Every place that a link can lead to, as FILE#ID.
declare -A places=()
while IFS= read -r place; do
  places[$place]=1
done < <(grep -orE --include='*.html' ' id="[^"]+"' . | sed -E 's|^\./||; s/: id="(.*)"$/#\1/')

bad=0 seen=0
complain() { # PAGE LINK
  bad=$((bad + 1))
  echo "$1: a link to \"$2\", which is not there" >&2
}

# A path without its `..`.
plain() { # PATH
  local path=$1
  while [[ $path =~ ^(.*/)?[^/]+/\.\./(.*)$ ]] && [[ ${BASH_REMATCH[0]} != ../* ]]; do
    path=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  done
  echo "$path"
}

while IFS=: read -r page link; do
  seen=$((seen + 1))
  folder=${page%"${page##*/}"}
  file=${link%%#*} id=
  [[ $link != *'#'* ]] || id=${link#*#}
  case $file in
    '') target=$page ;;
    *../*) target=$(plain "$folder$file") ;;
    .) target=${folder}index.html ;;
    *) target=$folder$file ;;
  esac
  if [ ! -f "$target" ] || { [ -n "$id" ] && [ -z "${places[$target#$id]:-}" ]; }; then
    complain "$page" "$link"
  fi
done < <(grep -orE --include='*.html' 'href="[^"]+"' . | sed -E 's|^\./||; s/:href="(.*)"$/:\1/' |
  grep -vE ':(https?:|mailto:)|:#$|^404\.html' | sort -u)

echo "$seen links, $bad of them bad; the book is $out/site/index.html"
[ "$bad" = 0 ] && [ "$seen" -gt 100 ]
