#!/usr/bin/env bash
# Makes system calls fail with `strace -e inject`, once and for good, under a program that streams over each backend and
# under `leat pack`: never a crash, a hang or wrong bytes; what is not done is said and told by the exit code; a pack that
# cannot be made leaves the old one whole and no temporary file.
#
#   tests/fault/strace.sh STREAM_ONCE [LEAT]
#
# strace counts calls for each thread by itself; here they count from the first one after the dynamic linker's. A sample by
# default; with LEAT_TEST_LONG every error, at each of the first calls of a thread. Exit 77: nothing can be traced here.
set -euo pipefail

stream=$1
leat=${2:-}
long=${LEAT_TEST_LONG:-}
# For one run: more than stream_once's own patience, which counts waits without an event and says where its requests are.
# A machine that stands still for a minute must not look like a hang.
limit_s=150
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-strace-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export LEAT_CACHE=off TMPDIR=$work ASAN_OPTIONS="${ASAN_OPTIONS:-}${ASAN_OPTIONS:+:}detect_leaks=0" # no leak checker under ptrace

if ! command -v strace >/dev/null; then
    echo "SKIPPED: strace is not installed (Debian's package: strace)"
    exit 77
fi
if ! strace -f -e inject=getppid:error=EPERM:when=1 -o trace true 2>err; then
    echo "SKIPPED: strace may not trace or not inject here: $(head -n 1 err)"
    exit 77
fi

runs=0
hits=0
failures=0
broken()
{
    echo "FAILED: $1: $2" >&2
    sed 's/^/    /' out err >&2
    { echo "the last of the calls that were traced:" && grep -v '+++' trace | tail -n 6; } | sed 's/^/    /' >&2
    failures=$((failures + 1))
}

# before_main CALL: how often the main thread makes it before main begins in earnest: both programs ignore SIGXFSZ first.
before_main()
{
    awk -v call="$1" '/rt_sigaction\(SIGXFSZ/ { exit } $2 ~ "^" call "\\(" { ++n } END { print n + 0 }' baseline
}

# inject CALL ERROR WHEN COMMAND...: the exit code in $code, what was said in ./out and ./err.
inject()
{
    local call=$1 error=$2 when=$3
    shift 3
    code=0
    timeout -k 5 $limit_s strace -f --seccomp-bpf -qq -e trace="$call" -e inject="$call:error=$error:when=$when" -o trace "$@" \
        >out 2>err </dev/null || code=$?
    runs=$((runs + 1))
    ! grep -q '(INJECTED)' trace || hits=$((hits + 1))
}

check_stream()
{
    case $code in
        0) ;;
        3) grep -Eq '^(refused|failed): .+' out || broken "$1" "something failed, and nothing is said" ;;
        124 | 137) broken "$1" "no end within $limit_s s" ;;
        134) broken "$1" "it hangs, or an assertion does not hold" ;;
        *) broken "$1" "exit $code" ;;
    esac
}

check_pack()
{
    local state=other
    ! cmp -s new.leat old.leat || state=old
    ! cmp -s new.leat right.leat || state=right
    case $code in
        0) [ $state = right ] || broken "$1" "exit 0, and the pack is not what it should be" ;;
        1) [ $state != other ] || broken "$1" "exit 1, and the old pack is gone" ;;
        3) "$leat" verify new.leat >/dev/null 2>&1 || broken "$1" "exit 3, and the pack is not valid" ;;
        124 | 137) broken "$1" "no end within $limit_s s" ;;
        *) broken "$1" "exit $code" ;;
    esac
    [ "$code" = 0 ] || [ -n "$mute" ] || grep -Eq 'new\.leat|content|picture|standard output|importer' err ||
        broken "$1" "exit $code, and nothing is said that names the pack or a source"
    [ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || broken "$1" "a temporary file is left"
    rm -f ./*.tmp-*
    cp old.leat new.leat
}

# Each line: a call, and errors of which the first is the sample's. Not close: what is refused here stays open, where a
# kernel closes it all the same. "once" after an error: no kernel gives it for ever.
stream_calls='
openat EMFILE EIO EACCES ENOMEM EINTR/once
read EIO EINTR/once EAGAIN/once
pread64 EIO EINTR/once EAGAIN
preadv2 EIO EAGAIN EOPNOTSUPP EINTR
mmap ENOMEM EAGAIN
madvise EINVAL ENOMEM
newfstatat EIO EACCES
eventfd2 EMFILE ENOMEM
clone3 EAGAIN ENOMEM
io_uring_setup EPERM ENOSYS ENOMEM EMFILE
io_uring_enter EIO EBUSY/once EAGAIN/once EINTR/once EPERM
io_uring_register ENOMEM EINVAL EPERM
ppoll EINTR/once ENOMEM/once
write EAGAIN/once EINTR/once
'
pack_calls='
openat EMFILE EIO ENOMEM EINTR/once
read EIO EINTR/once
newfstatat EIO EACCES
getdents64 EIO ENOMEM
mmap ENOMEM
write ENOSPC EIO EINTR/once EAGAIN
pwrite64 ENOSPC EIO
fsync EIO ENOSPC
lseek EIO ESPIPE
linkat EACCES EIO ENOSPC
rename EACCES EIO ENOSPC
unlink EACCES EIO
clone3 EAGAIN ENOMEM
socketpair EMFILE ENOMEM
recvmsg EIO ENOMEM EINTR/once
wait4 EINTR/once
'

# sweep NAME CHECK CALLS COMMAND...
sweep()
{
    local name=$1 check=$2 calls=$3 call errors error base when last
    shift 3
    strace -f -qq -o baseline "$@" >out 2>err </dev/null || { cat out err >&2; echo "FAILED: $name without a fault" >&2; exit 1; }
    [ "$check" != check_pack ] || cp old.leat new.leat
    while read -r call errors; do
        grep -Eq "^[0-9]+ +$call\(" baseline || continue
        base=$(before_main "$call")
        [ -n "$long" ] || errors=${errors%% *}
        for error in $errors; do
            last=1
            [ -z "$long" ] || last=6
            for ((nth = 1; nth <= last; ++nth)); do
                for when in $((base + nth)) $((base + nth))+; do
                    [ "${error%/once}" = "$error" ] || [ "${when%+}" = "$when" ] || continue
                    mute=
                    [ "$call" != write ] || mute=yes # standard error cannot be written either
                    inject "$call" "${error%/once}" "$when" "$@"
                    $check "$name, $call: ${error%/once}, call $when"
                done
            done
        done
    done <<<"$calls"
}

report()
{
    echo "$1: $runs runs, $hits of them with a failure, $failures bad so far"
    [ "$hits" -gt 0 ] || { echo "FAILED: $1: no call was made to fail" >&2; exit 1; }
    runs=0
    hits=0
}

pack=$("$stream" make)
for backend in uring threads; do
    said=$("$stream" $backend "$pack" || true)
    if [ $backend = uring ] && [[ $said = refused:*io_uring* ]]; then
        echo "SKIPPED: uring: $said"
        continue
    fi
    sweep $backend check_stream "$stream_calls" "$stream" $backend "$pack"
    report $backend
done
if [ -n "$leat" ]; then
    mkdir content
    for i in 1 2; do
        { printf 'P6 64 64 255\n'; head -c 12288 /dev/zero | tr '\0' "$i"; } >content/picture$i.ppm
    done
    "$leat" pack content/picture1.ppm -o old.leat --quiet >out
    "$leat" pack content -o right.leat --quiet --jobs 2 >out
    cp old.leat new.leat
    sweep "leat pack" check_pack "$pack_calls" "$leat" pack content -o new.leat --quiet --jobs 2
    report "leat pack"
fi
[ $failures = 0 ] || exit 1
echo "strace: all passed"
