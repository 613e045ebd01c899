#!/usr/bin/env bash
# Instruction counts over commits, as CSV: builds each commit of a range in a worktree of its own and counts there, with the
# programme and the script of this checkout, so that all numbers count the same work.
#
#   tests/guard/history.sh FROM..TO CSV
#
# Appends "commit,date,name,instructions" lines to CSV, oldest commit first. Functions that a commit does not have are left
# out; a commit that does not build, or does not run the programme, is named and left out. Exit 0: at least one was counted.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
case ${1:-} in
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *..*) ;;
    *) echo "usage: tests/guard/history.sh FROM..TO CSV (see --help)" >&2; exit 2 ;;
esac
csv=$(realpath -m "${2:?usage: tests/guard/history.sh FROM..TO CSV}")
commits=$(git -C "$here" rev-list --reverse --first-parent "$1")
[ -n "$commits" ] || { echo "tests/guard/history.sh: no commits in $1" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/leat-history-XXXXXX")
tree=$work/tree
leave()
{
    git -C "$here" worktree remove --force "$tree" 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT
git -C "$here" worktree add --quiet --detach "$tree" "${commits%%$'\n'*}"

# count COMMIT: checks it out over the last one, and keeps the build folder, so that only what differs is built.
count()
{
    git -C "$tree" checkout --quiet --force --detach "$1" &&
        rm -rf "$tree/tests/guard" && cp -r "$here" "$tree/tests/guard" || return 1
    grep -q '^add_subdirectory(guard)' "$tree/tests/CMakeLists.txt" ||
        echo 'add_subdirectory(guard)' >>"$tree/tests/CMakeLists.txt"
    cmake -S "$tree" --preset dev -B "$work/build" -DLEAT_BUILD_DEMO=OFF -DLEAT_BUILD_PACKER=OFF -DLEAT_BUILD_EXAMPLES=OFF \
        -DLEAT_WERROR=OFF && cmake --build "$work/build" --target guard &&
        "$tree/tests/guard/run.sh" --measure --csv "$csv" "$work/build/tests/guard/guard"
}

counted=0
for commit in $commits; do
    title=$(git -C "$here" show -s --format='%h %s' "$commit")
    if count "$commit" >"$work/log" 2>&1; then
        counted=$((counted + 1))
        echo "$title"
    else
        echo "left out: $title: $(tail -n 1 "$work/log")"
    fi
done
echo "$counted commits counted in $csv"
[ "$counted" -gt 0 ]
