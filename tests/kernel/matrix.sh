#!/usr/bin/env bash
# What the lines of suite.sh say, judged, reduced, compared with those that are kept, and rendered as a page.
#
#   matrix.sh judge RESULTS                   fails where a test failed or hung, a byte differs, or nothing was run
#   matrix.sh reduce RESULTS                  the lines to keep as matrix.txt: all modes on each file system, and in each
#                                             sandbox on ext4; of the other cells, and of the modes
#                                             switched off, only how many there were
#   matrix.sh merge RESULTS KEPT              the lines to keep: those of the cells that were run now, reduced, and the kept
#                                             ones of all others
#   matrix.sh compare RESULTS KEPT some|all   fails where something is granted here that is not in the kept lines, or the
#                                             other way round; "all": where any line is new, gone or changed. Not
#                                             compared are the lines of this machine's own kernel (another machine has
#                                             another one) and those of tests, which judge has seen.
#   matrix.sh render KEPT                     the page
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=suite.sh
. "$here/suite.sh" # KERNELS, FILE_SYSTEMS, SANDBOXES

judge()
{
    local bad
    bad=$(grep -E '^@test .* result=(failed|hung)$|^@polled .*=no$|^@mode ' "$1" | grep -vE '^@mode .* bytes=identical ' || true)
    if [ -n "$bad" ]; then
        echo "FAILED:"
        echo "$bad"
        return 1
    fi
    if ! grep -q '^@test .* result=passed$' "$1" || ! grep -q '^@mode .* bytes=identical ' "$1"; then
        echo "FAILED: no test was run"
        return 1
    fi
    echo "$(grep -c '^@cell ' "$1") cells: $(grep -c '^@test .* result=passed$' "$1") programmes passed," \
        "$(grep -c '^@mode .* bytes=identical ' "$1") readings of a pack, identical bytes in all;" \
        "$(grep -c '^@skip ' "$1" || true) cells skipped"
    grep '^@skip ' "$1" | sed 's/^@skip /skipped: /' || true
}

reduce()
{
    awk '
        function word(name,    text) {
            if (!match($0, " " name "=[^ ]*")) return ""
            return substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 2)
        }
        { kept = word("fs") == "" || word("fs") == "ext4" || word("sandbox") == "none" }
        $1 == "@mode" && (!kept || word("asked") == "off") {
            cell = "kernel=" word("kernel") " fs=" word("fs") " sandbox=" word("sandbox")
            if (!(cell in modes)) order[++count] = cell
            modes[cell]++
            granted[cell] += word("granted") == "yes"
            identical[cell] += word("bytes") == "identical"
            next
        }
        kept && $1 != "@end" { sub(/ fallback="" why=""/, ""); print }
        !kept && $1 == "@skip" { print }
        END {
            for (i = 1; i <= count; ++i) {
                cell = order[i]
                print "@more " cell " modes=" modes[cell] " granted=" granted[cell] " identical=" identical[cell]
            }
        }' "$1"
}

merge()
{
    awk -v kernels="$KERNELS" -v file_systems="$FILE_SYSTEMS" -v sandboxes="$SANDBOXES" '
        function word(name) {
            if (!match($0, " " name "=[^ ]*")) return ""
            return substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 2)
        }
        function ranks(list, text,    part, i) {
            for (i = split(text, part, " "); i > 0; --i) rank[list, part[i]] = i
        }
        BEGIN { ranks("kernel", kernels); ranks("fs", file_systems); ranks("sandbox", sandboxes) }
        {
            sandbox = $1 == "@polled" ? "none" : word("sandbox")
            place = sprintf("%02d%02d%02d", rank["kernel", word("kernel")], rank["fs", word("fs")], rank["sandbox", sandbox])
            ran = $1 == "@cell" || $1 == "@more"
        }
        pass == "look" && which == "new" { seen[place] = 1; if (ran) now[place] = 1 }
        pass == "look" && which == "kept" && ran { before[place] = 1 }
        # What could not be tried this time does not take the place of what was tried before.
        pass == "take" && (which == "new" ? place in now || !(place in before) \
                                          : !(place in now) && (place in before || !(place in seen))) {
            print place "\t" $0
        }' pass=look which=new <(reduce "$1") which=kept "$2" pass=take which=new <(reduce "$1") which=kept "$2" |
        sort -s -k1,1 | cut -f2-
}

# comparable FILE EXTENT: its lines as they are compared, sorted.
comparable()
{
    grep -vE '^@test | kernel=host ' "$1" | sed 's/ release=.*//' | if [ "$2" = all ]; then cat; else
        grep '^@mode ' | sed 's/ fallback=.*//'
    fi | sort
}

compare()
{
    local results=$1 kept=$2 extent=$3 new gone
    new=$(comm -23 <(reduce "$results" | comparable /dev/stdin "$extent") <(comparable "$kept" "$extent"))
    gone=""
    if [ "$extent" = all ]; then
        # Only of the cells that were run.
        gone=$(comm -13 <(reduce "$results" | comparable /dev/stdin "$extent") <(comparable "$kept" "$extent") |
            grep -F -f <(sed -n 's/^@cell \(kernel=.* sandbox=[^ ]*\) .*/ \1 /p' "$results") || true)
    fi
    [ -n "$new$gone" ] || { echo "As matrix.txt has it."; return 0; }
    echo "FAILED: not as matrix.txt has it (if it is better now: tests/kernel/run.sh --matrix --write)"
    [ -z "$new" ] || sed 's/^/  here:    /' <<<"$new"
    [ -z "$gone" ] || sed 's/^/  missing: /' <<<"$gone"
    return 1
}

case ${1:-} in
    judge) judge "$2" ;;
    reduce) reduce "$2" ;;
    merge) merge "$2" "$3" ;;
    compare) compare "$2" "$3" "$4" ;;
    render) awk -f "$here/matrix.awk" "$2" ;;
    *) echo "usage: matrix.sh judge|reduce|merge|compare|render FILE..." >&2; exit 2 ;;
esac
