#!/usr/bin/env bash
# Packs game content and walks through it in the viewer. On a fresh Debian 12 it first installs and builds what it needs.
#
#   demo/run.sh [DIR...|--real] [--no-install] [--headless] [--help] [-- VIEWER-OPTION...]
#
#   (nothing)      sample content: 651 textures and 265 meshes, generated here, no download
#   DIR...         your own folders: textures and meshes of any usual format
#   --real         real game content from Debian packages, downloaded and unpacked, not installed
#   --no-install   install nothing: say which packages are missing and stop
#   --headless     no window: an automatic flight, its screenshots and a report. So it is without a display, too
#   -- ...         the rest goes to leat-view (see: leat-view --help)
#
# Builds go to build/release in the repository ($LEAT_BUILD_DIR/release), content, packs and screenshots to
# ${XDG_CACHE_HOME:-$HOME/.cache}/leat. What is there already is not made again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=${LEAT_BUILD_DIR:-$root/build}/release
cache=${XDG_CACHE_HOME:-$HOME/.cache}/leat
# shellcheck source=../tests/packages.sh
. "$root/tests/packages.sh"

# Debian packages whose files are game content.
REAL_PACKAGES=(trigger-rally-data sweethome3d-furniture assimp-testmodels openarena-data)

content=samples
packages=install
headless=false
folders=()
viewer_options=()
while [ $# -gt 0 ]; do
    case $1 in
        --real) content=real ;;
        --no-install) packages=check ;;
        --headless) headless=true ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        --) shift; viewer_options=("$@"); break ;;
        -*) echo "demo/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
        *)
            [ -d "$1" ] || { echo "demo/run.sh: $1 is not a folder" >&2; exit 2; }
            folders+=("$(cd "$1" && pwd -P)")
            ;;
    esac
    shift
done
if [ ${#folders[@]} -gt 0 ]; then
    [ "$content" != real ] || { echo "demo/run.sh: give folders or --real, not both" >&2; exit 2; }
    content=own
fi
if [ -z "${DISPLAY:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ]; then
    headless=true
fi

needed=("${PACKAGES_LIBRARY[@]}" "${PACKAGES_PACKER[@]}" "${PACKAGES_DEMO[@]}")
[ "$content" != real ] || needed+=(unzip)
packages_need "$packages" "${needed[@]}" || exit 1

targets=(leat leat-view)
[ "$content" != samples ] || targets+=(leat-samples)
build_preset "$root" release "$build" -- "${targets[@]}" || exit 1
mkdir -p "$cache"

# program NAME: its path in the build.
program()
{
    find "$build" -type f -name "$1" -perm -u+x | head -n 1
}

make_samples()
{
    local generator stamp="$cache/samples/.leat-samples"
    generator=$(program leat-samples)
    if [ -f "$stamp" ] && [ "$(cut -d ' ' -f 1 "$stamp")" = "$("$generator" --version)" ]; then
        echo "Sample content is there: $cache/samples"
        return 0
    fi
    rm -rf "$cache/samples"
    "$generator" "$cache/samples"
}

# Downloads go on where they stopped: apt-get keeps whole files, and a package is unpacked only when it is complete.
fetch_real()
{
    local package folder archive
    mkdir -p "$cache/downloads"
    echo "Real content comes from these Debian packages (downloaded once, unpacked, not installed):"
    if ! apt-cache show --no-all-versions "${REAL_PACKAGES[@]}" >/dev/null 2>&1; then
        packages_update || return 1
    fi
    for package in "${REAL_PACKAGES[@]}"; do
        apt-cache show --no-all-versions "$package" 2>/dev/null |
            awk -v name="$package" '/^Size:/ { printf "  %-24s %6.1f MB\n", name, $2 / 1e6; exit }'
    done
    for package in "${REAL_PACKAGES[@]}"; do
        folder=$cache/real/$package
        [ ! -f "$folder/.complete" ] || continue
        echo "Fetching $package"
        if ! (cd "$cache/downloads" && apt-get download -qq -o APT::Sandbox::User=root "$package" </dev/null); then
            echo "Cannot download $package; going on without it." >&2
            continue
        fi
        rm -rf "$folder"
        mkdir -p "$folder"
        dpkg-deb -x "$(find "$cache/downloads" -name "${package}_*.deb" | sort | tail -n 1)" "$folder"
        # Games keep content in zip files under other names.
        find "$folder" -type f \( -name '*.pk3' -o -name '*.sh3f' -o -name '*.zip' \) -print0 |
            while IFS= read -r -d '' archive; do
                unzip -qq -o "$archive" -d "$archive.unpacked" </dev/null || true
                rm -f "$archive"
            done
        touch "$folder/.complete"
    done
    find "$cache/real" -mindepth 2 -maxdepth 2 -name .complete | grep -q . || {
        echo "None of the packages could be downloaded. Is there a network?" >&2
        return 1
    }
}

case $content in
    samples)
        make_samples
        pack=$cache/samples.leat
        folders=("$cache/samples")
        ;;
    real)
        fetch_real
        pack=$cache/real.leat
        folders=("$cache/real")
        ;;
    own)
        # One pack for each set of folders.
        pack=$cache/own-$(printf '%s\n' "${folders[@]}" | cksum | cut -d ' ' -f 1).leat
        ;;
esac

# A pack is made again when a source or the packer is newer. A bad file does not stop it: the packer names it and goes on.
leat=$(program leat)
if [ ! -f "$pack" ] || [ "$leat" -nt "$pack" ] || [ -n "$(find "${folders[@]}" -newer "$pack" -print -quit)" ]; then
    echo "Packing ${folders[*]}"
    if ! "$leat" pack "${folders[@]}" -o "$pack" && [ ! -f "$pack" ]; then
        rm -f "$pack".tmp-*
        echo "No pack was made of ${folders[*]}" >&2
        exit 1
    fi
else
    echo "The pack is there: $pack"
fi

if [ "$headless" = false ]; then
    exec "$(program leat-view)" "$pack" --autofly "${viewer_options[@]}"
fi

shots=$cache/screenshots
mkdir -p "$shots"
echo "No display: flying through without a window"
# figure FILE NAME: the first number of that name in a report, with one digit behind the point.
figure()
{
    sed -n "/^[[:space:]]*\"$2\":[[:space:]]*\([0-9]*\)\(\.[0-9]\)\{0,1\}.*/{s//\1\2/p;q;}" "$1"
}

# Three short flights from different halls, each from a cold start: a picture, and what was measured on the way.
for flight in 5 9 15; do
    report=$shots/$content-$flight.json
    "$(program leat-view)" "$pack" --headless --autofly --cold --seed "$flight" --frames 75 --size 1280x720 \
        --screenshot "$shots/$content-$flight.png" --report "$report" "${viewer_options[@]}"
    echo "  $shots/$content-$flight.png, .json: $(figure "$report" ready) requests from a cold start, the slowest urgent one" \
        "took $(figure "$report" slowest_urgent_ms) ms; $(figure "$report" frames_waited_for_io) frames waited for I/O"
done
