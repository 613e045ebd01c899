#!/usr/bin/env bash
# Counts the instructions of the hot paths with callgrind, per request or chunk, and holds them against bounds.txt: what
# became slower is seen on any machine, however noisy.
#
#   tests/guard/run.sh [--measure] [--csv FILE] GUARD
#
#   GUARD        the programme built from guard.c, as RelWithDebInfo by gcc (cmake --preset dev)
#   --measure    hold against nothing: print a new table in the form of bounds.txt, so that
#                    tests/guard/run.sh --measure build/dev/tests/guard/guard >bounds.new && mv bounds.new tests/guard/bounds.txt
#                sets the bounds anew. The tolerance of each name stays what it was, or is 15.
#   --csv FILE   append "commit,date,name,instructions" lines as well (see history.sh)
#
# Exit 0: all within their bounds; 1: one is not, or could not be counted; 2: usage; 77: valgrind is not here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
bounds=$here/bounds.txt
measure=no csv='' guard=''
while [ $# -gt 0 ]; do
    case $1 in
        --measure) measure=yes ;;
        --csv) csv=${2:?--csv needs a file}; shift ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        -*) echo "tests/guard/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
        *) guard=$1 ;;
    esac
    shift
done
[ -n "$guard" ] || { echo "tests/guard/run.sh: which programme? (see --help)" >&2; exit 2; }
[ -x "$guard" ] || { echo "tests/guard/run.sh: $guard is not there; build the target guard" >&2; exit 2; }

if ! command -v valgrind >/dev/null || ! command -v callgrind_annotate >/dev/null; then
    echo "skipped: valgrind, which counts the instructions, is not installed (Debian: valgrind)"
    exit 77
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/leat-guard-XXXXXX")
trap 'rm -rf "$work"' EXIT
if ! valgrind --tool=callgrind --toggle-collect='guard_*' --callgrind-out-file="$work/counts" "$guard" \
    >"$work/names" 2>"$work/log"; then
    cat "$work/log" >&2
    echo "FAILED: the programme did not run under callgrind" >&2
    exit 1
fi
callgrind_annotate --inclusive=yes --threshold=100 --auto=no "$work/counts" >"$work/functions"

# NAME INSTRUCTIONS, one a line; instructions "?" where the function is not in the profile.
awk '
    NR == FNR {
        if (match($0, /:[A-Za-z_0-9.]+ \[|:[A-Za-z_0-9.]+$/)) {
            name = substr($0, RSTART + 1, RLENGTH - 1)
            sub(/ \[$/, "", name)
            count = $1
            gsub(/,/, "", count)
            if (!(name in cost)) cost[name] = count
        }
        next
    }
    { print $1, ($2 in cost) ? sprintf("%.1f", cost[$2] / $3) : "?" }
' "$work/functions" "$work/names" >"$work/measured"

if [ -n "$csv" ]; then
    commit=$(git -C "$here" rev-parse --short=10 HEAD 2>/dev/null || echo unknown)
    date=$(git -C "$here" show -s --format=%cs HEAD 2>/dev/null || echo unknown)
    # "+": the sources differ from that commit.
    [ -z "$(git -C "$here/../.." status --porcelain -- streamer 2>/dev/null)" ] || commit=$commit+
    [ -s "$csv" ] || echo "commit,date,name,instructions" >>"$csv"
    awk -v commit="$commit" -v date="$date" '$2 != "?" { print commit "," date "," $1 "," $2 }' "$work/measured" >>"$csv"
fi

if [ "$measure" = yes ]; then
    awk '
        NR == FNR { if ($0 ~ /^#/) print; else if (NF == 3) tolerance[$1] = $3; next }
        { printf "%-18s %9s  %s\n", $1, $2, ($1 in tolerance) ? tolerance[$1] : 15 }
    ' "$bounds" "$work/measured"
    exit 0
fi

awk '
    NR == FNR { if ($0 !~ /^#/ && NF == 3) { written[$1] = $2; bound[$1] = $2 * (1 + $3 / 100) }; next }
    FNR == 1 { printf "%-18s %12s %12s\n", "", "instructions", "bound" }
    {
        seen[$1] = 1
        if ($2 == "?") { verdict = "FAILED: its function was not called, or not by this name"; bad = 1 }
        else if (!($1 in bound)) { verdict = "FAILED: bounds.txt has no line for it"; bad = 1 }
        else if ($2 > bound[$1]) {
            verdict = sprintf("FAILED: %+.0f %% against %s", 100 * ($2 / written[$1] - 1), written[$1]); bad = 1
        }
        else if ($2 < 0.7 * bound[$1]) verdict = "well below: tighten me (--measure)"
        else verdict = ""
        printf "%-18s %12s %12s  %s\n", $1, $2, ($1 in bound) ? sprintf("%.1f", bound[$1]) : "-", verdict
    }
    END {
        for (name in bound) if (!(name in seen)) { print "FAILED: " name " has a bound and is not counted"; bad = 1 }
        if (bad) print "If the work is worth its instructions, set the bounds anew: tests/guard/run.sh --help"
        exit bad
    }
' "$bounds" "$work/measured"
