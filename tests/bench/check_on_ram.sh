#!/usr/bin/env bash
# on_ram.sh hands the command a true copy on another file system, its exit code back, and leaves nothing behind.
#
#   tests/bench/check_on_ram.sh        exit 77: no loop device may be mounted here
set -euo pipefail

on_ram=$(realpath "$(dirname "$0")")/on_ram.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-check-XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

fail()
{
    echo "FAILED: $1" >&2
    exit 1
}

head -c 1500000 /dev/urandom >"$work/the pack"
code=0
"$on_ram" "$work/the pack" -- true 2>"$work/said" || code=$?
if [ "$code" != 0 ]; then
    echo "SKIPPED: no disk of memory here: $(tail -n 1 "$work/said")"
    exit 77
fi
"$on_ram" "$work/the pack" -- cmp "$work/the pack" {} || fail "the copy is another"
[ "$("$on_ram" "$work/the pack" -- stat -f -c %T {})" = ext2/ext3 ] || fail "the copy is not on ext4"
"$on_ram" "$work/the pack" -- sh -c 'exit 5' || code=$?
[ "$code" = 5 ] || fail "the command's exit code 5 came back as $code"
"$on_ram" "$work/nothing" -- true 2>"$work/said" && fail "a pack that is not there was taken"
grep -q "nothing: no such file" "$work/said" || fail "it does not say which file is missing"
[ -z "$(find "$work" -name 'leat-on-ram-*')" ] || fail "it left its folder behind"
! grep -q leat-on-ram /proc/mounts || fail "it left something mounted"
