#!/usr/bin/env bash
# What leat-bench answers to options and packs that are wrong, and that the report says what ran.
#
#   check_options.sh LEAT_BENCH
set -euo pipefail

. "$(dirname "$0")/../full_device.sh"
bench=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect CODE PATTERN ARGUMENT...
expect()
{
    local code=$1 pattern=$2 status=0
    shift 2
    "$bench" "$@" >"$work/out" 2>&1 || status=$?
    if [ "$status" != "$code" ] || ! grep -Eq -- "$pattern" "$work/out"; then
        echo "FAILED: $*: exit $status instead of $code, or no match for /$pattern/ in:" >&2
        cat "$work/out" >&2
        failures=$((failures + 1))
    fi
}

expect 0 '^leat-bench [0-9]+\.[0-9]+\.[0-9]+$' --version
expect 0 '^usage' --help
expect 2 '^usage'
expect 2 'no suite "nope"' nope
for number in abc 0 -1 5x nan inf ''; do
    expect 2 "rounds is a number.*\"$number\"" limits --rounds "$number"
    expect 2 "seconds is a number.*\"$number\"" limits --seconds "$number"
done
expect 2 'rounds is a number' limits --rounds 0.5
expect 1 'missing: No such file' limits --pack "$work/missing"
printf 'short' >"$work/short"
expect 1 'shorter than a header' limits --pack "$work/short"
head -c 8192 /dev/zero >"$work/foreign"
expect 1 'is not a Leat pack' limits --pack "$work/foreign"

# A device that is full, and a folder that is none: what cannot be written is named, and nothing is removed for it.
full_device "$work"
expect 1 "$work/no/such/out: No such file" methods --method pread --quick --json "$work/no/such/out"
if [ -n "$full" ]; then
    expect 1 "$full: No space left" methods --method pread --quick --json "$full"
    expect 1 "$full: the trace cannot be written: No space left" trace --quick --trace "$full"
    status=0
    "$bench" --help >"$full" 2>"$work/out" || status=$?
    if [ "$status" != 1 ] || ! grep -q 'standard output cannot be written' "$work/out" || [ ! -c "$full" ]; then
        echo "FAILED: a full device: exit $status, $(ls -l "$full"), $(cat "$work/out")" >&2
        failures=$((failures + 1))
    fi
fi
# What the benchmark makes for itself has no name, so that nothing of it is left, even by who is killed.
mkdir "$work/made"
mkfifo "$work/said"
TMPDIR="$work/made" "$bench" all --quick >"$work/said" &
exec 3<"$work/said"
while read -r line <&3 && [ "$line" = "${line/ MB\/s/}" ]; do :; done
kill -TERM $!
status=0
wait $! || status=$?
if [ "$status" != 143 ] || [ -n "$(ls "$work/made")" ]; then
    echo "FAILED: killed: exit $status; left in TMPDIR: $(ls "$work/made")" >&2
    failures=$((failures + 1))
fi

[ "$failures" = 0 ] || exit 1
echo "all as expected"
