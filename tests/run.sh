#!/usr/bin/env bash
# Builds Leat and runs its tests. On a fresh Debian 12 it first installs the packages that are missing.
#
#   tests/run.sh [--quick|--long] [--fuzz-seconds N] [--no-install] [--help]
#
#   (nothing)      all tests, then the tests again under AddressSanitizer with UndefinedBehaviorSanitizer, then the
#                  threaded ones under ThreadSanitizer; under 20 minutes on two cores
#   --quick        one build, the unit tests and the quick ones; under two minutes
#   --long         all of the above, MemorySanitizer on what meets hostile bytes, coverage with its goals, and the tests
#                  that take hours elsewhere: long simulations, fuzzing, soak
#   --fuzz-seconds N   fuzz each target of tests/fuzz for N seconds at the end, two at a time; 30, or 0 with --quick
#   --no-install   install nothing: say which packages are missing and stop
#
# Builds go to build/PRESET in the repository, or to $LEAT_BUILD_DIR/PRESET. The last line sums up all builds:
# "N passed, N failed, N skipped". The exit code is 0 only when none failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=${LEAT_BUILD_DIR:-$root/build}
# shellcheck source=packages.sh
. "$root/tests/packages.sh"

extent=full
packages=install
fuzz_seconds=
while [ $# -gt 0 ]; do
    case $1 in
        --quick) extent=quick ;;
        --long) extent=long ;;
        --no-install) packages=check ;;
        --fuzz-seconds)
            [[ ${2:-} =~ ^[0-9]+$ ]] || { echo "tests/run.sh: --fuzz-seconds needs a number" >&2; exit 2; }
            fuzz_seconds=$2
            shift
            ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) echo "tests/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$fuzz_seconds" ] || { [ $extent = quick ] && fuzz_seconds=0 || fuzz_seconds=30; }

packages_need "$packages" "${PACKAGES_LIBRARY[@]}" "${PACKAGES_PACKER[@]}" "${PACKAGES_DEMO[@]}" "${PACKAGES_TESTS[@]}" ||
    exit 1
if [ $extent = long ]; then
    packages_need "$packages" "${PACKAGES_KERNEL[@]}" || echo "The tests on other kernels need them."
    packages_need "$packages" "${PACKAGES_COVERAGE[@]}" || echo "Coverage needs them."
fi
if [ $extent = long ] || [ "$fuzz_seconds" -gt 0 ]; then
    packages_need "$packages" "${PACKAGES_CLANG[@]}" || echo "Fuzzing and MemorySanitizer need them."
fi

passed=0
failed=0
skipped=0
failures=()

# junit_attribute FILE NAME: a count from the head of ctest's JUnit report.
junit_attribute()
{
    sed -n "1,20{/.*[[:space:]]$2=\"\([0-9]*\)\".*/{s//\1/p;q;};}" "$1"
}

# run_preset PRESET CTEST_ARGUMENT...: builds a preset, runs its tests, adds to the sums. A build that fails counts as one.
run_preset()
{
    local preset=$1 folder=$build/$1 report=$build/$1/junit.xml status=0 wrap=() targets=() total bad skip
    shift
    [ "$preset" != msan ] || targets=(-- hostile) # the others use libraries that MemorySanitizer cannot see into
    if ! build_preset "$root" "$preset" "$folder" "${targets[@]}"; then
        failed=$((failed + 1))
        failures+=("$preset: the build")
        return 0
    fi
    # ThreadSanitizer of gcc 12 cannot map its shadow where the kernel randomises addresses by more than 28 bits.
    if [ "$preset" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        wrap=(setarch "$(uname -m)" -R)
    fi
    rm -f "$report"
    "${wrap[@]}" ctest --test-dir "$folder" --output-on-failure --no-tests=error --output-junit "$report" \
        --parallel "$(nproc)" "$@" </dev/null || status=$?
    if [ ! -s "$report" ]; then
        failed=$((failed + 1))
        failures+=("$preset: ctest gave no report (exit code $status)")
        return 0
    fi
    total=$(junit_attribute "$report" tests)
    bad=$(junit_attribute "$report" failures)
    skip=$(junit_attribute "$report" skipped)
    skip=$((${skip:-0} + $(junit_attribute "$report" disabled)))
    passed=$((passed + total - bad - skip))
    skipped=$((skipped + skip))
    if [ "$skip" -gt 0 ]; then
        echo "Skipped in $preset, because:"
        sed -n 's/^SKIPPED:\{0,1\} */  /p' "$folder/Testing/Temporary/LastTest.log" | sort | uniq
    fi
    # ctest can fail without a failed test: no test found, or it was stopped.
    [ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    failed=$((failed + bad))
    [ "$bad" = 0 ] || failures+=("$preset: $bad of $total tests, see $folder/Testing/Temporary/LastTestsFailed.log")
}

# run_script NAME COMMAND...: runs what is no ctest, as one test.
run_script()
{
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        failures+=("$name: see above")
    fi
}

export LEAT_CACHE=off
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
case $extent in
    quick)
        run_preset dev -L '^(unit|quick)$'
        ;;
    full)
        run_preset dev -LE '^long$'
        run_preset asan -LE '^(long|install|lint|bench|guard)$'
        run_preset tsan -L '^(unit|threads)$' -LE '^(long|install|lint|bench|one_thread)$'
        ;;
    long)
        export LEAT_TEST_LONG=1
        run_preset dev
        run_preset asan -LE '^(install|lint|bench)$'
        run_preset tsan -LE '^(install|lint|bench)$'
        run_preset msan -L '^hostile$'
        run_script coverage env -u LEAT_TEST_LONG "$root/tests/coverage.sh" --no-install
        ;;
esac
if [ "$fuzz_seconds" -gt 0 ]; then
    run_script fuzz "$root/tests/fuzz/run.sh" --seconds "$fuzz_seconds" --jobs 2
fi

echo
for failure in "${failures[@]}"; do
    echo "Failed: $failure"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
