# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# The part of init that is for crosvisor.demo=disks: shows a sector of the disk or
# partition crosvisor.from=NAME (vda), and where there is crosvisor.write=TEXT
# writes that to crosvisor.to=NAME (vdb); and for crosvisor.demo=read: reads all
# of the first.

read_sector() { # DEVICE, from the disk itself and not from memory
  echo 3 >/proc/sys/vm/drop_caches
  dd if="$1" bs=512 count=1 2>/dev/null
}

show_sector() { # DISK
  set -- "$1" "$(read_sector "/dev/$1" | md5sum)"
  say "demo: $1 md5 ${2%% *}"
  say "demo: $1 text $(read_sector "/dev/$1" | tr -cd '\40-\176')"
}

read_and_write_disks() {
  show_sector "$read_from"
  [ "$write_text" ] || return 0
  if [ ! -b "/dev/$write_to" ]; then
    say "demo: there is no $write_to"
  elif printf %s "$write_text" |
    dd of="/dev/$write_to" bs=512 conv=sync,notrunc,fsync 2>/dev/null; then
    sync
    show_sector "$write_to"
  else
    say "demo: $write_to can't be written"
  fi
}

read_whole_disk() {
  say "demo: reading $read_from"
  dd if="/dev/$read_from" of=/dev/null bs=1M 2>/dev/null
  say "demo: read all"
}

# Partitions have the names of their labels in their events.
for partition in /sys/class/block/vd??/uevent; do
  [ -e "$partition" ] || continue
  device=${partition%/uevent}
  say "demo: ${device##*/} is $(sed -n 's/^PARTNAME=//p' "$partition")"
done
if [ ! -b "/dev/$read_from" ]; then
  say "demo: there is no $read_from"
elif [ "$action" = read ]; then
  read_whole_disk
else
  read_and_write_disks
fi
