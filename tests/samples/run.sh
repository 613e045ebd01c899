#!/usr/bin/env bash
# The sample content is the same whatever the number of threads, and as much as the demo promises.
#
#   tests/samples/run.sh LEAT-SAMPLES WORK
set -euo pipefail

work=$2
rm -rf "$work"
mkdir -p "$work"
"$1" "$work/one" --max-size 64 --jobs 1
"$1" "$work/three" --max-size 64 --jobs 3
diff -rq "$work/one" "$work/three"
"$1" "$work/other" --max-size 64 --seed 2 --count-scale 0.1
if cmp -s "$work/one/stone/cobbles_basalt_albedo.png" "$work/other/stone/cobbles_basalt_albedo.png"; then
    echo "another seed gave the same texture" >&2
    exit 1
fi

textures=$(find "$work/one" -name '*.png' | wc -l)
meshes=$(find "$work/one" -name '*.gltf' -o -name '*.obj' | wc -l)
echo "$textures textures, $meshes meshes"
[ "$textures" -ge 400 ] && [ "$meshes" -ge 200 ]
# No two albedo images are alike.
[ -z "$(find "$work/one" -name '*_albedo.png' -exec cksum {} + | awk '{ print $1, $2 }' | sort | uniq -d)" ]
# Each texture that a mesh refers to is there, also when only a part is made.
for set in one other; do
    grep -rhoE '\.\./[a-z_0-9/]*\.png' "$work/$set" --include=*.gltf --include=*.mtl | sort -u | while read -r path; do
        [ -f "$work/$set/${path#../}" ] || { echo "missing: $path" >&2; exit 1; }
    done
done
rm -rf "$work"
