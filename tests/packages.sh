# Shell functions that tests/run.sh and demo/run.sh share: which Debian packages Leat needs, installing the missing ones,
# and configuring and building a preset. Sourced by bash, not run. The lists below are the only ones in the repository.

# To build the library, to build the leat command and the sample content, to build leat-view, to run the tests.
PACKAGES_LIBRARY=(gcc libc6-dev cmake ninja-build pkg-config liblz4-dev libxxhash-dev liburing-dev)
PACKAGES_PACKER=(libassimp-dev libcjson-dev libmeshoptimizer-dev libstb-dev zlib1g-dev)
PACKAGES_DEMO=(libsdl2-dev libepoxy-dev libegl1 libgl1-mesa-dri)
PACKAGES_TESTS=(g++ libcmocka-dev strace valgrind libuv1-dev libphysfs-dev libfuse3-dev fuse3)
# For fuzzing and MemorySanitizer, which gcc has not.
PACKAGES_CLANG=(clang-14 libclang-rt-14-dev)
# For tests/coverage.sh.
PACKAGES_COVERAGE=(gcovr)
# To run tests/kernel: an emulator, a system for it and file systems. Without them those tests are skipped.
PACKAGES_KERNEL=(qemu-system-x86 busybox-static cpio binutils xz-utils e2fsprogs xfsprogs btrfs-progs squashfs-tools)

# packages_need MODE PACKAGE...: sees to it that each package is installed. MODE is "install" or "check"; with "check", or
# where packages cannot be installed, it says what is missing and returns 1.
packages_need()
{
    local mode=$1 package missing=() log
    shift
    if ! command -v dpkg-query >/dev/null; then
        echo "This system has no dpkg: the packages ${*} (Debian's names) are taken to be there."
        return 0
    fi
    for package in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Status} ' "$package" 2>/dev/null) in
            installed\ * | *\ installed\ *) ;; # one word for each architecture; "not-installed" is none
            *) missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$mode" = check ]; then
        echo "Missing Debian packages: ${missing[*]}" >&2
        echo "Install them with: apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "Missing Debian packages: ${missing[*]}" >&2
        echo "Neither root nor sudo: have them installed, then run this again." >&2
        return 1
    fi
    echo "Installing Debian packages: ${missing[*]}"
    log=$(mktemp "${TMPDIR:-/tmp}/leat-apt.XXXXXX")
    if ! { packages_update && packages_root apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 \
        "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        echo "apt-get could not install: ${missing[*]}" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# packages_root COMMAND...: runs it as root. sudo drops the environment, so the setting goes through env.
packages_root()
{
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

# Fetches the lists of packages, which a fresh system lacks.
packages_update()
{
    packages_root apt-get update -qq
}

# Reads what ninja prints, and shows how far it is: on a terminal in one line, which goes when it is done; else by quarters.
build_progress()
{
    local line quarter=0
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        if [ -t 1 ]; then
            printf '\r  step %s of %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        elif [ $((4 * BASH_REMATCH[1] / BASH_REMATCH[2])) -gt "$quarter" ]; then
            quarter=$((4 * BASH_REMATCH[1] / BASH_REMATCH[2]))
            echo "  $((25 * quarter)) % built"
        fi
    done
    [ ! -t 1 ] || printf '\r\033[K'
}

# build_preset SOURCE PRESET FOLDER [CMAKE-OPTION...] [-- TARGET...]: configures and builds a preset of CMakePresets.json in
# FOLDER. Its output is shown only when it fails, apart from what is built and how far it is.
build_preset()
{
    local source=$1 preset=$2 folder=$3 options=() log targets=()
    shift 3
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -lt 2 ] || targets=(--target "${@:2}")
    mkdir -p "$folder" || return 1
    log=$folder/build.log
    # A build folder that was copied or moved with its tree is configured anew rather than refused by CMake.
    if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$folder/CMakeCache.txt"; then
        options+=(--fresh)
    fi
    echo "Building $preset in $folder (the first time, this takes some minutes)"
    if ! (
        set -o pipefail
        { cmake -S "$source" --preset "$preset" -B "$folder" "${options[@]}" && cmake --build "$folder" "${targets[@]}"; } \
            2>&1 </dev/null | tee "$log" | build_progress
    ); then
        tail -n 60 "$log" >&2
        echo "The build of $preset failed; the whole log is $log" >&2
        return 1
    fi
}
