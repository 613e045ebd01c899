#!/bin/bash
# on_ram.sh PACK -- COMMAND...: runs the command with a copy of the pack on a disk made of memory.
#
# ext4 on a loop device over tmpfs: a device with queues of its own that is read past the page cache, and that no
# hypervisor emulates. On a virtual machine whose host takes the cores away while its disk is read, this is what shows
# the streamer alone. The kernel's threads that play the device need processor time, as a real one does not.
# {} in the command is the copy's path. Needs root, mounts and twice the pack's size of free memory.
set -euo pipefail

usage() {
    echo "usage: on_ram.sh PACK -- COMMAND..., with {} where the pack's path belongs" >&2
    exit 2
}
[ $# -ge 3 ] && [ "$2" = -- ] || usage
pack=$1
shift 2
[ -f "$pack" ] || { echo "on_ram.sh: $pack: no such file" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "on_ram.sh: only root can mount" >&2; exit 1; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/leat-on-ram-XXXXXX")
# Lazily: a ring that its process has left open holds its files a moment longer than that lives.
clean_up() {
    umount -l "$folder/disk" 2>/dev/null || true
    umount -l "$folder/memory" 2>/dev/null || true
    rmdir "$folder/disk" "$folder/memory" "$folder" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir "$folder/memory" "$folder/disk"
size=$(($(stat -c %s -- "$pack") / 1048576 * 5 / 4 + 64))
mount -t tmpfs -o "size=$((size + 16))m" leat "$folder/memory"
truncate -s "${size}M" "$folder/memory/image"
mkfs.ext4 -q "$folder/memory/image"
mount -o loop "$folder/memory/image" "$folder/disk"
cp -- "$pack" "$folder/disk/pack.leat"
sync -f "$folder/disk"
"${@//\{\}/$folder/disk/pack.leat}"
