#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the project needs on Debian: only what is missing, else nothing.
set -euo pipefail

# The one list of packages, by what they are for. "guest" unpacks Debian's kernel,
# compiles what the guest runs and signs its app; "judges" are the programs that
# tests hold our formats against.
declare -rA packages_for=(
  [build]="g++ cmake ninja-build ccache pkg-config libcaf-dev libboost-dev
    libboost-filesystem-dev nlohmann-json3-dev libcli11-dev libspdlog-dev
    libsystemd-dev libssl-dev libseccomp-dev libzip-dev libexpat1-dev
    libprotobuf-dev protobuf-compiler nbdkit-plugin-dev lowdown
    prometheus-cpp-dev"
  [guest]="apksigner binutils cpio g++ lz4 openssl xz-utils zip zstd"
  [run]="qemu-system-x86 qemu-utils nbdkit"
  [judges]="apksigner cryptsetup-bin fdisk fish fsverity gdisk iproute2 libnbd-bin
    man-db mkdocs prometheus protobuf-compiler qemu-utils systemd zsh"
  [bench]="cryptsetup-bin curl fsverity libbenchmark-dev libvirt-clients
    libvirt-daemon libvirt-daemon-driver-qemu openssl"
  [package]="dpkg-dev file"
  [lint]="clang-format clang-tidy shellcheck"
  [fuzz]="clang libclang-rt-dev"
)
readonly groups=(build guest run judges bench package lint fuzz)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$root/build/setup.log

usage() {
  cat <<END
usage: packaging/setup.sh [--list] [GROUP...]

Groups: ${groups[*]} (all without arguments).
--list prints the packages and installs nothing.
END
}

say() { echo "setup: $*" >&2; }

debian_release() { # 0 where it is none, or has no number yet
  sed -nE 's/^VERSION_ID="?([0-9]+).*/\1/p; $ a0' /etc/os-release | head -n 1
}

packages_of() { # GROUP...
  local group
  for group in "$@"; do
    if [ -z "${packages_for[$group]:-}" ]; then
      say "unknown group $group; known are ${groups[*]}"
      return 2
    fi
    tr -s ' \n' '\n' <<<"${packages_for[$group]}"
    # Debian 12 has it in what qemu-system-x86 depends on.
    [ "$group" != run ] || [ "$(debian_release)" -lt 13 ] || echo virtiofsd
  done
}

# dpkg-query fails and complains when it doesn't know one of the names.
installed() { # PACKAGE...
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true
}

missing_of() { # PACKAGE...
  printf '%s\n' "$@" | grep -vxF -f <(installed "$@") || true
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null
}

apt_get() { # ARGUMENT...
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1 |
    tee -a "$log" | show_progress
}

# Says how much is fetched; on a terminal, also what is being done now.
show_progress() {
  local line terminal=no
  [ ! -t 2 ] || terminal=yes
  while IFS= read -r line; do
    case $line in
      "Need to get "*) say "${line,}" ;;
      Get:* | Unpacking* | "Setting up"*)
        [ $terminal = no ] || printf '\r\033[K  %.70s' "$line" >&2
        ;;
    esac
  done
  [ $terminal = no ] || printf '\r\033[K' >&2
}

# Prometheus' package has a service that serves the network; here it is a program for tests alone.
keep_services_off() { # PACKAGE...
  case " $* " in *" prometheus "*) ;; *) return 0 ;; esac
  [ -d /run/systemd/system ] || return 0
  as_root systemctl mask prometheus.service >>"$log" 2>&1 || return 0
  say "prometheus.service is masked; \`systemctl unmask prometheus\` lets it run"
}

install() { # PACKAGE...
  local began=$SECONDS
  local command="apt-get install --no-install-recommends $*"
  if ! can_be_root; then
    say "packages are missing, and there is no sudo; run as root:"
    say "  apt-get update && $command"
    return 1
  fi
  mkdir -p "$root/build"
  : >"$log"
  say "installing $*"
  keep_services_off "$@"
  if ! apt_get update || ! apt_get install --no-install-recommends "$@"; then
    tail -n 20 "$log" >&2
    say "that failed (see above and build/setup.log); by hand, as root:"
    say "  apt-get update && $command"
    return 1
  fi
  say "installed in $((SECONDS - began)) s (build/setup.log)"
}

main() {
  local list=no names packages missing
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        return
        ;;
      --list) list=yes ;;
      -*)
        usage >&2
        return 2
        ;;
      *) break ;;
    esac
    shift
  done
  [ $# -gt 0 ] || set -- "${groups[@]}"
  names=$(packages_of "$@")
  mapfile -t packages <<<"$names"
  if [ $list = yes ]; then
    printf '%s\n' "${packages[@]}"
    return
  fi
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian; taking it that these are here: ${packages[*]}"
    return
  fi
  mapfile -t missing < <(missing_of "${packages[@]}")
  [ ${#missing[@]} = 0 ] || install "${missing[@]}"
}

main "$@"
