#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is installed, as an application has it: both examples are copied out of the installation,
# built against it and run, one with the service in its own process, one against a daemon of this
# host's and from another host. CROSVISOR_BUILD names the build that is installed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# A debug build is too large for a /tmp that is memory.
readonly build=${CROSVISOR_BUILD:?names the build folder}
scratch=$build/tests/installed
readonly scratch prefix=$scratch/prefix
rm -rf "$scratch"
mkdir -p "$scratch"
CROSVISORD=$prefix/bin/crosvisord
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"
need cmake ninja
# shellcheck disable=SC2317 # The trap calls it.
end_installation() {
  end_all
  rm -rf "$scratch"
}
trap end_installation EXIT

if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$scratch CCACHE_NOHASHDIR=1
fi

begin "the installation"
for component in cli daemon dev; do
  check "$component is installed" cmake --install "$build" --prefix "$prefix" \
    --component $component >install.txt
done
for file in bin/crosvisor bin/crosvisord libexec/crosvisor/crosvisor-keeper \
  libexec/crosvisor/crosvisor-vsock include/crosvisor/crosvisor.hpp; do
  check "$file is there" [ -f "$prefix/$file" ]
done

# Away from the sources, with warnings as a strict application has them.
built() { # NAME
  cp -r "$prefix/share/doc/libcrosvisor-dev/examples/$1" "$scratch/$1" \
    && cmake -S "$scratch/$1" -B "$scratch/$1/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
      -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
      -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror $CXXFLAGS" \
    && cmake --build "$scratch/$1/build" && cmake --install "$scratch/$1/build"
}

begin "the examples are built"
for example in embed remote; do
  built $example >build.txt 2>&1 || {
    cat build.txt >&2
    failed "$example can't be built"
    finish
  }
  check "crosvisor-$example is there" [ -x "$prefix/bin/crosvisor-$example" ]
done

# Runs one of them. Sets status, out and err.
example() { # COMMAND...
  "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}

begin "the service in an application"
play 'play=off'
example "$prefix/bin/crosvisor-embed" vm.json
equal "the exit code" "$status" 0
equal "standard error" "$err" "vm CID created
vm CID starting
vm CID started
vm CID dead: shutdown"
nothing_left
play 'play=exit:3'
example "$prefix/bin/crosvisor-embed" vm.json
equal "the exit code of a VM that does not start" "$status" 1
like "standard error" "$err" "*
vm CID dead: start_failed*"
nothing_left
example "$prefix/bin/crosvisor-embed" none.json
equal "the exit code without a configuration" "$status" 1
like "standard error" "$err" "crosvisor-embed: *none.json*"

begin "a daemon of this host's"
start_daemon
play 'play=up'
example "$prefix/bin/crosvisor-remote" "$local_socket" create vm.json 1
equal "the exit code" "$status" 0
like "standard error" "$err" "*vm CID started
vm CID stopping
*vm CID dead: *"
example "$prefix/bin/crosvisor-remote" "unix:$work/nobody.sock" create vm.json 1
equal "the exit code without a daemon" "$status" 1
like "standard error" "$err" "crosvisor-remote: *nobody.sock*"

begin "from another host"
call run --detach --name kept vm.json
call pass kept
word=$out
far_example=(on "$far" env CROSVISOR_CA="$work/pki/ca.pem" CROSVISOR_CERTIFICATE="$work/pki/client.pem"
  CROSVISOR_KEY="$work/pki/client.key" "$prefix/bin/crosvisor-remote" tls://192.0.2.1:7443)
example "${far_example[@]}" take "$word" 1
equal "the exit code" "$status" 0
like "standard error" "$err" "*vm CID stopping
*vm CID dead: *"
example "${far_example[@]}" take "$word" 1
equal "the exit code of a word that was taken" "$status" 1
like "standard error" "$err" "crosvisor-remote: *"
stop_daemon
equal "the daemon's exit code" "$status" 0

begin "a real guest in an application, and by a daemon"
use_real_qemu
example "$prefix/bin/crosvisor-embed" "$guest/demo.json"
equal "the exit code" "$status" 0
like "its payload's words" "$out" "Hello from the payload: Linux *"
like "its last words" "$err" "*
vm CID dead: shutdown"
nothing_left
start_daemon
example "$prefix/bin/crosvisor-remote" "$local_socket" create "$guest/demo.json" 60
equal "the exit code" "$status" 0
like "its payload's words" "$out" "Hello from the payload: Linux *"

begin "a port of a real guest's, from another host"
call run --detach --name server "$guest/serve.json"
await "ready guest" is_in_state server ready
call pass server
example "${far_example[@]}" say "$out" 7001 "there and back"
equal "the exit code" "$status" 0
equal "what comes back" "$out" "there and back"
call pass server
example "${far_example[@]}" say "$out" 9 "nobody there"
equal "the exit code of a port that nobody listens at" "$status" 1
like "standard error" "$err" "crosvisor-remote: *"
stop_daemon
equal "the daemon's exit code" "$status" 0
finish
