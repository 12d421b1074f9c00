# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Two hosts, which are two network namespaces: `near` has a daemon with TLS, `far` its client. Read
# after daemon_lib.sh.
# shellcheck disable=SC2154 # lib.sh and daemon_lib.sh set it.

need ip nsenter unshare
readonly certificates=${CROSVISOR_TEST_CERTIFICATES:?names the program}

# A network namespace lives as long as the process that was started in it.
unshare --net -- sleep 600 &
far=$!
unshare --net -- sleep 600 &
near=$!
# shellcheck disable=SC2317 # The trap calls it.
end_all() {
  kill "$far" "$near" 2>/dev/null
  end_daemon
}
trap end_all EXIT
own_net=$(readlink /proc/self/ns/net)
# shellcheck disable=SC2317 # `await` calls it.
own_is_left() { [ "$(readlink "/proc/$1/ns/net")" != "$own_net" ]; }
mkfifo ready.pipe
await "namespace" own_is_left "$far"
await "namespace" own_is_left "$near"
on() { # PID COMMAND...
  nsenter --net="/proc/$1/ns/net" -- "${@:2}"
}
ip link add crosvisor-near netns "$near" type veth peer name crosvisor-far netns "$far"
on "$near" ip address add 192.0.2.1/24 dev crosvisor-near
on "$far" ip address add 192.0.2.2/24 dev crosvisor-far
on "$near" ip link set crosvisor-near up
on "$far" ip link set crosvisor-far up
on "$near" ip link set lo up
on "$far" ip link set lo up

mkdir "$work/pki"
"$certificates" "$work/pki" 192.0.2.1 || exit 1
readonly local_socket=unix:$socket
unset CROSVISOR_CONNECT
export CROSVISOR_CONNECT=$local_socket

configure '"debug": {"subjects": ["CN=client"]}, "manage": {"subjects": ["CN=client"]}' \
  "\"tls\": {\"listen\": \"192.0.2.1:7443\", \"certificate\": \"$work/pki/server.pem\", \"key\": \"$work/pki/server.key\", \"ca\": \"$work/pki/ca.pem\"}"
daemon_runner=(nsenter --net="/proc/$near/ns/net" --)

# The program on the other host, with its certificate.
far_client=(nsenter --net="/proc/$far/ns/net" -- env CROSVISOR_CONNECT=tls://192.0.2.1:7443
  CROSVISOR_CA="$work/pki/ca.pem" CROSVISOR_CERTIFICATE="$work/pki/client.pem"
  CROSVISOR_KEY="$work/pki/client.key" "$crosvisor")

# Runs it. Sets status, out and err.
remote() { # ARGUMENT...
  "${far_client[@]}" "$@" >out.txt 2>err.txt </dev/null
  status=$?
  read_output
}
