#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs crosvisor's packages, uses them and removes them, and fails if anything is left. For a
# machine that is there for nothing else: packaging/bare-machine.sh SUITE packages.
#
#   packaging/try-packages.sh FOLDER          in a chroot, which has the net
#   packaging/try-packages.sh FOLDER booted   after that, booted by systemd, which then powers off
set -euo pipefail

packages=$1
work=/root/try
failures=0
names=()

say() { echo "try-packages: $*" >&2; }

check() { # WHAT COMMAND...
  if "${@:2}"; then
    say "ok: $1"
  else
    failures=$((failures + 1))
    say "FAILED: $1"
  fi
}

apt_install() { # PACKAGE...
  DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "$@" >>"$work/apt.log" 2>&1 || {
    tail -n 30 "$work/apt.log" >&2
    say "can't install $*"
    exit 1
  }
}

# Tries until COMMAND succeeds, for 10 seconds at most.
soon() { # COMMAND...
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.1 # What is waited for is another process's, and can't wake us.
  done
  return 1
}

# What the packages need, so that what they bring is all that changes after it.
install_needs() {
  local depends
  apt-get update -q >"$work/apt.log" 2>&1
  apt_install g++ cmake ninja-build qemu-system-x86 nbdkit
  for deb in "$packages"/*.deb; do
    depends=$(dpkg-deb -f "$deb" Depends)
    [ -z "$depends" ] || DEBIAN_FRONTEND=noninteractive \
      apt-get -y -q satisfy --no-install-recommends "$depends" >>"$work/apt.log" 2>&1
  done
}

# Every file with all that can be told of it, but for what records that packages came and went.
snapshot() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /root \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o \
    ! -name 'group-' ! -name 'gshadow-' ! -name .pwd.lock \
    \( -type f -printf '%p %m %u %g %s ' -exec sha256sum {} \; -o ! -type f -printf '%p %m %u %g %y %l\n' \) |
    sed -E 's/ +\/[^ ]*$//' | sort
}

output_of() { # FILE COMMAND...
  "${@:2}" >"$1" 2>"$1.err" </dev/null || {
    cat "$1.err" >&2
    return 1
  }
}

says() { # WORDS COMMAND...
  output_of "$work/out.txt" "${@:2}" && grep -q "$1" "$work/out.txt" "$work/out.txt.err"
}

runs_without_daemon() {
  check "the configuration is sound" says 'is sound' crosvisord --check
  check "crosvisor run boots the guest" says '^Hello from the payload: Linux ' \
    crosvisor run /usr/share/crosvisor/guest/demo.json
  mkdir "$work/app"
  check "crosvisor run-app runs an app" says '^Hello from the app, on Linux ' \
    crosvisor run-app /usr/share/crosvisor/guest/demo.apk "$work/app/demo.apk.idsig" \
    "$work/app/instance.img" assets/vm_config.json
}

runs_with_daemon() {
  local daemon
  crosvisord >"$work/daemon.log" 2>&1 &
  daemon=$!
  check "the daemon serves" soon crosvisor list
  install -d -o 60101 /tmp/member
  check "a member of the group runs an app by the daemon" says '^Hello from the app, on Linux ' \
    setpriv --reuid 60101 --regid 60101 --groups "$(getent group crosvisor | cut -d: -f3)" \
    crosvisor run-app /usr/share/crosvisor/guest/demo.apk /tmp/member/demo.apk.idsig \
    /tmp/member/instance.img assets/vm_config.json
  check "nobody else does" denied
  check "an application elsewhere does" says '^Hello from the payload: Linux ' \
    "$work/remote/crosvisor-remote" unix:/run/crosvisor/crosvisord.sock create \
    /usr/share/crosvisor/guest/demo.json 60
  kill -TERM $daemon
  check "the daemon ends well" wait $daemon
}

denied() {
  ! setpriv --reuid 60102 --regid 60102 --clear-groups crosvisor list >/dev/null 2>&1
}

builds_examples() {
  local one
  for one in embed remote; do
    check "$one is built" output_of "$work/$one.txt" sh -c "cmake -G Ninja -B $work/$one \
      -S /usr/share/doc/libcrosvisor-dev/examples/$one && cmake --build $work/$one"
  done
  check "an application runs a guest in its process" says '^Hello from the payload: Linux ' \
    "$work/embed/crosvisor-embed" /usr/share/crosvisor/guest/demo.json
}

leaves_nothing() {
  local after=$work/after.txt
  DEBIAN_FRONTEND=noninteractive apt-get -y -q remove "${names[@]}" >>"$work/apt.log" 2>&1
  check "a removal leaves the configuration" [ -f /etc/crosvisor/crosvisor.json ]
  check "and the logs" [ -d /var/lib/crosvisor/logs ]
  check "and no program" sh -c '! command -v crosvisor && ! command -v crosvisord' >/dev/null
  dpkg --purge "${names[@]}" >>"$work/apt.log" 2>&1
  snapshot >"$after"
  check "a purge leaves nothing" diff -u "$work/before.txt" "$after"
}

in_chroot() {
  say "packages: ${names[*]}"
  install_needs
  snapshot >"$work/before.txt"
  apt_install "$packages"/*.deb
  check "every file is as it was packed" dpkg --verify "${names[@]}"
  # As an upgrade, whose scripts say nothing without a service manager.
  apt_install --reinstall "$packages"/*.deb
  runs_without_daemon
  builds_examples
  runs_with_daemon
  leaves_nothing
  apt_install systemd systemd-sysv dbus
}

# -- booted ----------------------------------------------------------------------------------------

property_of() { # UNIT NAME
  systemctl show -p "$2" --value "$1"
}

vmm_of() { # VM
  crosvisor info "$1" -o jsonl | sed -E 's/.*"vmm_pid":([0-9]+|null).*/\1/'
}

logged() { # WORDS
  journalctl --no-pager -q -b -u crosvisord | grep -q "$1"
}

# The same with a higher version, as the next release is.
next_release() { # DEB
  rm -rf "$work/next"
  dpkg-deb -R "$1" "$work/next"
  sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
  dpkg-deb -b "$work/next" "$work/next.deb" >/dev/null
}

installs_units() {
  dpkg -i "$packages"/*.deb >"$work/dpkg.log" 2>&1 || cat "$work/dpkg.log"
  check "the socket is enabled" systemctl -q is-enabled crosvisord.socket
  check "and listens" systemctl -q is-active crosvisord.socket
  check "the daemon waits for a client" [ "$(property_of crosvisord ActiveState)" = inactive ]
  check "who comes starts it" output_of "$work/out.txt" crosvisor list
  check "a reload is heard" systemctl reload crosvisord.service
  check "and said" soon logged 'read its configuration anew'
  systemd-analyze security --no-pager crosvisord.service | tail -n 1 >&2
}

upgrades() {
  local daemon vmm
  check "a guest is left running" output_of "$work/out.txt" \
    crosvisor run --detach /usr/share/crosvisor/guest/tick.json
  daemon=$(property_of crosvisord MainPID)
  vmm=$(vmm_of tick)
  check "it has a user of its own" [ "$(stat -c %u "/proc/$vmm")" -ge 1879048192 ]
  check "and a cgroup" grep -q '^0::/crosvisor.slice/crosvisor-vms.service/.*vm-' "/proc/$vmm/cgroup"
  next_release "$packages"/crosvisor-daemon_*.deb
  dpkg -i "$work/next.deb" >"$work/dpkg.log" 2>&1 || cat "$work/dpkg.log"
  check "there is another version" grep -q next <(dpkg-query -W -f '${Version}' crosvisor-daemon)
  check "an upgrade restarts the daemon" [ "$(property_of crosvisord MainPID)" != "$daemon" ]
  check "it is active" systemctl -q is-active crosvisord.service
  check "and no guest" [ "$(vmm_of tick)" = "$vmm" ]
  check "which runs still" says '^state *\(started\|ready\)' crosvisor info tick
  check "another guest runs" says '^Hello from the payload: Linux ' \
    crosvisor run /usr/share/crosvisor/guest/demo.json
  dpkg --remove crosvisor-daemon >"$work/dpkg.log" 2>&1 || cat "$work/dpkg.log"
  check "a removal stops guests" [ ! -e "/proc/$vmm" ]
  check "and the daemon" [ "$(property_of crosvisord ActiveState)" = inactive ]
  check "and the socket" [ ! -e /run/crosvisor/crosvisord.sock ]
  dpkg --purge "${names[@]}" >"$work/dpkg.log" 2>&1 || cat "$work/dpkg.log"
  check "no trace of units is left" [ -z "$(find /etc /var/lib/systemd /var/lib/crosvisor /run \
    -name '*crosvis*' 2>/dev/null)" ]
  check "nor of the group" sh -c '! getent group crosvisor'
}

booted() {
  installs_units
  upgrades
  journalctl --no-pager -q -b -p warning -u crosvisord >&2
}

main() {
  local deb
  mkdir -p "$work"
  for deb in "$packages"/*.deb; do
    names+=("$(dpkg-deb -f "$deb" Package)")
  done
  case ${2:-} in
    '') in_chroot ;;
    booted) booted ;;
  esac
  say "failed: $failures"
  echo $failures >"$work/failures"
  [ $failures = 0 ]
}

main "$@"
