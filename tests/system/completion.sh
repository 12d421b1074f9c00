#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Completion as shells have it, each with a daemon that has a VM, and without one.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need zsh fish
scripts=$(cd "$(dirname "$0")/../../packaging/completion" && pwd)
readonly scripts
ln -s "$crosvisor" bin/crosvisor
export PATH=$work/bin:$PATH HOME=$work TERM=dumb

# What each shell offers for the last of the words, one a line.
offer_bash() { # WORD...
  bash --norc -c '. "$1"; shift; COMP_WORDS=(crosvisor "$@") COMP_CWORD=$#; _crosvisor crosvisor
    printf "%s\n" "${COMPREPLY[@]}"' bash "$scripts/crosvisor.bash" "$@"
}

offer_fish() { # WORD...
  fish --no-config -c "source $scripts/crosvisor.fish; complete -C 'crosvisor $*'" | cut -f 1
}

# zsh completes on a terminal alone: what the line becomes with a tab behind the words, once it is
# like PATTERN.
zsh_line() { # PATTERN WORD...
  # shellcheck disable=SC2016 # It is zsh's.
  timeout 20 zsh -f -c 'zmodload zsh/zpty || exit 1
    zpty z "COLUMNS=200 zsh -f -i"
    zpty -w z "PS1=\"READY> \"; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; print O\"\"K"
    zpty -r -m z out $'"'*OK\\r\\n*READY> *'"'
    zpty -w -n z "crosvisor ${(j: :)@[3,-1]}"$'"'\\t'"'
    zpty -r -m z out "$2" && print matched' zsh "$scripts" "$@"
}

begin "without a daemon, commands and options are offered, and no VM"
equal "bash" "$(offer_bash inf)" info
equal "bash" "$(offer_bash list --out)" --output
equal "bash" "$(offer_bash list --output = js)" $'json\njsonl'
equal "bash" "$(offer_bash create-partition data.img 10M -t e)" encryptedstore
equal "bash" "$(offer_bash stop '')" ""
equal "fish" "$(offer_fish inf)" info
equal "fish" "$(offer_fish list --output=ta)" --output=table
equal "zsh" "$(zsh_line '*inf*o *' inf)" matched
equal "standard error" "$("$crosvisor" __complete stop '' 2>&1)" ""

begin "files are offered where files are meant"
play 'linger'
equal "bash" "$(offer_bash run --detach vm.)" vm.json
equal "fish" "$(offer_fish run --detach vm.)" vm.json
equal "zsh" "$(zsh_line '*vm*json *' run --detach vm.)" matched

begin "VMs are offered by name and CID"
configure ''
start_daemon
call run vm.json --detach
cid=$(cat out.txt)
equal "bash" "$(offer_bash stop a)" actor
equal "bash" "$(offer_bash watch '')" "actor
$cid"
equal "bash, of another daemon" "$(offer_bash --connect unix:/nowhere watch '')" ""
equal "bash, of another daemon" "$(offer_bash watch --connect unix:/nowhere '')" ""
equal "fish" "$(offer_fish stop a)" actor
equal "zsh" "$(zsh_line '*stop a*ctor *' stop a)" matched

begin "an answer takes no longer than a person notices"
bound=50000
# What a sanitizer adds to every start is no part of the program.
! grep -q __asan_init "$crosvisor" || bound=2000000
times=()
for _ in {1..20}; do
  began=${EPOCHREALTIME/[.,]/}
  "$crosvisor" __complete stop '' >/dev/null
  times+=($((${EPOCHREALTIME/[.,]/} - began)))
done
mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
echo "the fastest of twenty took ${times[0]} us"
check "the fastest of twenty takes less than $bound us" [ "${times[0]}" -lt $bound ]

begin "who may list nothing is offered nothing"
if [ "$(id -u)" = 0 ]; then
  as $alice __complete stop ''
  equal "standard output" "$out" ""
  equal "standard error" "$err" ""
  equal "the exit code" "$status" 0
fi

stop_daemon
finish
