#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the daemon tells Prometheus, and Prometheus itself beside it; where a start went.
# shellcheck disable=SC2317 # `await` and `check` call what seems not to be reached.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=daemon_lib.sh
. "$(dirname "$0")/daemon_lib.sh"

need prometheus promtool
prometheus_pid=

end_prometheus() {
  [ -z "$prometheus_pid" ] || kill -KILL "$prometheus_pid" 2>/dev/null
  wait "$prometheus_pid" 2>/dev/null
  prometheus_pid=
}
trap 'end_prometheus; end_daemon' EXIT

# A port that nobody listens to; somebody may be faster, so what needs it is tried again.
free_port() {
  local port
  while :; do
    port=$((RANDOM % 20000 + 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# What the daemon answers, without its header.
scrape() {
  exec 3<>"/dev/tcp/127.0.0.1/$port" || return
  printf 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$port" >&3
  sed '1,/^\r$/d' <&3
  exec 3>&-
}

# The value of one sample.
metric() { # NAME{LABELS}
  awk -v name="$1" '$1 == name { print $2 }' scraped.txt
}

is_counted() { # NAME{LABELS} VALUE
  scrape >scraped.txt
  [ "$(metric "$1")" = "$2" ]
}

start_a_daemon() {
  port=$(free_port)
  configure "\"manage\": {\"uids\": [$alice]}" "\"metrics\": {\"listen\": \"127.0.0.1:$port\"}"
  start_daemon
}

begin "only this host may ask"
configure "" '"metrics": {"listen": "0.0.0.0:9100"}'
"$daemon" --config daemon.json --check >out.txt 2>err.txt
equal "the exit code" "$?" 2
like "the sentence" "$(cat err.txt)" 'crosvisord: *daemon.json:*: metrics.listen: "0.0.0.0" is not this host*'

begin "a daemon without VMs"
start_a_daemon
scrape >scraped.txt
equal "starts" "$(metric crosvisor_vm_starts_total)" 0
like "memory of the daemon" "$(metric crosvisor_process_resident_memory_bytes)" "[1-9]*"
check "promtool takes it" promtool check metrics <scraped.txt >out.txt 2>&1
equal "what promtool says" "$(cat out.txt)" ""

begin "a VM is counted and measured"
play ""
call run vm.json --name demo --detach
equal "the exit code" "$status" 0
cid=$(awk '$2 == "demo" { print $1 }' < <("$crosvisor" list))
await "count of starts" is_counted crosvisor_vm_starts_total 1
equal "VMs that run" "$(metric 'crosvisor_vms{state="started"}')" 1
equal "the time until it was started" \
  "$(awk '/^crosvisor_vm_started_seconds_count[{]vmm="qemu"/ { print $2 }' scraped.txt)" 1
for process in vmm keeper; do
  like "memory of its $process" \
    "$(metric "crosvisor_vm_process_resident_memory_bytes{cid=\"$cid\",name=\"demo\",process=\"$process\"}")" "[1-9]*"
done
check "promtool takes it" promtool check metrics <scraped.txt >out.txt 2>&1
equal "what promtool says" "$(cat out.txt)" ""

# What moves by itself is left out; every other number is the same.
begin "the command shows what Prometheus is told"
scrape >scraped.txt
call info --metrics
moving='^crosvisor_(process|vm_process|requests_total|limit_used|client_connections)'
grep -Ev "^#|_bucket|_sum|_count|$moving" scraped.txt >told.txt
tail -n +2 out.txt | grep -Ev "_seconds(\{| )|$moving" | awk '{ print $1, $2 }' >shown.txt
check "there are many" test "$(wc -l <told.txt)" -gt 60
equal "the difference" "$(diff <(sort told.txt) <(sort shown.txt))" ""
call info --metrics -o json
like "the JSON" "$out" '{*"schema": 1,*"metrics": \[*"name": "crosvisor_build_info"*'
as "$alice" info --metrics
equal "the exit code" "$status" 4
like "the refusal" "$err" "crosvisor: permission denied by crosvisord: uid $alice lacks \"debug\"*"

begin "where its start went"
call timeline demo
like "the drawing" "$out" "vm $cid demo*STEP*FROM*TOOK*cid*keeper*prepare*spawn*vmm*kernel*"
call timeline "$cid" -o trace
like "the trace" "$out" '{"displayTimeUnit":"ms","traceEvents":[[]*"name":"spawn"*'
call timeline demo -o svg
like "the picture" "$out" '<?xml version="1.0"*</svg>'

begin "the next daemon has the VM"
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
start_daemon
await "count of adopted VMs" is_counted crosvisor_vms_adopted_total 1
equal "starts" "$(metric crosvisor_vm_starts_total)" 0
like "memory of its VMM" \
  "$(metric "crosvisor_vm_process_resident_memory_bytes{cid=\"$cid\",name=\"demo\",process=\"vmm\"}")" "[1-9]*"
call timeline demo
like "the drawing" "$out" "vm $cid demo*STEP*FROM*TOOK*cid*keeper*prepare*spawn*vmm*kernel*"

begin "a VM that has died is counted by its reason, and measured no more"
call stop demo --force
await "count of deaths" is_counted 'crosvisor_vm_deaths_total{reason="killed"}' 1
equal "its memory" "$(grep -c "^crosvisor_vm_process.*cid=\"$cid\"" scraped.txt)" 0
call timeline demo
like "its drawing" "$out" "vm $cid demo*vmm*kernel*"
call timeline nobody
equal "the exit code for no VM" "$status" 3

# As after a crash, its events are the journal's.
begin "the timeline of a VM that is forgotten"
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
start_daemon
for vm in demo "$cid"; do
  call timeline "$vm" -o json
  like "its spans" "$out" "*\"cid\": $cid,*\"whole\": true,*\"end\": \"dead: killed\"*\"name\": \"spawn\"*"
done

begin "Prometheus scrapes it"
call run vm.json --name other --detach
equal "the exit code" "$status" 0
cat >prometheus.yml <<END
scrape_configs:
  - job_name: crosvisor
    scrape_interval: 1s
    static_configs:
      - targets: ["127.0.0.1:$port"]
END
check "promtool takes its configuration" promtool check config prometheus.yml >out.txt 2>&1
prometheus_port=$(free_port)
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb \
  --web.listen-address="127.0.0.1:$prometheus_port" --log.level=warn >prometheus.out 2>&1 </dev/null &
prometheus_pid=$!
prometheus_url=http://127.0.0.1:$prometheus_port

# Whether Prometheus has an answer that is not empty.
has_answer() { # QUERY
  local answer
  answer=$(promtool query instant "$prometheus_url" "$1" 2>/dev/null) && [ -n "$answer" ]
}
await "scrape by Prometheus" has_answer 'up{job="crosvisor"} == 1'
like "a number of Prometheus'" \
  "$(promtool query instant "$prometheus_url" crosvisor_vm_starts_total)" "*=> 1 @*"
# Rates need two scrapes.
await "second scrape" has_answer 'count_over_time(crosvisor_build_info[1m]) >= 2'

begin "each query of the dashboard has an answer"
root=$(cd "$(dirname "$0")/../.." && pwd)
dashboard=$root/packaging/grafana/crosvisor.json
# shellcheck disable=SC2016 # It is Grafana's variable.
sed -nE 's/^ *"expr": "(.*)",$/\1/p' "$dashboard" | sed 's/\\"/"/g; s/\$__rate_interval/1m/g' >queries.txt
check "there are many" test "$(wc -l <queries.txt)" -gt 15
while IFS= read -r query; do
  check "there is an answer to $query" has_answer "$query"
done <queries.txt
scrape >scraped.txt
{
  grep -oE 'by \([a-z, ]+\)' queries.txt | sed 's/^by (//; s/)$//; s/, */\n/g'
  grep -oE '\{\{[a-z]+\}\}' "$dashboard" | tr -d '{}'
} | sort -u >labels.txt
check "there are some labels" test "$(wc -l <labels.txt)" -gt 8
while IFS= read -r label; do
  check "there is a label $label" grep -q "[{,]$label=\"" scraped.txt
done <labels.txt
check "a wrong name has none" eval '! has_answer crosvisor_no_such_metric'

begin "the rules of the document"
awk '/^groups:/ { on = 1 } /^```/ { on = 0 } on' "$root/docs/metrics.md" >rules.yml
check "promtool takes them" promtool check rules rules.yml >out.txt 2>&1
like "what it says" "$(cat out.txt)" "*SUCCESS: 9 rules found*"
end_prometheus
call stop other --force
equal "the exit code" "$status" 0

begin "a Unix socket"
stop_daemon
equal "the exit code" "$status" 0
configure "" "\"metrics\": {\"listen\": \"unix:$work/metrics.sock\"}"
start_daemon
equal "its mode" "$(stat -c %a metrics.sock)" 660
stop_daemon
check "its file goes" test ! -e metrics.sock

finish
