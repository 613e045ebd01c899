#!/usr/bin/env bash
# Runs the programs in a sandbox that forbids io_uring as containers do (EPERM, ENOSYS): each works as it does outside,
# over threads, and says so in exactly one line; the packer reads with plain calls, so it says nothing and gives the same
# bytes. A ring that is asked for by name is refused with the reason.
#
#   tests/sandbox/run.sh SECCOMP_RUN MAKE_PACK SMALLEST LEAT_BENCH [LEAT LEAT-SAMPLES [LEAT_VIEW VIEW_FIXTURE]]
#
# Exit 77: the kernel takes no seccomp filter.
set -euo pipefail
# shellcheck source=../expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../expect.sh"

seccomp_run=$1 make_pack=$2 smallest=$3 bench=$4 leat=${5:-} samples=${6:-} view=${7:-} fixture=${8:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-sandbox-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# said_once: one line, and no other, tells of the threads, and why.
said_once()
{
    [ "$(wc -l <err)" = 1 ] || { cat err; fail "$1: not one line, but $(wc -l <err)"; }
    grep -Eq "^leat: reading with threads: io_uring is ($reason)" err || { cat err; fail "$1: it did not say why"; }
}

status=0
"$seccomp_run" EPERM -- true || status=$?
[ "$status" != 77 ] || exit 77
[ "$status" = 0 ] || fail "seccomp_run: exit $status"
expect 3 "$seccomp_run" EPERM -- sh -c 'exit 3'

"$make_pack" plain.leat
expect 0 "$smallest" plain.leat
mv out smallest.outside
if [ -n "$leat" ]; then
    "$samples" content --count-scale 0.02 --max-size 128 >/dev/null 2>&1
    expect 0 "$leat" pack content -o outside.leat --quiet
    expect 0 "$leat" list outside.leat
    mv out list.outside
fi

for cause in EPERM ENOSYS; do
    reason="forbidden here"
    [ $cause = EPERM ] || reason="not in this kernel"
    sandbox=("$seccomp_run" $cause --)

    echo "$cause: the smallest example reads the same"
    expect 0 "${sandbox[@]}" "$smallest" plain.leat
    said_once smallest
    cmp out smallest.outside || fail "smallest has read something else"

    echo "$cause: leat-bench runs over threads"
    expect 0 "${sandbox[@]}" "$bench" engine --quick --pack plain.leat
    said_once leat-bench

    if [ -n "$leat" ]; then
        echo "$cause: leat packs the same bytes and reads them, without a word: it needs no ring"
        expect 0 "${sandbox[@]}" "$leat" pack content -o inside.leat --quiet
        [ ! -s err ] || fail "leat pack has said something"
        cmp inside.leat outside.leat || fail "leat pack gave other bytes"
        expect 0 "${sandbox[@]}" "$leat" list inside.leat
        cmp out list.outside || fail "leat list has listed something else"
        expect 0 "${sandbox[@]}" "$leat" verify inside.leat
        [ ! -s err ] || fail "leat verify has said something"
    fi
done

if [ -z "$view" ]; then
    echo "leat-view is not in this build"
    echo "sandbox: all passed"
    exit 0
fi
"$fixture" textures view.leat
# Under AddressSanitizer: what Mesa's drivers leave behind when they are unloaded cannot be told from leaks of our own.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}${ASAN_OPTIONS:+:}detect_leaks=0"
small=(--headless --size 160x90 --frames 40)
if ! "$view" "${small[@]}" --report outside.json view.leat >out 2>&1; then
    grep -q 'no OpenGL' out || { cat out; fail "leat-view does not run outside either"; }
    echo "leat-view: skipped: $(cat out)"
    echo "sandbox: all others passed"
    exit 0
fi
for cause in EPERM ENOSYS; do
    reason="forbidden here"
    [ $cause = EPERM ] || reason="not in this kernel"
    echo "$cause: leat-view walks over threads"
    expect 0 "$seccomp_run" $cause -- "$view" "${small[@]}" --report inside.json view.leat
    said_once leat-view
    grep -Eq '"backend":[[:space:]]*"threads' inside.json || fail "the report does not say threads"
    for figure in frames failed textures_resident placeholders frames_waited_for_io; do
        [ "$(grep "\"$figure\"" inside.json)" = "$(grep "\"$figure\"" outside.json)" ] ||
            fail "leat-view: $figure: $(grep "\"$figure\"" inside.json) instead of $(grep "\"$figure\"" outside.json)"
    done
    expect 1 "$seccomp_run" $cause -- "$view" "${small[@]}" --backend uring view.leat
    grep -Eq "leat-view: .*io_uring is ($reason)" err || { cat err; fail "--backend uring: it did not say why"; }
done
echo "sandbox: all passed"
