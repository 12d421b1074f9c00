#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The units and their like, judged by systemd's own programs, as they are installed; and when
# the packages' scripts do nothing. CROSVISOR_BUILD names the build.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need cmake systemd-analyze systemd-sysusers systemd-tmpfiles
readonly build=${CROSVISOR_BUILD:?names the build folder}
sources=$(dirname "$0")/../..
readonly sources prefix=$work/prefix

begin "what is installed"
check "the daemon is installed" cmake --install "$build" --prefix "$prefix" --component daemon >install.txt
units=$prefix/lib/systemd

begin "units are sound"
# Programs are where the build was configured for, which is not here.
sed -i "s|=/[^ ]*/crosvisord|=$prefix/bin/crosvisord|" "$units"/*/crosvisord.service
for unit in "$units"/system/*.{service,socket,slice}; do
  equal "what is said of $(basename "$unit")" "$(SYSTEMD_LOG_LEVEL=warning \
    SYSTEMD_UNIT_PATH=$units/system: systemd-analyze verify "$unit" 2>&1)" ""
done
mkdir -m 700 session
for unit in "$units"/user/*.{service,slice}; do
  equal "what is said of the user's $(basename "$unit")" "$(SYSTEMD_LOG_LEVEL=warning \
    XDG_RUNTIME_DIR=$work/session SYSTEMD_UNIT_PATH=$units/user: systemd-analyze --user verify "$unit" 2>&1)" ""
done

begin "the daemon is hardened"
exposure=$(systemd-analyze security --offline=true --no-pager "$units/system/crosvisord.service" \
  | sed -n 's/.*Overall exposure level for crosvisord.service: \([0-9.]*\) .*/\1/p')
like "the exposure" "$exposure" "[0-9].[0-9]"
check "the exposure $exposure is below 4" [ "${exposure%.*}" -lt 4 ]

begin "a restart leaves VMs alone, a stop does not"
unit=$units/system/crosvisord.service
for line in RestartKillSignal=SIGUSR2 KillMode=process Restart=always Requires=crosvisor-vms.service; do
  check "$line" grep -qx "$line" "$unit"
done
check "VMs' cgroups are another unit's" grep -qx \
  'Environment=CROSVISOR_VMM_CGROUP=/sys/fs/cgroup/crosvisor.slice/crosvisor-vms.service' "$unit"

begin "groups and folders"
mkdir -p root/etc
systemd-sysusers --root="$work/root" "$prefix/lib/sysusers.d/crosvisor.conf" >sysusers.txt 2>&1
check "there is the group" grep -q '^crosvisor:' root/etc/group
if [ "$(id -u)" = 0 ]; then
  printf 'root:x:0:0::/root:/bin/sh\n' >root/etc/passwd
  printf 'root:x:0:\n' >>root/etc/group
  systemd-tmpfiles --root="$work/root" --create "$prefix/lib/tmpfiles.d/crosvisor.conf"
  equal "the runtime directory's mode" "$(stat -c %a root/run/crosvisor)" 755
fi

begin "the packages' scripts"
mkdir none
for script in postinst prerm postrm; do
  check "$script is a script of sh" sh -n "$sources/packaging/debian/$script"
done
# Whatever they would call is out of their reach, and would be complained of.
for call in "prerm upgrade 0.2" "postinst abort-remove" "postinst triggered"; do
  # shellcheck disable=SC2086 # They are words.
  equal "what $call does" "$(PATH=$work/none /bin/sh "$sources"/packaging/debian/$call 2>&1; echo $?)" 0
done
finish
