#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Streams to a real guest's ports from another host: bytes both ways, many at once, a slow one, and a
# cable that is cut. STREAM_MIB says how much goes through one of them.
# shellcheck disable=SC2317 # `check` and `await` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"
# shellcheck source=two_hosts_lib.sh
. "$(dirname "$0")/two_hosts_lib.sh"

readonly bytes=$((${STREAM_MIB:-16} << 20))
use_real_qemu
start_daemon

# A guest that says a little, and serves its ports.
cat >vm.json <<END
{
  "name": "server",
  "kernel": "$guest/vmlinux",
  "initrd": "$guest/initramfs.cpio",
  "params": "quiet crosvisor.demo=serve",
  "memory_mib": 128, "vmm": "qemu", "accel": "tcg", "guest_protocol": true
}
END
call run --detach vm.json
equal "the exit code" "$status" 0
call pass server
remote take "$out"
equal "the exit code" "$status" 0
await "ready guest" is_in_state server ready

descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l; }
streams() { "$crosvisor" info --limits -o jsonl | sed -nE 's/.*"name":"streams",.*"used":([0-9]+),.*/\1/p'; }
no_streams() { [ "$(streams)" = 0 ]; }

ends_well() { # STATUS FILE
  equal "the exit code, after \"$(cat "$2")\"," "$1" 0
}

# The first stream brings a thread, with descriptors that stay.
echo first | "${far_client[@]}" connect server 7001 >out.txt 2>err.txt
before=$(descriptors)

begin "$((bytes >> 20)) MiB from the guest, and to it"
began=$SECONDS
echo $bytes | "${far_client[@]}" connect server 7003 2>err.txt >from_guest
ends_well $? err.txt
echo "from the guest: $((SECONDS - began)) s"
echo $bytes | "$crosvisor" connect server 7003 >from_guest_here
check "the bytes are those of its own host" cmp -s from_guest from_guest_here
began=$SECONDS
there=$("${far_client[@]}" connect server 7002 <from_guest 2>err.txt)
ends_well $? err.txt
echo "to the guest: $((SECONDS - began)) s"
equal "the guest's checksum" "$there" "$("$crosvisor" connect server 7002 <from_guest)"
rm from_guest_here

begin "both ways at once"
"${far_client[@]}" connect server 7001 <from_guest >echoed 2>err.txt
ends_well $? err.txt
check "the bytes came back" cmp -s from_guest echoed

begin "a slow reader beside a fast one"
mkfifo slow.pipe
echo $((64 << 20)) | "${far_client[@]}" connect server 7003 >slow.pipe 2>slow.err &
slow=$!
exec 7<slow.pipe
head -c 1000 <&7 >/dev/null
check "the fast one" cmp -s from_guest <(echo $bytes | "${far_client[@]}" connect server 7003)
check "the slow one still waits" kill -0 "$slow"
exec 7<&-
wait "$slow" # It finds that nobody reads.
await "end of the slow one's stream" no_streams

begin "half-closed, and an end that the guest makes"
equal "what comes after the input's end" "$(echo there and back | "${far_client[@]}" connect server 7001)" \
  "there and back"
head -c 4M /dev/zero >zeros
"${far_client[@]}" connect server 7005 <zeros >/dev/null 2>reset.err
remote connect server 7999
equal "the exit code of a port where nobody listens" "$status" 1
call connect server 7999
equal "the same on its own host" "$status" 1

begin "fifty at once"
for ((i = 0; i < 50; i++)); do
  (echo "words of $i" | "${far_client[@]}" connect server 7001 >"echo$i" 2>&1) &
  runs[i]=$!
done
for ((i = 0; i < 50; i++)); do
  wait "${runs[i]}"
  equal "the exit code of stream $i" "$?" 0
  equal "its echo" "$(cat "echo$i")" "words of $i"
done
await "end of all of them" no_streams

begin "a cable that is cut for a moment"
"${far_client[@]}" connect server 7001 <from_guest >echoed 2>err.txt &
run=$!
has_begun() { [ -s echoed ]; }
await "first bytes" has_begun
on "$near" ip link set crosvisor-near down
read -r -t 1 <>ready.pipe # As long as it is cut.
on "$near" ip link set crosvisor-near up
wait "$run"
ends_well $? err.txt
check "the bytes came back" cmp -s from_guest echoed

begin "one that is cut for longer than a peer may be silent"
mkfifo open.pipe
"${far_client[@]}" connect server 7001 <open.pipe >out.txt 2>err.txt &
run=$!
exec 6>open.pipe
echo before >&6
has_begun() { [ -s out.txt ]; }
await "echo" has_begun
equal "the streams that there are" "$(streams)" 1
began=$SECONDS
on "$near" ip link set crosvisor-near down
await "end of its stream" no_streams
check "it was within the bound" [ $((SECONDS - began)) -le 9 ]
wait "$run"
equal "the exit code" "$?" 1
like "the complaint" "$(cat err.txt)" "crosvisor: lost the connection to tls://192.0.2.1:7443*"
check "it was within the bound" [ $((SECONDS - began)) -le 12 ]
exec 6>&-
on "$near" ip link set crosvisor-near up
mended() { [ "$(echo again | "${far_client[@]}" connect server 7001 2>/dev/null)" = again ]; }
await "stream once it is mended" mended
await "end of all of them" no_streams
few_descriptors() { [ "$(descriptors)" -le "$before" ]; }
await "descriptors as before" few_descriptors

begin "a payload's output on the other host, beside a reader that takes little of it"
# Writes vm.json, has the daemon create it, and lets the other host use it. Sets cid.
create_for_both() { # NAME ACTION
  sed -e "s/\"server\"/\"$1\"/" -e "s/demo=serve/demo=$2/" vm.json >"$1.json"
  call run --detach --no-start "$1.json"
  cid=$out
  call pass "$1"
  remote take "$out"
}
output=(on "$far" "${CROSVISOR_REMOTE_OUTPUT:?names the program}" 192.0.2.1 "$work/pki")
create_for_both sender "send:$bytes"
mkfifo stay.pipe
"${output[@]}" "$cid" 1000 <stay.pipe >slow_output 2>slow.err &
slow=$!
exec 5>stay.pipe
"${output[@]}" "$cid" >output 2>output.err </dev/null &
run=$!
await "subscriptions" grep -qs subscribed output.err
await "subscriptions" grep -qs subscribed slow.err
remote start sender
equal "the exit code" "$status" 0
wait "$run"
ends_well $? output.err
check "its bytes" cmp -s output from_guest
exec 5>&-
wait "$slow"

begin "a console on the other host, while it is written and when it is kept"
create_for_both writer lines:5000
remote start writer
equal "the exit code" "$status" 0
"${far_client[@]}" console -f writer >console_there 2>console.err </dev/null
ends_well $? console.err
"$crosvisor" console writer >console_here
check "its bytes" cmp -s console_there console_here
check "all of its lines" [ "$(wc -l <console_there)" -ge 5000 ]

begin "a guest that dies"
"${far_client[@]}" connect server 7004 <from_guest >out.txt 2>err.txt &
run=$!
has_one() { [ "$(streams)" = 1 ]; }
await "stream" has_one
kill -KILL "$(vmm_pid_of server)"
wait "$run"
equal "the exit code" "$?" 1
like "the complaint" "$(without_times <err.txt)" "crosvisor: VM *is dead: killed*"
await "end of all of them" no_streams

stop_daemon
equal "the exit code" "$status" 0
equal "what still runs" "$(running)" ""
finish
