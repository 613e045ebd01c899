#!/usr/bin/env bash
# Builds the fuzz targets (preset `fuzz`: clang, libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer) and runs them, one
# after the other, each for the same time or number of runs.
#
#   tests/fuzz/run.sh [--seconds N | --hours N | --runs N] [--jobs N] [--no-build] [TARGET...]
#
#   --seconds N    for each target; 30 unless said otherwise
#   --hours N      in all, shared by the targets
#   --runs N       executions of each target, however long they take
#   --jobs N       targets at a time; 1 unless said otherwise
#   TARGET         index chunk names metadata stream image model product; all of them unless said otherwise
#
# What is new in coverage goes to FOLDER/corpus/TARGET, where FOLDER is build/fuzz or $LEAT_BUILD_DIR/fuzz; a finding goes to
# FOLDER/findings, with the one command that shows it again. Each run may have 512 MB and 25 seconds an input. Prints the
# executions of each target and of all. Exit code: 0 nothing was found; 1 something was; 2 it cannot run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
folder=${LEAT_BUILD_DIR:-$root/build}/fuzz
# shellcheck source=../packages.sh
. "$root/tests/packages.sh"

seconds=30
hours=
runs=
jobs=1
build=yes
targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --seconds | --hours | --runs | --jobs)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "tests/fuzz/run.sh: $1 needs a number from 1 on" >&2; exit 2; }
            declare "${1#--}=$2"
            shift
            ;;
        --no-build) build=no ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        -*) echo "tests/fuzz/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
        *)
            [ -d "$root/tests/fuzz/corpus/$1" ] || { echo "tests/fuzz/run.sh: there is no target $1 (see --help)" >&2; exit 2; }
            targets+=("$1")
            ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(index chunk names metadata stream image model product)
[ -z "$hours" ] || seconds=$((hours * 3600 * jobs / ${#targets[@]}))

if [ "$build" = yes ]; then
    packages_need check "${PACKAGES_LIBRARY[@]}" "${PACKAGES_PACKER[@]}" "${PACKAGES_CLANG[@]}" || exit 2
    build_preset "$root" fuzz "$folder" -- fuzz || exit 2
fi
for target in "${targets[@]}"; do
    [ -x "$folder/tests/fuzz/fuzz_$target" ] ||
        { echo "tests/fuzz/run.sh: $folder/tests/fuzz/fuzz_$target is not built; leave --no-build out" >&2; exit 2; }
done
mkdir -p "$folder/findings"

# fuzz_one TARGET: runs it; its log is FOLDER/TARGET.log.
fuzz_one()
{
    local target=$1 limit=(-max_total_time="$seconds")
    [ -z "$runs" ] || limit=(-runs="$runs")
    mkdir -p "$folder/corpus/$target"
    ASAN_OPTIONS=quarantine_size_mb=16 "$folder/tests/fuzz/fuzz_$target" "${limit[@]}" -rss_limit_mb=512 -timeout=25 \
        -print_final_stats=1 -dict="$root/tests/fuzz/leat.dict" -artifact_prefix="$folder/findings/$target-" \
        "$folder/corpus/$target" "$root/tests/fuzz/corpus/$target" >"$folder/$target.log" 2>&1 </dev/null
}

status=0
total=0
# report TARGET: one line of what a run of it did.
report()
{
    local count peak finding
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$1.log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$folder/$1.log")
    total=$((total + ${count:-0}))
    printf '%-10s %10s executions, %4s MB at most\n' "$1" "${count:-?}" "${peak:-?}"
    finding=$(sed -n 's/.*Test unit written to //p' "$folder/$1.log" | tail -n 1)
    if [ -n "$finding" ] || [ -z "$count" ]; then
        status=1
        echo "  FOUND: $(grep -aE '^SUMMARY|^.*ERROR' "$folder/$1.log" | tail -n 1); the log is $folder/$1.log"
        [ -z "$finding" ] || echo "  show it again: $folder/tests/fuzz/fuzz_$1 $finding"
    fi
}

for ((i = 0; i < ${#targets[@]}; i += jobs)); do
    group=("${targets[@]:i:jobs}")
    for target in "${group[@]}"; do
        fuzz_one "$target" &
    done
    wait
    for target in "${group[@]}"; do
        report "$target"
    done
done
echo "$total executions of ${#targets[@]} targets"
exit $status
