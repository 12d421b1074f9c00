# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Debian's packages, for build.sh: those kept by an earlier build, or fresh ones.

# Sets kernel_deb and busybox_deb from the packages kept by an earlier build.
use_kept_packages() {
  local names
  [ "$update" = no ] && [ -f "$debs/current" ] || return 1
  mapfile -t names <"$debs/current"
  kernel_deb=$debs/${names[0]}
  busybox_deb=$debs/${names[1]}
  [ -f "$kernel_deb" ] && [ -f "$busybox_deb" ]
}

# Package lists of our own: fresh ones without root and without touching the
# system's.
make_private_lists() {
  say "fetching package lists"
  mkdir -p "$downloads/lists/partial" "$downloads/cache/archives/partial"
  apt_options+=(
    -o "Dir::State::lists=$downloads/lists" -o "Dir::Cache=$downloads/cache"
    -o "Debug::NoLocking=1"
  )
  apt-get "${apt_options[@]}" -qq update >&2
}

kernel_package() {
  apt-cache "${apt_options[@]}" show --no-all-versions "$meta_package" \
    2>/dev/null |
    sed -n 's/^Depends:.*\(linux-image-[^ ,]*-cloud-amd64\).*/\1/p'
}

download() {
  local package
  package=$(kernel_package)
  [ "$package" ] || return 1
  say "downloading $package and busybox-static"
  (
    cd "$downloads"
    rm -f -- *.deb
    apt-get "${apt_options[@]}" -qq download "$package" busybox-static
  ) >&2
}

fetch_packages() {
  local apt_options=()
  command -v apt-get >/dev/null ||
    die "no apt-get here; give Debian's packages by --kernel and --busybox"
  downloads=$(mktemp -d)
  # Apt drops root while it downloads, and must reach the place then.
  if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$downloads"
  fi
  # Lists may be missing, as in containers, or too old for what the mirror has.
  if ! download 2>"$work/apt.log"; then
    make_private_lists
    download || die "can't download $meta_package and busybox-static"
  else
    cat "$work/apt.log" >&2
  fi
  keep_packages
}

keep_packages() {
  local kernel busybox
  kernel=$(cd "$downloads" && echo linux-image-*.deb)
  busybox=$(cd "$downloads" && echo busybox-static*.deb)
  mkdir -p "$debs"
  rm -f "$debs/current" "$debs"/*.deb
  cp "$downloads/$kernel" "$downloads/$busybox" "$debs"
  printf '%s\n' "$kernel" "$busybox" >"$debs/current.new"
  mv "$debs/current.new" "$debs/current"
  kernel_deb=$debs/$kernel
  busybox_deb=$debs/$busybox
}
