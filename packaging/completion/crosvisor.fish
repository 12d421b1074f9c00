# SPDX-License-Identifier: Apache-2.0
# Completion of crosvisor for fish. What may come next is the program's own word.
function __crosvisor_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] $word 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path $word
        else
            echo $line
        end
    end
end
complete -c crosvisor -f -a '(__crosvisor_complete)'
