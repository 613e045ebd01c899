#!/usr/bin/env bash
# Counts the system calls of a steady run with strace, by thread and call, and prints them beside the streamer's own
# counters: what `leat-bench steady` says of itself, said by the kernel.
#
#   count_syscalls.sh LEAT_BENCH [PACK]        without a pack, a synthetic one is made; exit 77: no strace here
#
# Counted is what lies between the two marks of a run (access() on paths that are not there). strace slows everything
# down, so that there are fewer requests a frame than without it: this counts, and does not time.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: count_syscalls.sh LEAT_BENCH [PACK]" >&2
    exit 2
fi
if ! command -v strace >/dev/null || ! strace -f -o /dev/null true 2>/dev/null; then
    echo "skipped: strace is not installed (Debian's package: strace), or may not trace here" >&2
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-strace-XXXXXX")
trap 'rm -rf "$work"' EXIT
strace -f -o "$work/trace" "$1" steady --seconds 3 ${2:+--pack "$2"} >"$work/out" 2>&1 ||
    { cat "$work/out" >&2; exit 1; }

for run in cold warm; do
    requests=$(awk -v name="${run}_requests" '$1 == name { print $2 + 0 }' "$work/out")
    reads=$(awk -v name="${run}_reads" '$1 == name { print $2 + 0 }' "$work/out")
    echo
    echo "$run: $requests requests ended, $reads reads went out; by strace, between the marks:"
    awk -v run="$run" -v requests="$requests" -v reads="$reads" '
        # A thread is named by who starts it, in /proc/self/task/TID/comm.
        match($0, /task\/[0-9]+\/comm/) { named = substr($0, RSTART + 5, RLENGTH - 10); next }
        named != "" && match($0, /write\([0-9]+, "[^"]*"/) {
            name[named] = substr($0, RSTART, RLENGTH); sub(/^[^"]*"/, "", name[named]); sub(/"$/, "", name[named]); named = ""
            next
        }
        index($0, "access(\"/leat-bench/" run "/begin\"") { on = 1; next }
        index($0, "access(\"/leat-bench/" run "/end\"") { on = 0 }
        # PID CALL(...) = ... ; a call that another thread interrupts is written in two lines, and counted once
        !on || / resumed>/ || $2 == "---" || $2 == "+++" { next }
        {
            thread = ($1 in name) ? name[$1] : "engine"
            if (thread ~ /^leat-decode/) thread = "leat-decode"
            call = $2; sub(/\(.*/, "", call)
            if (thread == "engine" && call == "clock_nanosleep") next # the frames of the bench itself
            count[thread, call]++; all[thread]++; seen[call] = 1
        }
        function line(thread, text, by, per,    call, rest) {
            for (call in seen) if ((thread, call) in count) rest = rest sprintf(" %s %d", call, count[thread, call])
            printf "  %-12s %8d calls: %8.3f %s (%s )\n", thread, all[thread], all[thread] / by * per, text, rest
        }
        END {
            line("engine", "per 1,000 requests", requests, 1000)
            for (thread in all) if (thread ~ /^leat-io/) line(thread, "per read", reads, 1)
            line("leat-decode", "per read", reads, 1)
        }' "$work/trace"
    echo "  by the streamer's counters:"
    grep -E "^ *${run}_(engine_calls|io_calls|worker_wakes|wakes)" "$work/out" | sed 's/^/  /'
done
