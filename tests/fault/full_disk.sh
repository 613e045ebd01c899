#!/usr/bin/env bash
# `leat pack` onto a file system that is full sooner or later (a tmpfs of a few KiB, in a mount namespace of its own): it
# says so and what to do, exits with 1, and leaves the old pack whole and nothing else; where there is room, it packs.
# A cache on such a file system costs one line.
#
#   tests/fault/full_disk.sh LEAT        exit 77: nothing may be mounted here
set -euo pipefail
export LEAT_CACHE=off

leat=$1
step_kib=16
if [ "${2:-}" != inside ]; then
    for way in -m -rm; do
        if unshare "$way" sh -c 'mount -t tmpfs -o size=64k none /mnt' 2>/dev/null; then
            exec unshare "$way" "$0" "$leat" inside
        fi
    done
    echo "SKIPPED: a tmpfs cannot be mounted here: $(unshare -rm sh -c 'mount -t tmpfs -o size=64k none /mnt' 2>&1 | head -n 1)"
    exit 77
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/leat-full-XXXXXX")
trap 'umount -l "$work/small" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

fail()
{
    cat out err >&2
    echo "FAILED: $1" >&2
    exit 1
}

mkdir content small
for i in 1 2 3; do
    { printf 'P6 96 96 255\n'; head -c 27648 /dev/urandom; } >content/picture$i.ppm
done
pack=("$leat" pack --quiet --texture-format rgba8)
"${pack[@]}" content/picture1.ppm -o old.leat >out
"${pack[@]}" content -o right.leat >out
old_kib=$((($(stat -c %s old.leat) + 1023) / 1024 + 4))
right_kib=$((($(stat -c %s right.leat) + 1023) / 1024 + 4))

# leave: lazily, as a file that was just closed may keep the file system busy for a moment.
leave()
{
    umount -l small
}

# attempt OPTIONS: packs onto a tmpfs mounted with them, where the old pack lies; the exit code in $code.
attempt()
{
    mount -t tmpfs -o "$1" none small
    cp old.leat small/new.leat
    code=0
    "${pack[@]}" content -o small/new.leat >out 2>err </dev/null || code=$?
    case $code in
        0) cmp -s small/new.leat right.leat || fail "$1: exit 0, and the pack is not what it should be" ;;
        1)
            grep -q 'new.leat: cannot be .*No space left.*make room' err || fail "$1: it does not say that there is no room"
            cmp -s small/new.leat old.leat || fail "$1: the old pack is gone"
            ;;
        *) fail "$1: exit $code" ;;
    esac
    [ "$(ls -A small)" = new.leat ] || fail "$1: something is left: $(ls -A small)"
    leave
}

full=0
for ((room = 4; room < right_kib + step_kib; room += step_kib)); do
    attempt size=$((old_kib + room))k
    [ "$code" = 0 ] || full=$((full + 1))
    [ "$room" -lt "$right_kib" ] || [ "$code" = 0 ] || fail "room for $room KiB is not enough for $right_kib"
done
[ "$full" -ge $((right_kib / step_kib - 1)) ] || fail "only $full attempts met a full disk"
[ "$code" = 0 ] || fail "the last attempt had room"
attempt size=1m,nr_inodes=2 # the root and the old pack: no file can be made
[ "$code" = 1 ] || fail "a file was made where there is no inode for one"

# cached OPTIONS: packs with its cache on a tmpfs mounted with them.
cached()
{
    mount -t tmpfs -o "$1" none small
    "${pack[@]}" content -o cached.leat --cache small/cache >out 2>err </dev/null || fail "cache, $1: exit $?"
    cmp -s cached.leat right.leat || fail "cache, $1: the pack is not what it should be"
    [ "$(wc -l <err)" = 1 ] && grep -q "^leat: the cache small/cache $2" err || fail "cache, $1: nobody said: $2"
    [ -z "$(find small -name 'tmp-*')" ] || fail "cache, $1: something is left"
    leave
}
cached size=48k "lies on a disk that is nearly full"
cached size=4m,nr_inodes=3 "cannot be added to: No space left" # the root, the folder, its tag: no subfolder
cached size=4m,nr_inodes=1 "cannot be made: No space left"
echo "full disk: $full attempts without room (and one without an inode) are told and cost nothing; with room it packs"
