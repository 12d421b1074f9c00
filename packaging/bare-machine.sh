#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a ./dev command in a fresh Debian with nothing but the checkout in it.
set -euo pipefail

usage() {
  cat <<'END'
usage: packaging/bare-machine.sh bookworm|trixie [COMMAND [ARGUMENT...]]

Makes a minimal Debian in a directory, clones what is committed into it and
runs `./dev COMMAND ARGUMENT...` there (demo); the command "ci" runs .ci/run. The command "packages"
builds the Debian packages there, and then, in another minimal Debian, installs
them, uses them and removes them, once in a chroot and once booted by systemd
(packaging/try-packages.sh); that needs systemd-nspawn.
Needs root, debootstrap and git. Takes packages from where this host does.
Whatever happens, no mount and no process is left, and the directory goes.

  TMPDIR=DIR   where the directory is made (/var/tmp)
  CROSVISOR_PACKAGES=DIR
               packages that are there already, for the same Debian, and are not
               built anew
END
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "bare-machine: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# The host's own Debian archives, one "URI CODENAME COMPONENT" a line.
host_archives() {
  command -v apt-get >/dev/null || return 0
  # shellcheck disable=SC2016 # the names are apt's
  apt-get indextargets --format '$(SITE) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | grep ' main$' || true
}

bootstrap() {
  local mirror host_suite archives include=()
  archives=$(host_archives)
  # The shortest codename is the suite itself: bookworm, not bookworm-updates.
  read -r mirror host_suite _ < <(awk 'NF == 3 { print length($2), $0 }' \
    <<<"$archives" | sort -n | cut -d' ' -f2-) || true
  [[ "$archives" != *https:* ]] || include=(--include=ca-certificates)
  say "making a minimal $suite"
  debootstrap --variant=minbase "${include[@]}" "$suite" "$machine" \
    ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    die "debootstrap failed"
  }
  if [ "$archives" ]; then
    awk -v from="$host_suite" -v to="$suite" \
      '{ sub("^" from, to, $2); print "deb", $1, $2, $3 }' <<<"$archives" \
      >"$machine/etc/apt/sources.list"
  fi
  # How this host reaches its archives: proxies, checks, retries.
  apt-config dump | grep '^Acquire::' |
    grep -vE '^Acquire::(IndexTargets|Changelogs|Languages|cdrom)' \
      >"$machine/etc/apt/apt.conf.d/90host" || true
  if [[ "$archives" == *https:* ]]; then
    cp /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/"
  fi
  cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
}

# Runs in namespaces of its own: its mounts and processes end with it.
run_inside() { # COMMAND [ARGUMENT...]
  local command=(./dev "$@")
  case $1 in
    ci) command=(bash .ci/run) ;;
    try-packages) command=(bash packaging/try-packages.sh /root/packages) ;;
  esac
  mount -t proc proc "$machine/proc"
  mount -t sysfs -o ro sys "$machine/sys"
  mount --rbind /dev "$machine/dev"
  mount -t tmpfs tmp "$machine/tmp"
  # shellcheck disable=SC2016 # expanded by the inner shell
  env -i HOME=/root TERM="${TERM:-dumb}" CI="${CI:-}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ${http_proxy:+"http_proxy=$http_proxy"} \
    ${https_proxy:+"https_proxy=$https_proxy"} \
    chroot "$machine" sh -c 'cd /root/crosvisor && exec "$@"' sh \
    "${command[@]}" </dev/null
}

clean_up() {
  rm -rf --one-file-system "$work"
}

# Runs a command in a fresh machine, which is gone afterwards.
in_fresh_machine() { # COMMAND [ARGUMENT...]
  local began=$SECONDS status=0
  bootstrap
  git clone --quiet --no-hardlinks "$root" "$machine/root/crosvisor"
  mkdir "$machine/root/packages"
  cp -t "$machine/root/packages" "$work/packages"/*.deb 2>/dev/null || true
  say "running $* in $suite, set up in $((SECONDS - began)) s"
  began=$SECONDS
  export -f run_inside
  export machine
  unshare --mount --pid --fork --kill-child --propagation private \
    bash -c 'run_inside "$@"' bash "$@" || status=$?
  say "$* in $suite: exit code $status after $((SECONDS - began)) s"
  return $status
}

# The machine with a service manager of its own, and without a net.
boot_machine() {
  local unit=$machine/etc/systemd/system/try-packages.service
  say "booting $suite"
  cat >"$unit" <<'END'
[Unit]
After=dbus.service systemd-logind.service
[Service]
Type=oneshot
ExecStart=/bin/bash /root/crosvisor/packaging/try-packages.sh /root/packages booted
StandardError=file:/root/try/booted.txt
ExecStopPost=systemctl poweroff --no-block
END
  mkdir -p "$machine/etc/systemd/system/multi-user.target.wants"
  ln -s ../try-packages.service "$machine/etc/systemd/system/multi-user.target.wants/"
  rm -f "$machine/root/try/failures"
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout --kill-after=10 900 \
    systemd-nspawn --quiet --directory="$machine" --machine="crosvisor-$$" --register=no \
    --keep-unit --private-network --boot </dev/null >"$work/boot.log" 2>&1 || true
  cat "$machine/root/try/booted.txt" >&2 || tail -n 20 "$work/boot.log" >&2
  [ "$(cat "$machine/root/try/failures" 2>/dev/null)" = 0 ]
}

packages() {
  command -v systemd-nspawn >/dev/null || die "needs systemd-nspawn (systemd-container)"
  if [ "${CROSVISOR_PACKAGES:-}" ]; then
    cp -t "$work/packages" "$CROSVISOR_PACKAGES"/*.deb
  else
    in_fresh_machine package
    cp -t "$work/packages" "$machine/root/crosvisor/build/packages"/*.deb
    rm -rf --one-file-system "$machine"
  fi
  in_fresh_machine try-packages
  boot_machine || die "not all is well in $suite"
  say "all is well with the packages in $suite"
}

main() {
  case ${1:-} in
    bookworm | trixie) suite=$1 ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift
  [ $# -gt 0 ] || set -- demo
  [ "$(id -u)" = 0 ] || die "needs root"
  command -v debootstrap >/dev/null || die "needs debootstrap"
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/crosvisor-$suite.XXXXXX")
  machine=$work/machine
  mkdir "$work/packages"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  if [ "$1" = packages ]; then
    packages
  else
    in_fresh_machine "$@"
  fi
}

main "$@"
