#!/usr/bin/env bash
# Counts the system calls of a steady run with strace and prints them beside the streamer's own counters:
# count_syscalls.sh LEAT_BENCH PACK. strace slows everything down, so this counts and does not time.
set -euo pipefail
if [ $# -ne 2 ]; then
    echo "usage: count_syscalls.sh LEAT_BENCH PACK" >&2
    exit 2
fi
if ! command -v strace >/dev/null; then
    echo "strace is not installed (Debian's package: strace)" >&2
    exit 77
fi
out=$(mktemp "${TMPDIR:-/tmp}/leat-strace.XXXXXX")
trap 'rm -f "$out"' EXIT
strace -f -c -o "$out" "$1" engine --quick --pack "$2"
echo
echo "by strace, all threads, the measurement's own sleeps, create and open included:"
head -n 20 "$out"
