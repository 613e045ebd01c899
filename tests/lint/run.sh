#!/usr/bin/env bash
# Checks of the sources that no compiler makes: who may include whom, how files open, widths, tabs; that each public header
# compiles alone as C11 and C++17, and that leat.h stays short and leads to the others. Prints each breach as FILE:LINE: what is wrong.
#
#   tests/lint/run.sh SOURCE
set -euo pipefail

cd "$1"
breaches=0

breach()
{
    echo "$1"
    breaches=$((breaches + 1))
}

# forbid WHAT PATTERN FILE...: each line that matches is a breach.
forbid()
{
    local what=$1 pattern=$2 line
    shift 2
    [ $# -gt 0 ] || return 0
    while IFS= read -r line; do
        breach "$line: $what"
    done < <(grep -nHE "$pattern" "$@" || true)
}

mapfile -t sources < <(find streamer demo assets tests -name '*.[ch]' -o -name '*.cpp' | sort)
mapfile -t ours < <(find streamer demo assets -name '*.[ch]' | sort)

# A tab in a source; lines that do not fit. Tables of data are let off, and headers have room for a declaration in one line.
forbid "a tab" $'\t' "${sources[@]}"
mapfile -t files < <(printf '%s\n' "${ours[@]}" | grep -v -e '_data\.c$' -e '/catalog\.c$' -e '\.h$')
forbid "more than 120 columns" '^.{121,}' "${files[@]}"
mapfile -t files < <(printf '%s\n' "${ours[@]}" | grep '\.h$')
forbid "more than 132 columns" '^.{133,}' "${files[@]}"

# Each file opens by saying what it is for.
for file in "${sources[@]}"; do
    case $(head -c 2 "$file") in
        '//' | '/*') ;;
        *) breach "$file:1: no prologue" ;;
    esac
done

# The demo sees the public headers only; so do the examples.
mapfile -t files < <(find demo streamer/examples -name '*.[ch]')
forbid "the demo and the examples see only the public headers of Leat" '#include "(.*streamer/|pack_index|base|io|scheduler)\.h?' "${files[@]}"

# The packer sees the public headers, the pack's index, and what stands on nothing but the system.
mapfile -t files < <(find assets -name '*.[ch]')
forbid "the packer may include of the streamer base.h, threads.h, dds.h and pack_index.h only" \
    '#include "(io|scheduler|window|streamer|decode|region|file|arena|handles|resolve|command_queue)\.h"' "${files[@]}"

# Reading and decoding do not know each other; what decides does no I/O and reads no clock.
forbid "io does not know decode" '#include "decode' streamer/src/io*.[ch]
forbid "decode does not know io" '#include "io' streamer/src/decode*.[ch]
forbid "the scheduler and the window are pure" '#include .*(io\.h|decode\.h|pthread|liburing|time\.h|unistd)|clock_gettime|pthread_' \
    streamer/src/scheduler.[ch] streamer/src/window.[ch]

# Public headers stand alone in both languages, with each compiler there is.
for header in streamer/include/leat/*.h; do
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        for language in "c -std=c11" "c++ -std=c++17"; do
            # shellcheck disable=SC2086 # two words
            $compiler -x $language -Istreamer/include -Wall -Wextra -pedantic -Werror -fsyntax-only -include "leat/${header##*/}" /dev/null ||
                breach "$header:1: does not compile alone with $compiler as $language"
        done
    done
done

# leat.h is what one reads, from end to end: it stays short, names each of the other headers, and includes all but the two that
# are for few.
manual=streamer/include/leat/leat.h
lines=$(wc -l <$manual)
[ "$lines" -le 400 ] || breach "$manual:1: $lines lines; 400 are what one reads: move what is looked up to the header that it belongs in"
for header in streamer/include/leat/*.h; do
    name=leat/${header##*/}
    case $name in
        leat/leat.h) ;;
        leat/sim.h | leat/pack_format.h) grep -q "^ \* and in two .*$name" $manual || breach "$manual:1: does not name $name" ;;
        *)
            grep -q "^ \*     $name  " $manual || breach "$manual:1: does not say what is in $name"
            grep -qx "#include <$name>" $manual || breach "$manual:1: does not include $name"
            ;;
    esac
done

# What is shown in C is C: example NAME ALONG < LINES. ALONG: declarations that the lines take for granted.
example()
{
    {
        echo '#include <leat/sim.h>'
        echo 'static inline void upload(const void *data, uint64_t size) { (void)data, (void)size; }'
        echo "int main(void) { $2"
        grep -v '^#include'
        echo 'return 0; }'
    } | gcc -x c -std=c11 -Istreamer/include -Wall -Wextra -pedantic -Werror -fsyntax-only - ||
        breach "$1:1: its example does not compile"
}

grep -q 'leat_destroy(s);' $manual
example $manual '' < <(sed -n '/^ \*     leat_streamer \*s/,/^ \*     leat_destroy/s/^ \*     //p' $manual)
example streamer/include/leat/sim.h 'leat_streamer *s = NULL; uint64_t frame = 1;' < <(
    sed -n '/^ \*     struct leat_sim_desc/,/^ \*     leat_update/s/^ \*     //p' streamer/include/leat/sim.h)
example README.md '' < <(sed -n '/^```c$/,/^```$/{/^```/d;p}' README.md)

echo "${#sources[@]} files, $breaches breaches"
[ "$breaches" = 0 ]
