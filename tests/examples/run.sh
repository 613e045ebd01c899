#!/usr/bin/env bash
# Runs the examples on a small pack, and on one that is not there: run.sh MAKE_PACK SMALLEST ENGINE_LOOP
set -euo pipefail
folder=$(mktemp -d "${TMPDIR:-/tmp}/leat-examples.XXXXXX")
trap 'rm -rf "$folder"' EXIT
pack="$folder/a pack.leat"
"$1" "$pack"
"$2" "$pack" >"$folder/out"
grep -q 'ready' "$folder/out"
"$2" "$pack" folder1/asset_1 >"$folder/out"
grep -q 'folder1/asset_1: ready' "$folder/out"
if "$2" "$pack" no/such/asset 2>/dev/null; then
    echo "smallest found an asset that is not there" >&2
    exit 1
fi
if "$2" "$folder/missing.leat" 2>"$folder/errors"; then
    echo "smallest opened a pack that is not there" >&2
    exit 1
fi
grep -q 'missing.leat' "$folder/errors"
"$3" "$pack" >"$folder/out"
cat "$folder/out"
grep -q '200 coarse levels' "$folder/out"
grep -q ', 0 failed' "$folder/out"
