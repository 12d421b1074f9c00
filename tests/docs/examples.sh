#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every example of the documents. What a fenced block is, its language says; what is done with it, a
# comment on the line before it:
#
#   <!-- example: run SETUP -->        it is run, after the function setup_SETUP below; of `console`
#                                      the output is compared, of `sh` the exit code
#   <!-- example: not run: REASON -->  it is not even read
#   <!-- example: FORMAT -->           of `json`: a format of crosvisor-document-check, or `data`
#
# Without one, the command lines of `sh` and `console` are read by the programs that they are for, JSON
# has to be one of the formats, and C has to compile. Other languages are no examples.
#
# Run as lib.sh says; CROSVISORD, CROSVISOR_PAGES and CROSVISOR_DOCUMENT_CHECK name programs,
# CROSVISOR_PLUGIN the nbdkit plugin.
# shellcheck disable=SC2016,SC2317 # Backticks are those of the pages; functions are called by name.
# shellcheck source-path=SCRIPTDIR source=../system/lib.sh
. "$(dirname "$0")/../system/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../system/daemon_lib.sh
. "$(dirname "$0")/../system/daemon_lib.sh"

need openssl cc nbdkit nbdinfo nbdcopy qemu-io
root=$(cd "$(dirname "$0")/../.." && pwd)
readonly root pages=$CROSVISOR_PAGES reader=$CROSVISOR_DOCUMENT_CHECK
ln -s "$crosvisor" bin/crosvisor
ln -s "$daemon" bin/crosvisord
# nbdkit looks for plugins where it was installed.
cat >bin/nbdkit <<END
#!/bin/bash
exec $(command -v nbdkit) "\${@/#composite/$CROSVISOR_PLUGIN}"
END
chmod +x bin/nbdkit
export PATH=$work/bin:$PATH
readonly daemon_socket=$CROSVISOR_CONNECT
unset CROSVISOR_CONNECT
declare -A counts=()
count() { counts[$1]=$((${counts[$1]:-0} + 1)); }

# -- what examples need ---------------------------------------------------------

# demo.json as the documents have it, and a guest that plays PARAMS.
write_demo() { # PARAMS
  echo kernel >vmlinux
  echo initrd >initramfs.cpio
  head -c 4096 /dev/zero >disk.img
  cat >demo.json <<END
{
  "name": "demo",
  "kernel": "vmlinux",
  "initrd": "initramfs.cpio",
  "params": "$1",
  "memory_mib": 128,
  "disks": [{"image": "disk.img", "format": "raw", "writable": false}]
}
END
}

setup_a_guest() { write_demo play=off; }

setup_a_misspelt_key() {
  printf '{\n  "name": "demo",\n  "kernel": "vmlinux",\n  "memory_mb": 128\n}\n' >broken.json
}

setup_nothing() { :; }

setup_a_composite_disk() {
  head -c 65536 /dev/urandom >boot.img
  head -c 65536 /dev/urandom >data.img
  crosvisor create-composite disk.img boot:boot.img data:data.img:writable 2>/dev/null
}

# A daemon with one VM, whose payload is ready. Those of later ones say nothing, so that it is certain
# what is told of them.
setup_some_vms() {
  ln -sf "$stand_ins/stand_in_talking_vsock" "$work/bin/vsock"
  export CROSVISOR_CONNECT=$daemon_socket
  write_demo play=up
  configure ''
  sed -i "s|\"programs\": {|&\"vsock_device\": \"$work/bin/vsock\", |" daemon.json
  start_daemon
  crosvisor run demo.json --detach >/dev/null 2>&1
  await "VM that is ready" is_in_state demo ready
  ln -sf "$stand_ins/crosvisor-vsock" "$work/bin/vsock"
}

# -- blocks ------------------------------------------------------------------------

# Writes each block of a page to a file N.LANGUAGE, N being the line before it, with its mark in N.mark.
extract() { # PAGE FOLDER
  awk -v folder="$2" '
    !in_block && /^ *```/ {
      language = $0
      gsub(/[` ]/, "", language)
      name = folder "/" NR
      print (last ~ /^<!-- example: .* -->$/ ? substr(last, 15, length(last) - 18) : "") >(name ".mark")
      file = name "." (language == "" ? "none" : language)
      printf "" >file
      in_block = 1
      next
    }
    in_block && /^ *```$/ { in_block = 0; close(file); close(name ".mark"); next }
    in_block { print >file; next }
    { last = $0 }' "$1"
}

# Names of people that this host need not have; a test has root.
as_here() { sed -E 's/"(alice|bob|dev|adm)"/"root"/g; s/\b(alice|bob)\b/root/g' "$@"; }

# What differs from one run to the next.
stable() {
  as_here | sed -E 's/[0-9a-f]{32}/WORD/g; s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/\b(kvm|tcg)\b/ACCEL/g
    s/\b[0-9]+(\.[0-9]+)?/N/g; s/\bN (s|min|h|d)\b/N s/g; s/ +/ /g; s/ $//'
}

# Whether the lines of ACTUAL are those of EXPECTED, in which a line of three points stands for any.
match() { # EXPECTED ACTUAL
  awk 'NR == FNR { expected[++wanted] = $0; next } { actual[++had] = $0 }
    END {
      at = 1
      for (i = 1; i <= wanted; ++i) {
        if (expected[i] == "…") { any = 1; continue }
        while (any && at <= had && actual[at] != expected[i]) ++at
        if (at > had || actual[at] != expected[i]) exit 1
        ++at
        any = 0
      }
      exit !(any || at > had)
    }' "$1" "$2"
}

run_console() { # FILE
  local line command=
  : >expected
  while IFS= read -r line; do
    if [[ $line != '$ '* ]]; then
      printf '%s\n' "$line" >>expected
      continue
    fi
    compare "$command"
    command=${line#'$ '}
    : >expected
  done <"$1"
  compare "$command"
}

compare() { # COMMAND
  [ -n "$1" ] || return
  count 'commands that were run'
  checks=$((checks + 1))
  timeout 60 bash -c "$1" >actual 2>&1 </dev/null
  stable <actual >actual.stable
  stable <expected >expected.stable
  match expected.stable actual.stable || failed "\`$1\` says
$(cat actual)
and should say something like
$(cat expected)"
}

# Without a terminal there is nobody who could choose a passphrase.
run_script() { # FILE
  count 'scripts that were run'
  checks=$((checks + 1))
  sed -E 's/^openssl req -x509/& -noenc/' "$1" >script
  timeout 60 bash -e script >actual 2>&1 </dev/null || failed "it fails:
$(cat actual)"
}

# The command lines of ours in a text, one in a line, as the shell would read them.
our_commands() { # FILE
  sed -E ':a; /\\$/ { N; s/\\\n//; ba }; s/^\$ //; s/(^|[ \t])#.*//' "$1" |
    sed -E 's/ *(\|\||&&|\||;|& *$) */\n/g' | sed -E 's/^ *(sudo (-u [a-z]+ )?)?//; s/ [0-9]?>.*//' |
    grep -E '^(\./dev|crosvisor|crosvisord|build/dev/cli/crosvisor|systemctl|journalctl)( |$)'
}

check_command() { # LINE
  local -a words
  local problem word
  count 'command lines that were read'
  checks=$((checks + 1))
  set -f
  eval "words=($1)"
  set +f
  case ${words[0]} in
    ./dev)
      "$root/dev" help | grep -qE "^  ${words[1]:-help}( |$)" || failed "\`$1\`: ./dev has no such command"
      ;;
    systemctl | journalctl)
      for word in "${words[@]}"; do
        [[ $word != crosvisor* ]] || compgen -G "$root/packaging/systemd/$word*" >/dev/null ||
          failed "\`$1\`: there is no unit $word"
      done
      ;;
    *)
      problem=$("$reader" command "${words[0]##*/}" "${words[@]:1}") || failed "\`$1\`: $problem"
      ;;
  esac
}

check_json() { # FILE MARK
  local format problem
  count 'configurations and other JSON that were read'
  checks=$((checks + 1))
  as_here "$1" >example.json
  for format in ${2:-vm daemon os app apexes data}; do
    problem=$("$reader" "$format" example.json) && break
  done
  if [ -z "$problem" ] && [ "$2" = daemon ] && [ -f server.pem ]; then
    # With the certificates that the page has just made.
    sed -i "s|/etc/crosvisor/|$PWD/|" example.json
    problem=$("$daemon" --config example.json --check 2>&1) && problem=
  fi
  [ -z "$problem" ] || failed "it is no ${2:-format that is known}: $problem"
}

check_c() { # FILE
  count 'pieces of C that were compiled'
  checks=$((checks + 1))
  {
    printf '#include <%s>\n' stdio.h sys/socket.h unistd.h linux/vm_sockets.h
    echo 'int main(void) {'
    cat "$1"
    echo 'return 0; }'
  } | cc -x c -Wall -Werror -fsyntax-only - 2>cc.txt || failed "it does not compile:
$(cat cc.txt)"
}

check_block() { # FILE MARK
  local line language=${1##*.}
  case $2 in
    'not run: '*)
      count 'blocks that are not run'
      echo "  not run: ${2#not run: }"
      return
      ;;
    'run '*)
      # Once a page, so that its blocks follow each other.
      [ -n "${ready[${2#run }]:-}" ] || "setup_${2#run }"
      ready[${2#run }]=1
      "run_$([ "$language" = console ] && echo console || echo script)" "$1"
      return
      ;;
  esac
  case $language in
    sh | console) while IFS= read -r line; do check_command "$line"; done < <(our_commands "$1") ;;
    json) check_json "$1" "$2" ;;
    c) check_c "$1" ;;
    none) failed "the block has no language" ;;
    *) count 'blocks that are no examples' ;;
  esac
}

check_page() { # PAGE
  local file folder
  declare -A ready=()
  begin "${1#"$root"/}"
  folder=$(mktemp -d -p "$work")
  extract "$1" "$folder"
  mkdir "$folder/run"
  cd "$folder/run" || exit 1
  export CROSVISOR_STATE_DIR=$folder/state CROSVISOR_RUNTIME_DIR=$folder/runtime
  while IFS= read -r file; do
    case_name="${1#"$root"/}:$(basename "${file%.*}")"
    check_block "$file" "$(cat "${file%.*}.mark")"
  done < <(find "$folder" -maxdepth 1 -type f ! -name '*.mark' | sort -V)
  cd "$work" || exit 1
  if [ -n "$daemon_pid" ]; then
    stop_daemon
    unset CROSVISOR_CONNECT
  fi
}

# -- all of them -------------------------------------------------------------------

for page in "$root"/README.md "$root"/CONTRIBUTING.md "$root"/docs/*.md "$root"/docs/decisions/*.md; do
  check_page "$page"
done

# With the examples of each --help.
"$pages" book "$root/docs" "$work/book" || failed "the book can't be made"
check_page "$work/book/pages/commands.md"

begin "the example of the daemon's configuration"
checks=$((checks + 1))
problem=$("$reader" daemon "$root/packaging/crosvisor.json") || failed "$problem"

# Commands that are named in a sentence, with the options that they are given there.
begin "commands in sentences"
known=$("$pages" options)
while IFS=: read -r page words; do
  read -ra parts <<<"$words"
  case_name=$page
  for word in "${parts[@]:2}"; do
    [[ $word == --[a-z]* ]] || continue
    checks=$((checks + 1))
    count 'options in sentences'
    grep -qxF -- "${parts[0]} ${parts[1]} ${word%%=*}" <<<"$known" || failed "\`$words\`: there is no such option"
  done
  checks=$((checks + 1))
  grep -qE -- "^${parts[0]} ${parts[1]}( |$)" <<<"$known" || failed "\`$words\`: there is no such command"
done < <(cd "$root" && grep -oE '`crosvisor [a-z][^`]*`' README.md docs/*.md | tr -d '`' | sort -u)

# What is said to test something does.
begin "tests in the table of threats"
# ctest itself would do away with the log of the one that runs this.
tests=$(find "$CROSVISOR_BUILD" -name CTestTestfile.cmake -exec sed -nE 's/^add_test\(\[=\[([^]]+)\]=\].*/\1/p' {} +)
while IFS= read -r name; do
  checks=$((checks + 1))
  grep -qxF -- "$name" <<<"$tests" || failed "there is no test $name"
done < <(awk -F '|' 'NF > 4 { print $4 }' "$root/docs/security.md" | grep -oE '`[a-z_]+\.[a-z_.]+`' | tr -d '`' | sort -u)

for what in "${!counts[@]}"; do
  echo "$what: ${counts[$what]}"
done | sort
finish
