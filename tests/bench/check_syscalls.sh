#!/usr/bin/env bash
# Holds strace's count of system calls against the counters of `leat-bench methods`: the same program, one method at a
# time. Counted at the call sites and by strace must be the same number, but for the few that a method's set-up makes.
#
#   check_syscalls.sh LEAT_BENCH [METHOD...]        exit 77: no strace here, or it may not trace
set -euo pipefail

if [ $# -lt 1 ]; then
    echo "usage: check_syscalls.sh LEAT_BENCH [METHOD...]" >&2
    exit 2
fi
bench=$1
shift
[ $# -gt 0 ] || set -- pread pread-direct aio-posix aio-linux uring-buffered uring-direct uring-fixed uring-huge uring-sqpoll
if ! command -v strace >/dev/null || ! strace -c -o /dev/null true 2>/dev/null; then
    echo "skipped: strace is not installed (Debian's package: strace), or may not trace here" >&2
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-strace-XXXXXX")
trap 'rm -rf "$work"' EXIT
head -c 16777216 /dev/urandom >"$work/file"

# The calls that make up a method's operations; what else it calls is its set-up and tear-down.
calls_of()
{
    case $1 in
        pread* | aio-posix) echo pread64 ;;
        aio-linux) echo io_submit,io_getevents ;;
        uring-*) echo io_uring_enter ;;
        *) echo "check_syscalls.sh: no calls are known for the method $1" >&2; exit 2 ;;
    esac
}

failures=0
printf '%-16s %-24s %10s %10s %10s %10s\n' method calls operations counted strace calls/op
for method in "$@"; do
    calls=$(calls_of "$method")
    strace -f -c -e "trace=$calls,futex" -o "$work/strace" "$bench" methods --quick --method "$method" --file "$work/file" \
        >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
    read -r counted operations < <(sed -n "s/.*counted in all: $method \([0-9]*\) calls, \([0-9]*\) operations/\1 \2/p" "$work/out")
    if [ "$operations" = 0 ]; then
        echo "$method: cannot be had here: $(sed -n 's/.*cannot be had here: //p' "$work/out" | head -n 1)"
        continue
    fi
    traced=$(awk -v names="$calls" 'BEGIN { split(names, list, ","); for (i in list) wanted[list[i]] = 1 }
        ($NF in wanted) { sum += $4 } END { print sum + 0 }' "$work/strace")
    printf '%-16s %-24s %10s %10s %10s %10s\n' "$method" "$calls" "$operations" "$counted" "$traced" \
        "$(awk -v c="$traced" -v o="$operations" 'BEGIN { printf "%.4f", c / o }')"
    if [ "$method" = aio-posix ]; then
        awk -v o="$operations" '$NF == "futex" { printf "%-16s and %.2f futex calls an operation, by strace\n", "", $4 / o }' \
            "$work/strace"
    fi
    # Two in a thousand, and 16: SQPOLL's wake-up is seen a moment before it is decided upon.
    awk -v c="$counted" -v t="$traced" 'BEGIN { d = c > t ? c - t : t - c; exit d > 16 + t / 500 }' || {
        echo "FAILED: $method: counted $counted, strace says $traced" >&2
        failures=$((failures + 1))
    }
done
[ "$failures" = 0 ] || exit 1
echo "the counters and strace agree"
