# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of crosvisor for bash. What may come next is the program's own word.
_crosvisor() {
  local word=${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  # bash has an equals sign as a word of its own, which is none to complete.
  [ "$word" != = ] || word=
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
    else
      COMPREPLY+=("${line%%$'\t'*}")
    fi
  done < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _crosvisor crosvisor
