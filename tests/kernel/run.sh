#!/usr/bin/env bash
# Runs the tests of the I/O backends on other kernels than this machine's, under emulation, and on this machine's own: on
# each file system, without privilege, with little locked memory, and where io_uring is forbidden. See README.md.
#
#   tests/kernel/run.sh [--matrix [--write]] [--suite NAMES] [--cells PATTERN] [--kernel KERNEL]... [--build FOLDER]
#                       [--methods] [--shell] [--keep] [--host-sysctl]
#
#   (nothing)        boots Debian's 6.1 once: the backend suite and all modes on ext4, a polled read included, and the
#                    modes where io_uring is forbidden. What was granted is compared with MATRIX.md.
#   --matrix         every file system, sandbox and kernel (6.1, 6.12, host); hours. Compares all with MATRIX.md.
#   --write          with --matrix: what came out takes the place of the same cells in MATRIX.md, instead of being compared
#   --suite NAMES    these programmes only (test_NAME), instead of the backend suite; "all": test_streamer and test_swap
#                    as well, which take many minutes under emulation; "none"
#   --cells PATTERN  only the cells whose "FILE-SYSTEM SANDBOX" matches the regular expression ("xfs|btrfs", "ext4 none")
#   --kernel KERNEL  only this one: 6.1, 6.12 or host (several: give it again)
#   --build FOLDER   the build whose programmes are run; build/dev, or $LEAT_BUILD_DIR/dev
#   --methods        boots the machine and runs `leat-bench methods --quick` there, where the drive can be polled, instead of
#                    the plan. Its system calls are those of any machine; its times are an emulator's.
#   --shell          boots the machine with the programmes, and gives a shell in it instead of running the plan
#   --keep           leaves initramfs and drives in FOLDER/kernel for a look
#   --host-sysctl    also try kernel.io_uring_disabled on this machine: it is for the whole system, and 0 afterwards
#
# Exit code: 0 all as it should be; 1 a test failed or something is not as MATRIX.md has it; 2 usage; 77 this cannot be had
# here (no qemu, no kernel package), and why. What the machine said stays in FOLDER/kernel/console-KERNEL.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
# shellcheck source=../packages.sh
. "$root/tests/packages.sh"
# shellcheck source=kernels.sh
. "$here/kernels.sh"
# shellcheck source=machine.sh
. "$here/machine.sh"
# shellcheck source=suite.sh
. "$here/suite.sh"

SECONDS_MAX_SHORT=2400 # of a machine; it takes about a minute where nothing else runs
SECONDS_MAX_MATRIX=14400
SUITE_BACKEND="io uring_modes uring_faults data_path loose" # what talks to a backend, or through one to a file
SUITE_SANDBOX="io data_path" # of these, what expects no ring and no locked memory
SUITE_SLOW="swap streamer"

usage_error()
{
    echo "tests/kernel/run.sh: $1 (see --help)" >&2
    exit 2
}

matrix=no write=no suite=$SUITE_BACKEND cells=. keep=no shell=no methods=no sysctl=no kernels=() build=${LEAT_BUILD_DIR:-$root/build}/dev
while [ $# -gt 0 ]; do
    case $1 in
        --matrix) matrix=yes ;;
        --write) write=yes ;;
        --kernel | --build | --cells | --suite)
            [ $# -ge 2 ] || usage_error "$1 wants a value"
            case $1,$2 in
                --build,*) build=$2 ;;
                --cells,*) cells=$2 ;;
                --suite,*) suite=$2 ;;
                *,6.1 | *,6.12 | *,host) kernels+=("$2") ;;
                *) usage_error "no kernel $2" ;;
            esac
            shift
            ;;
        --shell) shell=yes ;;
        --methods) methods=yes suite=none ;;
        --keep) keep=yes ;;
        --host-sysctl) sysctl=yes ;;
        -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) usage_error "unknown option $1" ;;
    esac
    shift
done
[ $write = no ] || [ $matrix = yes ] || usage_error "--write goes with --matrix"
if [ ${#kernels[@]} = 0 ]; then
    kernels=(6.1)
    # shellcheck disable=SC2206 # words
    [ $matrix = no ] || kernels=($KERNELS)
fi
build=$(cd "$build" && pwd -P)
work=$build/kernel
mkdir -p "$work"

case $suite in
    all) suite="$SUITE_BACKEND $SUITE_SLOW" ;;
    none) suite="" ;;
esac
SUITE="" PROGRAMMES_ALL=(modes/leat-modes seccomp_run)
for name in $suite; do
    [ -x "$build/tests/test_$name" ] || usage_error "no programme $build/tests/test_$name"
    SUITE="$SUITE $name"
    PROGRAMMES_ALL+=("test_$name")
done

[ $methods = no ] || PROGRAMMES_ALL+=(bench/leat-bench)

# skip WHY: aloud.
skip()
{
    echo "skipped: $1"
    exit 77
}

# plan_make: the lines of suite.sh's plan on standard output.
plan_make()
{
    local fs sandbox name sandboxed=""
    for name in $SUITE; do
        case " $SUITE_SANDBOX " in *" $name "*) sandboxed="$sandboxed $name" ;; esac
    done
    if [ $methods = yes ]; then
        echo "ext4 none methods"
        return
    fi
    if [ $matrix = no ]; then
        printf '%s\n' "ext4 none all$SUITE" "ext4 seccomp-EPERM all_on" "ext4 memlock-64K fixed_buffers"
        return
    fi
    for fs in $FILE_SYSTEMS; do
        # Nothing can be written to a squashfs, so the suite, which writes its own packs, is left out there.
        [ $fs = squashfs ] && echo "$fs none all" || echo "$fs none all$SUITE"
        for sandbox in ${SANDBOXES#none }; do
            [ $fs = ext4 ] && echo "$fs $sandbox all$sandboxed" || echo "$fs $sandbox all_on"
        done
    done
}

# tools_need TOOL...: what is missing is said, with the package that has it, and the tests are skipped.
tools_need()
{
    local tool missing=()
    for tool in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} = 0 ] || skip "${missing[*]} not found; apt-get install --no-install-recommends ${PACKAGES_KERNEL[*]}"
}

# show_results FILE PID: what people want to see of it, as it is written, until the process ends.
show_results()
{
    tail -n +1 -f --pid="$2" "$1" | sed -u 's,\r$,,' | grep --line-buffered -E '^(@test|@skip|\|)' || true
}

# run_guest SERIES: the plan in the emulated machine, its results in results-SERIES. Returns 1 and says why if the kernel
# cannot be had.
run_guest()
{
    local series=$1 why results=$work/results-$1 console=$work/console-$1 seconds=$SECONDS_MAX_SHORT status=0
    why=$(kernel_fetch "$series" "$work/cache") || { echo "kernel $series: $why"; return 1; }
    [ $matrix = no ] || seconds=$SECONDS_MAX_MATRIX
    printf 'KERNEL=%s SHELL_WANTED=%s\n' "$series" "$shell" >"$work/settings"
    initramfs_make "$work/initramfs" "$work/programmes" "$work/cache/$series/modules" "$work/plan" "$work/settings"
    rm -f "$results" "$console"
    echo "Booting $(cat "$work/cache/$series/release") under emulation; the console goes to $console"
    if [ $shell = yes ]; then
        (machine_run "$work/cache/$series" "$work/initramfs" "$work/drives" "file:$console" mon:stdio 86400)
        return 0
    fi
    : >"$results"
    machine_run "$work/cache/$series" "$work/initramfs" "$work/drives" "file:$console" "file:$results" "$seconds" \
        >"$work/qemu.log" 2>&1 </dev/null &
    child=$!
    show_results "$results" $child &
    wait $child || status=$?
    wait
    child=
    if ! grep -qx $'@end\r\{0,1\}' "$results"; then
        echo "FAILED: the machine with kernel $series did not reach its end (status $status); the end of its console:"
        tail -n 30 "$console" 2>/dev/null || cat "$work/qemu.log"
        failures=$((failures + 1))
    fi
}

# run_host: the same on this machine's kernel. Returns 1 and says why if it cannot be.
run_host()
{
    local results=$work/results-host status=0
    [ "$(id -u)" = 0 ] || { echo "kernel host: only root can mount"; return 1; }
    [ -e /dev/loop-control ] || { echo "kernel host: no loop devices"; return 1; }
    : >"$results"
    "$here/host.sh" "$work/programmes" "$work" "$work/drives" "$work/plan" $sysctl >"$results" 2>&1 </dev/null &
    child=$!
    show_results "$results" $child &
    wait $child || status=$?
    wait
    if [ $status != 0 ]; then
        echo "FAILED: the run on this machine's kernel did not reach its end:"
        tail -n 30 "$results"
        failures=$((failures + 1))
    fi
    child=
}

tools=(busybox setpriv strip cpio mkfs.ext4)
case " ${kernels[*]} " in *' 6.'*) tools+=(qemu-system-x86_64) ;; esac
[ $matrix = no ] || tools+=(mkfs.xfs mkfs.btrfs mksquashfs)
export PATH=$PATH:/usr/sbin:/sbin
tools_need "${tools[@]}"
[ "$(uname -m)" = x86_64 ] || skip "the emulated machine is an x86_64 one, and the programmes are not"

programmes_gather "$work/programmes" "$build"
plan_make | grep -E -- "$cells" >"$work/plan" || usage_error "no cell matches $cells"
failures=0 missing=0 child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null || true' EXIT
trap 'exit 1' INT TERM
for kernel in "${kernels[@]}"; do
    # shellcheck disable=SC2086 # words
    drives_make "$work/drives" "$work/programmes" $([ $matrix = yes ] && echo $FILE_SYSTEMS_ON_IMAGES || echo ext4)
    case $kernel in
        host) run_host ;;
        *) run_guest "$kernel" ;;
    esac || missing=$((missing + 1))
done
[ $shell = no ] || exit 0
[ $missing -lt ${#kernels[@]} ] || skip "none of the kernels can be had here"
[ $methods = no ] || exit $((failures > 0))

cat "${kernels[@]/#/$work/results-}" | tr -d '\r' | grep '^@' >"$work/results" || true
"$here/matrix.sh" judge "$work/results" || failures=$((failures + 1))
if [ $write = yes ]; then
    "$here/matrix.sh" merge "$work/results" "$here/matrix.txt" >"$work/matrix.txt"
    mv "$work/matrix.txt" "$here/matrix.txt"
    "$here/matrix.sh" render "$here/matrix.txt" >"$here/MATRIX.md"
    echo "Wrote $here/MATRIX.md"
else
    "$here/matrix.sh" compare "$work/results" "$here/matrix.txt" $([ $matrix = yes ] && echo all || echo some) ||
        failures=$((failures + 1))
fi
[ $keep = yes ] || rm -rf "$work/drives" "$work/initramfs" "$work/programmes"
[ $failures = 0 ]
