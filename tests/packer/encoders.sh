#!/usr/bin/env bash
# Which objects of a program make assets, as assets/encoder_objects.cmake says it: what `leat pack` can run, by way of calls, of
# pointers and before main; a change there is another hash, and a change elsewhere is none. Where symbols do
# not tell, nothing is said, and the build id counts.
#
#   tests/packer/encoders.sh SCRIPT CC CMAKE NM READELF
set -euo pipefail
# shellcheck source=../expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../expect.sh"

script=$1 cc=$2 cmake=$3 nm=$4 readelf=$5
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-encoders-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# source NAME TEXT: NAME.o
source_compile()
{
    echo "$2" >"$1.c"
    # shellcheck disable=SC2086
    "$cc" -w -O1 ${flags:-} -c "$1.c" -o "$1.o"
}
# hash_make: sets $hash and $count of the objects; both are empty where nothing is said.
hash_make()
{
    rm -f out.c
    expect 0 "$cmake" -DROOT=main.o "-DOBJECTS=pack.o|list.o|mips.o|table.o|early.o|shared.o|tool.o" -DNM="$nm" -DREADELF="$readelf" \
        "-DLINK=${link:-cc 12}" -DOUT="$work/out.c" -P "$script"
    hash=$(grep -o '{.*}' out.c || true)
    count=$(grep -o 'Of [0-9]*' out.c || true)
}
# other NAME TEXT same|other WHAT: with that source, the hash is the same or another; then it is as it was.
other()
{
    local before=$hash
    cp "$1.c" kept.c
    source_compile "$1" "$2"
    hash_make
    [ "$3" = same ] && [ "$hash" != "$before" ] && fail "$4 is another hash"
    [ "$3" = other ] && [ "$hash" = "$before" ] && fail "$4 is no other hash"
    source_compile "$1" "$(cat kept.c)"
    hash_make
    [ "$hash" = "$before" ] || fail "the same objects have two hashes"
}
source_compile main 'int command_pack(void); int command_list(void); int main(int c, char **v) { return c ? command_pack() : command_list(); }'
source_compile pack 'int mips(int); extern int (*const table[])(int); int command_pack(void) { return mips(1) + table[0](2); }'
source_compile list 'int shared(int); int tool(int); int command_list(void) { return shared(1) + tool(2); }'
source_compile mips 'int shared(int); int mips(int x) { return shared(x) * 2; }'
source_compile table 'static int behind(int x) { return x + 1; } int (*const table[])(int) = { behind };'
source_compile early '__attribute__((constructor)) static void early(void) { __asm__("nop"); }  int unused;'
source_compile shared 'int shared(int x) { return x ^ 5; }'
source_compile tool 'int tool(int x) { return x | 8; }'
hash_make
[ "$count" = "Of 6" ] || { cat out.c; fail "not the six objects that count"; }
other tool 'int tool(int x) { return x | 9; }' same "what only another command runs"
other list 'int shared(int); int tool(int); int command_list(void) { return shared(1) + tool(3); }' same "another command"
other main 'int command_pack(void); int command_list(void); int main(int c, char **v) { return c > 2 ? command_pack() : command_list(); }' other "main"
other mips 'int shared(int); int mips(int x) { return shared(x) * 3; }' other "what is called"
other shared 'int shared(int x) { return x ^ 6; }' other "what is called by what is called"
other table 'static int behind(int x) { return x + 2; } int (*const table[])(int) = { behind };' other "what is reached through a pointer"
other early '__attribute__((constructor)) static void early(void) { __asm__("nop; nop"); }  int unused;' other "what runs before main"
other pack 'int tool(int); int mips(int); extern int (*const table[])(int); int command_pack(void) { return mips(1) + table[0](2) + tool(3); }' other "a new call"
other tool 'int tool(int x) { return x | 8; } int mips(int);  __attribute__((weak)) int shared(int x) { return x; }' other "a second definition"
before=$hash
link='cc 13' hash_make
[ "$hash" != "$before" ] || fail "another compiler or other flags of the linker are no other hash"
nm=false hash_make
[ -z "$count$hash" ] || fail "without nm, some objects count"
"$cc" -Wall -Wextra -Wpedantic -Werror -c out.c -o out.o
readelf=/none hash_make
[ -z "$count$hash" ] || fail "without readelf, some objects count"
if flags=-flto source_compile tool 'int tool(int x) { return x | 8; }' 2>/dev/null; then
    hash_make
    [ -z "$count$hash" ] || fail "where the whole program is optimised as one, some objects count"
else
    echo "not shown here: link-time optimisation, which this compiler does not have"
fi
echo "encoders: all passed"
