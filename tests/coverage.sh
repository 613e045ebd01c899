#!/usr/bin/env bash
# Says which lines and branches of the streamer the tests run, and whether that is enough.
#
#   tests/coverage.sh [--no-install] [--no-run] [--missing] [--help]
#
#   --no-install   install nothing: say which packages are missing and stop
#   --no-run       build nothing and run nothing: count what the last run has left
#   --missing      name the lines and branches that never ran, too
#
# Builds the preset `coverage` (gcc, nothing optimised, assertions compiled out: the branch that ends the program is
# taken in no right one) in build/coverage or $LEAT_BUILD_DIR/coverage, runs the unit tests and those with hostile bytes
# (ctest labels `unit` and `hostile`), and prints a table of streamer/src. Simulator and interleaving are not counted:
# they are built from other sources, with bugs planted in them. Takes about two minutes on two cores.
#
# The goals: all branches of what checks bytes, settings and paths; 95 % of the branches of scheduler and window; 90 % of
# all lines. Exit code: 0 they are reached; 1 they are not, or a test failed; 2 it cannot run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
folder=${LEAT_BUILD_DIR:-$root/build}/coverage
# shellcheck source=packages.sh
. "$root/tests/packages.sh"

packages=install
run=yes
missing=no
for argument in "$@"; do
    case $argument in
        --no-install) packages=check ;;
        --no-run) run=no ;;
        --missing) missing=yes ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) echo "tests/coverage.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
    esac
done

packages_need "$packages" "${PACKAGES_LIBRARY[@]}" "${PACKAGES_PACKER[@]}" "${PACKAGES_TESTS[@]}" \
    "${PACKAGES_COVERAGE[@]}" || exit 2

status=0
if [ "$run" = yes ]; then
    build_preset "$root" coverage "$folder" || exit 2
    find "$folder" -name '*.gcda' -delete
    ctest --test-dir "$folder" --output-on-failure --no-tests=error --parallel "$(nproc)" \
        -L '^(unit|hostile)$' -LE '^long$' </dev/null || status=1
elif [ -z "$(find "$folder" -name '*.gcda' -print -quit 2>/dev/null)" ]; then
    echo "tests/coverage.sh: nothing has run in $folder yet; leave --no-run out" >&2
    exit 2
fi

# The counts of one branch lie where the compiler put its code, so gcov looks at the objects of the library alone.
counts=$folder/coverage.json
gcovr --root "$root" --filter "$root/streamer/src/" --exclude-directories '.*/tests/(sim|interleave)/.*' --json "$counts" \
    "$folder" >/dev/null
if [ "$missing" = yes ]; then
    gcovr --root "$root" --add-tracefile "$counts" --txt
    gcovr --root "$root" --add-tracefile "$counts" --txt --branches
fi

gcovr --root "$root" --add-tracefile "$counts" --csv | awk -F, '
    BEGIN {
        split("dds.c file.c folder.c format.c loose.c pack_index.c resolve.c", all, " ")
        for (i in all) goal[all[i]] = 100
        goal["scheduler.c"] = goal["window.c"] = 95
        printf "%-20s %16s %18s   %s\n", "", "lines", "branches", "goal"
    }
    function share(part, whole) { return whole == 0 ? 100 : 100 * part / whole }
    # 99.96 % is not 100 %, whatever rounding says.
    function line(name, lines_run, lines, taken, branches, wanted, text) {
        printf "%-20s %5d of %5d  %3d %%  %5d of %5d  %3d %%   %s\n", name, lines_run, lines, share(lines_run, lines),
            taken, branches, share(taken, branches), text
    }
    FNR > 1 {
        name = $1
        sub(".*/", "", name)
        text = ""
        if (name in goal) {
            reached = share($6, $5) >= goal[name]
            text = sprintf("branches %d %%: %s", goal[name], reached ? "reached" : "MISSED")
            missed += !reached
            seen[name] = 1
        }
        line(name, $3, $2, $6, $5, "", text)
        lines += $2; lines_run += $3; branches += $5; taken += $6
    }
    END {
        reached = share(lines_run, lines) >= 90
        missed += !reached
        line("streamer/src", lines_run, lines, taken, branches, "", "lines 90 %: " (reached ? "reached" : "MISSED"))
        for (name in goal) if (!(name in seen)) { print name ": is not counted at all"; ++missed }
        exit missed > 0
    }' || status=1
[ $status = 0 ] || echo "Not reached, or a test failed: see above."
exit $status
