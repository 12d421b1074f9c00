# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of stored images have in common; read after two_hosts_lib.sh.
# shellcheck disable=SC2034,SC2154 # Of use to those who read this file, or theirs and the others'.

need sha256sum cmp
sed -i 's|"references"|"images": {"per_user": 5, "mib_per_user": 16}, &|; s|"manage": {|"custom": {"subjects": ["CN=client"]}, &|' daemon.json
head -c 3145745 /dev/urandom >disk.img
sum=$(sha256sum <disk.img | cut -d' ' -f1)
mkfifo gate.pipe

# Starts the daemon with the piece that it writes so many times paused until open_gate.
start_paused() { # COUNT
  rm -f points.log
  CROSVISOR_FAILPOINTS=put_piece=pause:$1 CROSVISOR_FAILPOINT_LOG=$work/points.log \
    CROSVISOR_FAILPOINT_GATE=$work/gate.pipe start_daemon
}
# shellcheck disable=SC2317 # `await` calls it.
is_paused() { grep -q put_piece points.log 2>/dev/null; }
open_gate() { : >gate.pipe; }

# Pushes from the other host, without waiting for its end. Sets pusher.
begin_push() { # ARGUMENT...
  "${far_client[@]}" image push "$@" >push.out 2>push.err </dev/null &
  pusher=$!
}
end_push() {
  wait "$pusher"
  status=$?
  err=$(<push.err)
}
link() { on "$near" ip link set crosvisor-near "$1"; } # up|down
