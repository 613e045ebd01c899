#!/usr/bin/env bash
# `leat doctor` on what a machine may be like: it ends with the documented code, says which way is taken and what to change,
# gives the same as JSON, and leaves nothing behind. Cases that cannot be had here are named.
#
#   tests/doctor/run.sh LEAT SECCOMP_RUN MAKE_PACK
set -euo pipefail
# shellcheck source=../expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../expect.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/leat-doctor-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# Copies, so that an unprivileged user can reach them.
cp "$1" "$work/leat"
cp "$2" "$work/seccomp_run"
"$3" "$work/pack.leat"
chmod 644 "$work/pack.leat"
cd "$work"
mkdir folder
echo "some bytes" >file

# says TEXT: in the report.
says()
{
    grep -qF -- "$1" out || { cat out; fail "the report does not say: $1"; }
}

# value KEY WANTED: the first value of that key in the JSON report.
value()
{
    local got
    got=$(sed -n "/^[[:space:]]*\"$1\":[[:space:]]*\(.*[^,]\),\{0,1\}$/{s//\1/p;q;}" out)
    [ "$got" = "$2" ] || { cat out; fail "$1 is $got, not $2"; }
}

echo "a folder, a file, a pack, the current folder"
for path in folder file pack.leat ""; do
    expect 0,3 ./leat doctor $path
    says "file system "
    [ ! -s err ] || { cat err; fail "it has written to standard error"; }
done
[ -z "$(ls -A folder)" ] || fail "something is left in the folder: $(ls -A folder)"
expect 0,3 ./leat doctor pack.leat --json
value kind '"pack"'
value read_from '"the file itself"'
value read_tried true
value failure '""'
! grep -q "$(printf '\033')" out || fail "colours in a file"

echo "every way has its exit code"
expect 0,3 ./leat doctor --json folder
value kind '"folder"'
case $(sed -n 's/.*"verdict":[[:space:]]*"\([a-z]*\)".*/\1/p' out) in
    fast) expect 0 ./leat doctor folder ;;
    *) expect 3 ./leat doctor folder ;;
esac

echo "what is not there, or is nothing to read from"
expect 1 ./leat doctor nowhere
grep -q 'nowhere: No such file' err || fail "it did not name what is missing"
[ ! -s out ] || fail "a report of nothing"
expect 1 ./leat doctor /dev/null
: >empty
expect 1 ./leat doctor empty
says "it is empty"
head -c 100 pack.leat >cut.leat
expect 1 ./leat doctor cut.leat
says "cut.leat"
mkdir 'a folder with blanks "and quotes"'
expect 0,3 ./leat doctor 'a folder with blanks "and quotes"'
expect 2 ./leat doctor one two
expect 2 ./leat doctor --frobnicate
expect 0 ./leat doctor --help
says "Exit: 0"

for cause in EPERM ENOSYS; do
    status=0
    ./seccomp_run $cause -- true || status=$?
    [ $status != 77 ] || { echo "seccomp: skipped: no filters here"; break; }
    echo "no io_uring: $cause"
    expect 3 ./seccomp_run $cause -- ./leat doctor folder
    says "folder: slow: threads (io_uring is"
    says "docker run --security-opt seccomp="
    expect 3 ./seccomp_run $cause -- ./leat doctor pack.leat --json
    value verdict '"slow"'
    value backend '"threads"'
    value available false
    value available_error "\"$cause\""
    value uring_read null
    value failure '""'
done

if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
    echo "a file system in memory"
    expect 0,3 ./leat doctor /dev/shm --json
    value file_system '"tmpfs"'
    value in_memory true
else
    echo "tmpfs: skipped: /dev/shm is none"
fi

if [ "$(id -u)" != 0 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    echo "an ordinary user: skipped: not root, or no setpriv"
    echo "doctor: all others passed"
    exit 0
fi
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
echo "an ordinary user, in a folder that it may not write into"
expect 0,3 "${user[@]}" ./leat doctor pack.leat
expect 0,3 "${user[@]}" ./leat doctor . --json
value trial_error '"no trial pack can be written there (Permission denied)"'
value read_tried false
mkdir bare
expect 1 "${user[@]}" ./leat doctor bare
says "bare: unknown: nothing was tried: it cannot be written to (Permission denied)"
cp file secret
chmod 600 secret
expect 1 "${user[@]}" ./leat doctor secret
says "it cannot be read: Permission denied"

for limit in 0 64; do
    echo "an ordinary user with $limit KiB of locked memory"
    (
        ulimit -l $limit
        expect 0,3 "${user[@]}" ./leat doctor pack.leat --json
        value memlock_hard_bytes $((limit * 1024))
        if grep -q '"available":[[:space:]]*true' out; then
            [ "$(sed -n 's/.*"fixed_bytes":[[:space:]]*\([0-9]*\).*/\1/p' out | tail -n 1)" -le $((limit * 1024)) ] ||
                fail "more was registered than the limit allows"
            expect 3 "${user[@]}" ./leat doctor pack.leat
            says "reduced: io_uring, but no memory can be registered"
            says "LimitMEMLOCK="
        fi
    )
done
echo "doctor: all passed"
