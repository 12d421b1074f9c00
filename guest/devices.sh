# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# The part of init that is for crosvisor.demo=devices: shows on the console what
# devices there are and what they can, one line for each:
#
#   crosvisor.address=A  the address of the network card, A/24, where one who
#                        connects to port 7001 is told a line, and heard
#   crosvisor.crash=N    so many crash files are sent to the host
#   crosvisor.then=WHAT  what follows: idle, panic or poweroff, which it is
#                        without it
address=
crashes=0
afterwards=poweroff
# shellcheck disable=SC2154 # init has read it.
for word in $command_line; do
  case $word in
    crosvisor.address=*) address=${word#*=} ;;
    crosvisor.crash=*) crashes=${word#*=} ;;
    crosvisor.then=*) afterwards=${word#*=} ;;
  esac
done

# By cat: not every file of the kernel's can be read a byte at a time.
first_line() { # FILE
  if [ -e "$1" ]; then
    cat "$1" | head -n 1
  else
    echo none
  fi
}

show_processors() {
  for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    say "demo: ${cpu##*/} socket $(first_line "$cpu/topology/physical_package_id")" \
      "core $(first_line "$cpu/topology/core_id")" \
      "threads $(first_line "$cpu/topology/thread_siblings_list")"
  done
}

show_random() {
  say "demo: random numbers from" \
    "$(first_line /sys/class/misc/hw_random/rng_available)"
}

# A card is eth0, where there is one.
use_network() {
  card=/sys/class/net/eth0
  [ -e $card ] || {
    say "demo: no network card"
    return
  }
  say "demo: network card $(first_line $card/address)"
  [ "$address" ] || return
  ip address add "$address/24" dev eth0
  ip link set eth0 up
  say "demo: port 7001 is open"
  said=$(echo "hello from the guest" | nc -l -p 7001)
  say "demo: the host said ${said:-nothing}"
}

# Every tag that Linux tells of by mounting it; a device has no other sign here.
use_share() { # TAG
  mkdir -p "/mnt/$1"
  if ! mount -t virtiofs "$1" "/mnt/$1" 2>/dev/null; then
    say "demo: no directory $1"
    return
  fi
  say "demo: $1 has $(first_line "/mnt/$1/greeting")"
  if (echo "from the guest" >"/mnt/$1/answer") 2>/dev/null; then
    say "demo: $1 is written"
  else
    say "demo: $1 can't be written"
  fi
  say "demo: $1 leads to $(first_line "/mnt/$1/way-out")"
  if (cd "/mnt/$1/.." && [ "$(pwd -P)" = /mnt ]); then
    say "demo: $1 ends at its top"
  fi
}

# The backend's name is in the names of its records.
show_pstore() {
  mount -t pstore pstore /sys/fs/pstore 2>/dev/null || return
  [ "$(first_line /sys/module/pstore/parameters/backend)" != "(null)" ] || return
  say "demo: pstore by $(first_line /sys/module/pstore/parameters/backend)"
  for record in /sys/fs/pstore/dmesg-*; do
    [ -e "$record" ] || continue
    cause=$(grep -m 1 -o 'Kernel panic - not syncing.*' "$record")
    [ ! "$cause" ] || say "demo: pstore has a record: $cause"
    rm "$record"
  done
}

send_crashes() {
  sent=0
  while [ "$sent" -lt "$crashes" ]; do
    sent=$((sent + 1))
    if echo "crash $sent of the guest" | /bin/vsock output --port 2000; then
      say "demo: crash file $sent sent"
    else
      say "demo: crash file $sent refused"
    fi
  done
}

load_modules order.devices
show_processors
show_random
use_network
use_share shared
use_share kept
show_pstore
send_crashes
say "demo: devices shown"
case $afterwards in
  idle)
    heed_power_button
    wait_forever
    ;;
  panic)
    drain
    echo c >/proc/sysrq-trigger
    ;;
esac
