#!/usr/bin/env bash
# Installs a build into an empty prefix and uses it from there as a stranger does: by find_package and by pkg-config, the
# shared and the static library, in C and in C++. Then the same after the prefix has been moved.
#
#   tests/install/run.sh BUILD SOURCE WORK
set -euo pipefail

build=$1
source=$2/tests/install
work=$3
rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/moved prefix"
prefix="$work/moved prefix"

if find "$prefix/include" -type f | grep -v '/leat/[a-z_]*\.h$'; then
    echo "more than the public headers is installed" >&2
    exit 1
fi
library=$(find "$prefix" -name libleat.so)
folder=$(dirname "$library")
readelf -d "$library" >"$work/dynamic"
grep -q 'SONAME.*\[libleat\.so\.0\]' "$work/dynamic" || { echo "no soname libleat.so.0" >&2; exit 1; }
# Everything exported is public: hidden visibility holds.
if nm -D --defined-only "$library" | awk '{ print $NF }' | grep -v '^leat_'; then
    echo "names that are not leat_* are exported" >&2
    exit 1
fi
# The static library gives those who link it the same names and no others: an engine may have a window_create of its own.
nm -D --defined-only "$library" | awk '{ print $NF }' | sort >"$work/names.shared"
nm -g --defined-only "${library%.so}.a" | awk 'NF == 3 { print $3 }' | sort >"$work/names.static"
if ! diff "$work/names.shared" "$work/names.static"; then
    echo "the global names of libleat.a (>) are not those of libleat.so (<)" >&2
    exit 1
fi

for program in leat leat-view; do
    [ ! -e "$prefix/bin/$program" ] || "$prefix/bin/$program" --help >/dev/null
done

cmake -S "$source" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/consumer.log"
cmake --build "$work/consumer"
ctest --test-dir "$work/consumer" --output-on-failure

export PKG_CONFIG_PATH=$folder/pkgconfig
# What the shared library brings along by itself, those who link the static one are told of, and nobody else.
for needed in $(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[lib\(.*\)\.so.*/\1/p'); do
    [ "$needed" != c ] || continue
    case " $(pkg-config --static --libs leat) " in
        *" -l$needed "*) ;;
        *) echo "pkg-config --static --libs leat does not name -l$needed" >&2; exit 1 ;;
    esac
    case " $(pkg-config --libs leat) " in
        *" -l$needed "*) echo "pkg-config --libs leat names -l$needed, which only the static library needs" >&2; exit 1 ;;
    esac
done
for language in c cpp; do
    compiler=(cc -std=c11)
    [ "$language" = c ] || compiler=(c++ -std=c++17)
    # eval, because pkg-config quotes the blanks in paths for a shell.
    eval "flags=($(pkg-config --cflags --libs leat))"
    "${compiler[@]}" -Wall -Wextra -pedantic -Werror "$source/consumer.$language" -o "$work/shared_$language" "${flags[@]}"
    LD_LIBRARY_PATH=$folder "$work/shared_$language"
    eval "flags=($(pkg-config --static --cflags --libs leat))"
    "${compiler[@]}" -Wall -Wextra -pedantic -Werror "$source/consumer.$language" -o "$work/static_$language" "${flags[@]/#-lleat/-l:libleat.a}"
    "$work/static_$language"
done
echo "installed, moved, and used by find_package and pkg-config"
