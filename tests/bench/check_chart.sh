#!/usr/bin/env bash
# leat-bench-chart on measurements that are known: medians and names are in the picture, markup in names is not markup, the
# same input gives the same bytes, and what is no measurement is refused with the reason.
#
#   tests/bench/check_chart.sh LEAT_BENCH_CHART
set -euo pipefail

chart=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-chart-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fail()
{
    echo "FAILED: $1" >&2
    exit 1
}

cat >peers.json <<'JSON'
{"suites": "peers", "pack": "/somewhere/a.leat", "figures": [], "raw": {
 "peers/a <b> & c/cold": [1.0e9, 3.0e9, 2.007e9], "peers/a <b> & c/cold/cpu": [0.5, 0.25, 0.75],
 "peers/a <b> & c/warm": [4.0e9, 6.002e9], "peers/a <b> & c/warm/cpu": [0.131],
 "peers/leat/cold": [2.509e9, 2.4e9, 2.6e9], "peers/leat/cold/cpu": [0.375], "other/leat/cold": [9e9]}}
JSON
"$chart" peers.json one.svg
"$chart" peers.json two.svg
cmp one.svg two.svg || fail "the same input gave other bytes"
for text in '>2,007<' '>5,001<' '>2,509<' '>0.50<' '>0.13<' '>0.38<' 'a &lt;b&gt; &amp; c' '>Leat<' 'not measured' 'a\.leat'; do
    grep -q -- "$text" one.svg || fail "$text is not in the picture"
done
! grep -q '<b>' one.svg || fail "a name became markup"
! grep -q '>9,000<' one.svg || fail "what is of another suite is in the picture"
# The fastest cold contestant comes first.
[ "$(grep -o '>Leat<\|>a &lt;b' one.svg | head -n 1)" = '>Leat<' ] || fail "the rows are not in order"
if command -v xmllint >/dev/null; then
    xmllint --noout one.svg || fail "it is no XML"
fi

refused()
{
    local code=$1 text=$2 got=0
    shift 2
    "$chart" "$@" 2>err || got=$?
    [ "$got" = "$code" ] || fail "exit $got, not $code: $*"
    grep -q -- "$text" err || { cat err; fail "it did not say \"$text\""; }
}
echo '{"raw": {}}' >empty.json
echo 'no JSON' >broken.json
refused 1 'no contestants' empty.json out.svg
refused 1 'no contestants' broken.json out.svg
refused 1 'missing.json: No such file' missing.json out.svg
refused 1 'nowhere/out.svg: No such file' peers.json nowhere/out.svg
refused 2 usage peers.json
echo "chart: all passed"
