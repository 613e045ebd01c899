#!/usr/bin/env bash
# Runs leat-view off the screen on small packs: whole, damaged, without anything to see, missing, foreign.
#
#   headless.sh LEAT_VIEW VIEW_FIXTURE      exit 77: no OpenGL off the screen here
set -euo pipefail

. "$(dirname "$0")/../full_device.sh"
view=$1
fixture=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail()
{
    echo "FAILED: $1" >&2
    failures=$((failures + 1))
}

# What is said, but for a limit of this machine's ("...; raise fs.inotify.max_user_watches").
said()
{
    grep -v '^leat: .*; raise [A-Za-z_.]*$' "$work/out"
}

# expect CODE PATTERN NAME ARGUMENT...: leat-view ends with CODE, and what it says matches PATTERN; '' is silence.
expect()
{
    local code=$1 pattern=$2 name=$3 status=0
    shift 3
    "$view" "$@" >"$work/out" 2>&1 || status=$?
    local said=true
    if [ -z "$pattern" ]; then
        ! said >/dev/null || said=false
    else
        grep -Eq -- "$pattern" "$work/out" || said=false
    fi
    if [ "$status" != "$code" ] || [ $said = false ]; then
        fail "$name: exit $status instead of $code, or no match for /$pattern/ in:"
        cat "$work/out" >&2
    fi
}

# figure FILE NAME: the first number of that name in a report, without its fraction.
figure()
{
    sed -n "/^[[:space:]]*\"$2\":[[:space:]]*\([0-9]*\).*/{s//\1/p;q;}" "$1"
}

# at_least FILE NAME MINIMUM / exactly FILE NAME VALUE
at_least()
{
    [ "$(figure "$1" "$2")" -ge "$3" ] || fail "$(basename "$1"): $2 is $(figure "$1" "$2"), not at least $3"
}
exactly()
{
    [ "$(figure "$1" "$2")" = "$3" ] || fail "$(basename "$1"): $2 is $(figure "$1" "$2"), not $3"
}

for kind in textures damaged blobs; do
    "$fixture" "$kind" "$work/$kind.leat"
done
small=(--headless --size 320x180 --frames 40)

# Under AddressSanitizer: what Mesa's drivers leave behind when they are unloaded cannot be told from leaks of our own.
sanitizer_options=${ASAN_OPTIONS:-}
export ASAN_OPTIONS="$sanitizer_options${sanitizer_options:+:}detect_leaks=0"

if ! "$view" "${small[@]}" "$work/textures.leat" >"$work/out" 2>&1 && grep -q 'no OpenGL' "$work/out"; then
    echo "skipped: $(cat "$work/out")"
    exit 77
fi

for backend in auto threads; do
    expect 0 '' "textures, $backend" "${small[@]}" --backend "$backend" --screenshot "$work/$backend.png" \
        --report "$work/$backend.json" "$work/textures.leat"
    exactly "$work/$backend.json" frames 40
    exactly "$work/$backend.json" frames_waited_for_io 0
    exactly "$work/$backend.json" failed 0
    exactly "$work/$backend.json" placeholders 0
    at_least "$work/$backend.json" textures_resident 1
    [ "$(head -c 8 "$work/$backend.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$backend.png is no PNG"
done

expect 0 '' "numbered screenshots" "${small[@]}" --screenshot "$work/n.png" --screenshot-every 20 "$work/textures.leat"
for number in 0020 0040; do
    [ -s "$work/n-$number.png" ] || fail "n-$number.png was not written"
done

# Damage is shown and told, and the walk goes on.
expect 0 'damaged|hash' "damaged" "${small[@]}" --report "$work/damaged.json" "$work/damaged.leat"
at_least "$work/damaged.json" failed 1
at_least "$work/damaged.json" placeholders 1
at_least "$work/damaged.json" textures_resident 1
exactly "$work/damaged.json" frames 40

# A budget of one MiB is kept: textures and, at half of it, meshes.
expect 0 '' "budget" "${small[@]}" --budget 1 --report "$work/budget.json" "$work/textures.leat"
[ "$(figure "$work/budget.json" gpu_bytes_max)" -le 1572864 ] || fail "budget: $(figure "$work/budget.json" gpu_bytes_max) bytes"

# Jumps, from a cold start: each is over when all is sharp, and nobody waits for it.
expect 0 '' "jumps" "${small[@]}" --cold --jump-every 20 --report "$work/jumps.json" "$work/textures.leat"
[ "$(sed -n '/"sharp_ms"/,/}/s/.*"count":[[:space:]]*\([0-9]*\).*/\1/p' "$work/jumps.json")" = 2 ] ||
    fail "jumps: the start and one jump did not become sharp: $(grep -A 3 sharp_ms "$work/jumps.json")"
exactly "$work/jumps.json" frames_waited_for_io 0
expect 2 'jump-every is a number' "jumps of none" "${small[@]}" --jump-every 0 "$work/textures.leat"
expect 0 '' "drops" "${small[@]}" --drop-every 20 --report "$work/drops.json" "$work/textures.leat"
[ "$(sed -n '/"sharp_ms"/,/}/s/.*"count":[[:space:]]*\([0-9]*\).*/\1/p' "$work/drops.json")" = 2 ] ||
    fail "drops: the start and what was dropped did not become sharp: $(grep -A 3 sharp_ms "$work/drops.json")"

# Content that changes while it is shown: loose textures, written in place and renamed over; a pack, packed again. The
# change is made when the first numbered screenshot is there, and the viewer ends long after it.
# changing NAME COMMAND ARGUMENT...: runs COMMAND in the middle of a run of the viewer.
# reloaded NAME: that run said nothing, and noticed.
changing()
{
    local name=$1 command=$2 viewer
    shift 2
    "$view" --headless --size 320x180 --frames 400 --speed 0.1 --screenshot "$work/$name.png" --screenshot-every 40 \
        --report "$work/$name.json" "$@" >"$work/out" 2>&1 &
    viewer=$!
    while [ ! -e "$work/$name-0040.png" ] && kill -0 "$viewer" 2>/dev/null; do
        sleep 0.01
    done
    $command
    wait "$viewer" || fail "$name: $(cat "$work/out")"
}
reloaded()
{
    ! said >/dev/null || fail "$1 said: $(said)"
    at_least "$work/$1.json" reloads 1
    exactly "$work/$1.json" failed 0
}
change_files()
{
    "$fixture" dds "$work/loose/a/one.dds" 250
    "$fixture" dds "$work/two.dds" 250
    mv "$work/two.dds" "$work/loose/two.dds"
}
add_file()
{
    "$fixture" dds "$work/loose/a/new.dds" 90
}
change_pack()
{
    "$fixture" changed "$work/live.leat.tmp"
    mv "$work/live.leat.tmp" "$work/live.leat"
}
mend_pack()
{
    cp "$work/textures.leat" "$work/mended.leat.tmp"
    mv "$work/mended.leat.tmp" "$work/mended.leat"
}
mkdir -p "$work/loose/a"
"$fixture" dds "$work/loose/a/one.dds" 20
"$fixture" dds "$work/loose/two.dds" 20
cp "$work/textures.leat" "$work/live.leat"
expect 0 '' "a folder" "${small[@]}" "$work/loose"
if grep 'is not watched for changes' "$work/out"; then
    echo "not shown here: content that changes while it is shown"
else
    changing loose change_files "$work/loose"
    reloaded loose
    exactly "$work/loose.json" rebuilds 0
    grep -A 2 '"redrawn_ms"' "$work/loose.json" | grep -q '"count"' || fail "loose: nothing was drawn anew"
    cmp -s "$work/loose-0040.png" "$work/loose-0400.png" && fail "loose: the last frame shows what the first did"
    changing added add_file "$work/loose"
    reloaded added
    at_least "$work/added.json" rebuilds 1
    changing live change_pack "$work/live.leat"
    reloaded live
    exactly "$work/live.json" rebuilds 0
    # A damaged pack is copied anew. Nothing of it is another, so nothing is announced; who asks again gets all of it.
    cp "$work/damaged.leat" "$work/mended.leat"
    changing mended mend_pack --drop-every 150 "$work/mended.leat"
    at_least "$work/mended.json" failed 1
    exactly "$work/mended.json" placeholders 0
fi
# Where nobody watches, a file that was changed is missed once, and not asked for in every frame from then on.
rm -f "$work/loose/a/new.dds"
changing unwatched change_files --no-watch "$work/loose"
exactly "$work/unwatched.json" reloads 0
[ "$(figure "$work/unwatched.json" failed)" -le 2 ] || fail "unwatched: $(figure "$work/unwatched.json" failed) requests failed for two files"
expect 1 'no DDS textures' "a folder without textures" "${small[@]}" "$(dirname "$view")/CMakeFiles"

# The figures and both overlays, in pictures with room for all panels and for hardly any.
for size in 64x64 640x360 1280x720; do
    expect 0 '' "overlays at $size" --headless --size "$size" --frames 4 --overlay mips --overlay lods "$work/textures.leat"
done

# Who is told to end writes what was measured, and has not failed.
"$view" --headless --size 320x180 --frames 1000000 --screenshot "$work/ended.png" --screenshot-every 5 \
    --report "$work/ended.json" "$work/textures.leat" >"$work/out" 2>&1 &
viewer=$!
while [ ! -e "$work/ended-0005.png" ] && kill -0 "$viewer" 2>/dev/null; do
    sleep 0.01
done
kill -TERM "$viewer"
wait "$viewer" || fail "SIGTERM: exit $?: $(cat "$work/out")"
at_least "$work/ended.json" frames 5
[ -s "$work/ended.png" ] || fail "SIGTERM: the last frame was not written"

# Without a display SDL has a window that nobody sees. It is not taken for one. (A console with a screen would be.)
if [ ! -e /dev/dri/card0 ]; then
    status=0
    env -u DISPLAY -u WAYLAND_DISPLAY -u SDL_VIDEODRIVER "$view" --frames 1 "$work/textures.leat" >"$work/out" 2>&1 || status=$?
    [ "$status" = 1 ] && grep -q 'no display' "$work/out" || fail "no display: exit $status: $(cat "$work/out")"
else
    echo "not shown here: that no display is said to be none (/dev/dri/card0 may be one)"
fi

# A folder that is none, and a device that is full: what cannot be written is named, and nothing is removed for it.
full_device "$work"
for path in ${full:+"$full"} "$work/no/such/folder/out"; do
    for output in report trace screenshot; do
        expect 1 "$path:? .*cannot be written: (No such file|No space left)" "$output to $path" "${small[@]}" --frames 2 \
            "--$output" "$path" "$work/textures.leat"
    done
done
if [ -n "$full" ]; then
    status=0
    "$view" --help >"$full" 2>"$work/out" || status=$?
    [ "$status" = 1 ] && grep -q 'standard output cannot be written' "$work/out" || fail "--help to a full device: exit $status"
    [ -c "$full" ] || fail "the full device was removed"
fi

printf 'not a pack, but long enough to be read as one%.0s' {1..200} >"$work/foreign.leat"
head -c 5000 "$work/textures.leat" >"$work/cut.leat"
ASAN_OPTIONS=$sanitizer_options # no OpenGL from here on
expect 1 'nothing to look at' "blobs" "${small[@]}" "$work/blobs.leat"
expect 1 'missing\.leat' "missing" "${small[@]}" "$work/missing.leat"
expect 1 'foreign\.leat' "foreign" "${small[@]}" "$work/foreign.leat"
expect 1 'cut\.leat' "cut short" "${small[@]}" "$work/cut.leat"
expect 2 'no pack' "no argument"
expect 2 'not "big"' "bad size" --size big "$work/textures.leat"
expect 2 'help' "unknown option" --frobnicate "$work/textures.leat"
expect 2 'mips or lods' "unknown overlay" --overlay big "$work/textures.leat"
expect 0 'Usage' "help" --help
expect 0 'leat-view [0-9]' "version" --version

if [ "$failures" -gt 0 ]; then
    echo "$failures failed" >&2
    exit 1
fi
echo "all as expected"
