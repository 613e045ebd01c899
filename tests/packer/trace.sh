#!/usr/bin/env bash
# leat trace on a trace of a real run: top lists requests, why explains one of them, and what is no trace is refused.
#
#   tests/packer/trace.sh LEAT LEAT-BENCH
set -euo pipefail
# shellcheck source=../expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../expect.sh"

leat=$1
bench=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-trace-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

expect 0 "$bench" trace --quick --trace "a trace.json"
expect 0 "$leat" trace top "a trace.json" --count 3
cat out
id=$(awk '/slowest/ { getline; print $1 }' out)
[[ $id =~ ^[0-9]+\.[0-9]+$ ]] || fail "no id in: $id"
[ "$(sed -n '/slowest/,$p' out | wc -l)" = 4 ] || fail "--count 3 did not list three"

expect 0 "$leat" trace why "a trace.json" --request "$id"
cat out
grep -q "^request $id: [a-z]" out || fail "the request and its asset are not named"
grep -q "Most of it: " out || fail "nothing is concluded"
total=$(sed -n 's/.*; \([0-9.]*\) ms in all/\1/p' out)
sum=$(awk '$3 == "ms" && $5 == "%" { sum += $2 } $4 == "ms" && $6 == "%" { sum += $3 } END { printf "%.3f", sum }' out)
awk -v a="$total" -v b="$sum" 'BEGIN { exit !(a - b < 0.02 && b - a < 0.02) }' || fail "the parts make $sum ms, the whole is $total"

expect 0 "$leat" trace why "a trace.json" --request "$id" --json
grep -q "\"request\":.*\"$id\"" out || fail "JSON does not name the request"
expect 1 "$leat" trace why "a trace.json" --request 4000000.1
expect 2 "$leat" trace why "a trace.json" --request seven
expect 2 "$leat" trace why "a trace.json"
expect 2 "$leat" trace
expect 2 "$leat" trace top
expect 1 "$leat" trace top missing.json
echo '{"traceEvents":[]}' >foreign.json
expect 1 "$leat" trace top foreign.json
head -c 1000 "a trace.json" >cut.json
expect 1 "$leat" trace top cut.json
echo "passed"
