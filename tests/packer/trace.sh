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
grep -q "cut short" err || fail "a trace that was cut is not said to be one: $(cat err)"

# Lives that no run brings about at will: cancelled while it waits for memory, joined to another's read, announced late,
# not ended. Times in microseconds.
life() # ID PRIORITY EVENT...: each event is PHASE NAME TS ARGS
{
    local id=$1 priority=$2
    shift 2
    echo ",{\"ph\":\"b\",\"cat\":\"request\",\"name\":\"request\",\"ts\":1000,\"id\":\"$id\",\"args\":{\"priority\":\"$priority\",\"asset\":\"a\"}}"
    while [ $# -gt 0 ]; do
        echo ",{\"ph\":\"$1\",\"cat\":\"request\",\"name\":\"$2\",\"ts\":$3,\"id\":\"$id\",\"args\":{$4}}"
        shift 4
    done
}
{
    echo '{"displayTimeUnit":"ms","traceEvents":[{"ph":"b","cat":"read","name":"read","ts":1500,"id":"7.1","args":{"bytes":4096}}'
    echo ',{"ph":"e","cat":"read","name":"read","ts":3500,"id":"7.1","args":{}}'
    life 1.1 high n admitted 1100 '"bytes":2048' n waits_for_memory 1200 '' n cancel 4000 '' b ready 5000 '' \
        e request 5100 '"ended":"CANCELLED"'
    life 2.1 urgent n late 1100 '"predicted_us":9000,"deadline_us":2000' n admitted 1100 '"bytes":2048' \
        n shared 1600 '"bytes":2048,"read":"7.1"' n decoded 3700 '"decode_ns":100000' b ready 3700 '' \
        e request 3800 '"ended":"READY"'
    life 3.1 normal n admitted 1100 '"bytes":2048'
    life 5.1 prefetch n admitted 1100 '"bytes":2048' n reprioritised 1300 '"priority":"high","deadline_us":9000' \
        n reprioritised 1400 '"priority":"urgent","deadline_us":3000' n reprioritised 1600 '"priority":"urgent"'
    life 6.1 normal n admitted 1100 '"bytes":2048' n reprioritised 1300 '"priority":"normal","deadline_us":9000'
    life 4.1 normal n admitted 11000 '"bytes":2048'
    echo '],"otherData":{"leat":"0.1.0"}}'
} >lives.json
told() # ID LINE...: each line is part of what why says
{
    local id=$1 line
    expect 0 "$leat" trace why lives.json --request "$id"
    shift
    for line; do
        grep -Eq -- "$line" out || fail "request $id: no match for /$line/ in: $(cat out)"
    done
}
told 1.1 'memory +3.800 ms' 'decode +0.000 ms' 'leat_cancel was called 3.000 ms' 'Most of it: waiting for memory\.$'
told 2.1 'device +1.900 ms' 'read 7.1: 4 KiB, out 0.500 ms after submit, 2.000 ms' 'ready 8.000 ms after' 'deadline was 1.000 ms'
told 3.1 'not ended' '10.000 ms in all' 'queue +9.900 ms'
told 5.1 ', prefetch, later urgent,' 're-prioritised 3 times, last 0.600 ms after its submit: urgent, without a deadline'
told 6.1 ' normal, 2.0 KiB' 're-prioritised 1 time, last 0.300 ms .*: normal, with a deadline 7.700 ms after that order'
told 4.1 '^request' && ! grep -q 're-prioritised' out || fail "an order that was never given is told: $(cat out)"
expect 0 "$leat" trace why lives.json --request 5.1 --json
grep -q '"priority_last":.*"urgent"' out || fail "JSON does not say the last class"
expect 0 "$leat" trace top lives.json
grep -q "6 requests: 1 ready, 0 failed, 1 cancelled, 4 not ended; 1 reads" out || fail "top counts: $(head -n 1 out)"
echo "passed"
