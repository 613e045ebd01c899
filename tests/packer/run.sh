#!/usr/bin/env bash
# The leat command as people use it, on a part of the sample content: the same bytes whatever the number of jobs; what is
# extracted packs to the same bytes again; sources that are bad in many ways are named and cost nothing else; a full disk,
# an interrupt and a damaged pack are told, and what was there stays.
#
#   tests/packer/run.sh LEAT LEAT-SAMPLES
set -euo pipefail
# shellcheck source=../expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../expect.sh"

leat=$1
samples=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/leat-packer-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

said()
{
    grep -qF -- "$1" err || { cat err; fail "nobody said: $1"; }
}

"$samples" content --count-scale 0.05 --max-size 256 >/dev/null 2>&1
find content -name '*.png' | sort >list
[ -s list ] || fail "no samples"

echo "same bytes, whatever the number of jobs"
expect 0 "$leat" pack content -o one.leat --jobs 1 --quiet
expect 0 "$leat" pack content -o four.leat --jobs 4 --quiet
cmp one.leat four.leat || fail "packs differ by the number of jobs"
expect 0 "$leat" verify one.leat
expect 0 "$leat" info one.leat --json
expect 0 "$leat" extract one.leat -o all
[ "$(find all -name '*.png' | wc -l)" = "$(wc -l <list)" ] || fail "not every texture was extracted"

echo "extracted textures pack to the same bytes"
mkdir textures
while read -r file; do
    mkdir -p "textures/$(dirname "$file")"
    cp "$file" "textures/$file"
done <list
expect 0 "$leat" pack textures -o first.leat --texture-format rgba8 --quiet
expect 0 "$leat" extract first.leat -o back
expect 0 "$leat" pack back -o second.leat --texture-format rgba8 --quiet
cmp first.leat second.leat || fail "mip 0 did not come back exactly"

echo "bad sources are named, the others packed"
good=$(head -1 list)
mkdir -p bad/sub
cp "$good" bad/good.png
cp "$good" 'bad/back\slash.png'
head -c 2000 "$good" >bad/cut.png
echo hello >bad/text.png
: >bad/empty.png
truncate -s 2G bad/big.png
printf 'DDS and no more' >bad/short.dds
echo '{' >bad/model.gltf
ln -s nowhere bad/dangling.png
ln -s .. bad/sub/loop
mkfifo bad/pipe.png
echo text >bad/notes.txt
expect 3 "$leat" pack bad -o bad.leat --quiet
for name in bad/back bad/cut text empty big short.dds model.gltf dangling loop pipe; do
    said "$name"
done
cp "$good" $'bad/latin\xe9.png' # no UTF-8: named, and not put into JSON as it is
expect 3 "$leat" pack bad -o bad.leat --quiet --json
grep -qF 'bad/latin?.png: cannot be the asset' out || fail "the name that is not UTF-8 is not told"
iconv -f UTF-8 -t UTF-8 out >/dev/null || fail "the summary is not UTF-8, so it is not JSON"
expect 0 "$leat" list bad.leat
[ "$(wc -l <out)" = 1 ] || fail "the good one alone should be there"
expect 1 "$leat" pack bad -o strict.leat --quiet --strict
[ ! -e strict.leat ] || fail "--strict has written"

echo "a texture that a model misses is named once, however often it is used"
mkdir model
printf 'newmtl m\nmap_Kd lost.png\nmap_Ke lost.png\n' >model/m.mtl
printf 'mtllib m.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n' >model/m.obj
expect 0 "$leat" pack model -o model.leat --quiet
[ "$(grep -c 'lost.png, named by m.obj, is missing' err)" = 1 ] || { cat err; fail "lost.png is not named once"; }

echo "failures leave what was there"
cp one.leat kept.leat
(ulimit -f 100; expect 1 "$leat" pack content -o kept.leat --quiet --texture-format rgba8)
said "cannot be written"
cmp one.leat kept.leat || fail "a full disk has cost the old pack"
expect 1 "$leat" pack nowhere -o kept.leat
said nowhere
expect 1 "$leat" pack content -o no/such/folder/x.leat
said "make it first"
expect 2 "$leat" list --level 3 kept.leat
said "does not know the option --level;"
expect 2 "$leat" list -j 3 kept.leat
said "does not know the option -j;"
mkdir void
expect 1 "$leat" pack void -o kept.leat
said "nothing to pack"
cmp one.leat kept.leat || fail "a failure has cost the old pack"
[ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || fail "a temporary file is left"

echo "what a run of the same process id has left behind is no hindrance"
# shellcheck disable=SC2016 # the inner shell's own id, which exec keeps
expect 0 bash -c 'echo left >"stale.leat.tmp-$$" && exec "$0" pack content -o stale.leat --quiet' "$leat"
cmp one.leat stale.leat || fail "not the same pack beside what was left behind"
[ "$(cat stale.leat.tmp-*)" = left ] || fail "the file of another run was touched"
rm -f stale.leat*

echo "an interrupt removes what was begun"
# interrupt SIGNAL: sends it to a packer that has begun to write; the packer's exit code.
interrupt()
(
    set -m # else bash starts background commands with SIGINT ignored
    "$leat" pack content -o kept.leat --level 12 --texture-format rgba8 --quiet >/dev/null 2>&1 &
    pid=$!
    while [ ! -e "kept.leat.tmp-$pid" ] && kill -0 $pid 2>/dev/null; do :; done
    kill -"$1" $pid 2>/dev/null || true
    wait $pid
)
for signal in TERM INT; do
    for ((attempt = 1; attempt <= 20; ++attempt)); do
        code=0
        interrupt $signal || code=$?
        ! cmp -s one.leat kept.leat || break
        # A busy machine has held this shell up until the packer was done: then the new pack is whole. Once more.
        expect 0 "$leat" verify kept.leat
        cp one.leat kept.leat
    done
    [ $code = 143 ] || [ $code = 130 ] || fail "exit $code after SIG$signal"
    [ $attempt -le 20 ] || fail "the packer was done before each SIG$signal"
    [ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || fail "SIG$signal has left a temporary file"
done

echo "damage is found and named"
cp one.leat damaged.leat
size=$(stat -c %s one.leat)
printf 'XXXXXXXX' | dd of=damaged.leat bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect 1 "$leat" verify damaged.leat
said "is damaged"
head -c $((size / 2)) one.leat >truncated.leat
expect 1 "$leat" verify truncated.leat
said "copy or pack it again"
expect 1 "$leat" list "$good"
said "is not a Leat pack"

echo "two packs are compared, and a patch holds what is new or changed"
cp -r textures revised
(cd revised && find . -name '*.png') | sort >some
first=$(sed -n 1p some) second=$(sed -n 2p some) third=$(sed -n 3p some)
rm "revised/$first"
cp "revised/$third" "revised/$second"
cp "revised/$third" revised/one_more.png
expect 0 "$leat" pack revised -o revised.leat --texture-format rgba8 --quiet
expect 0 "$leat" diff first.leat revised.leat -o patch.leat
grep -qF "removed  ${first#./}" out && grep -qF "changed  ${second#./}" out && grep -qF "added    one_more.png" out ||
    { cat out; fail "the differences are not told"; }
grep -q '^1 added, 1 changed, 1 removed, ' out || fail "the counts are wrong"
said "stays visible"
expect 0 "$leat" verify patch.leat
expect 0 "$leat" diff patch.leat revised.leat --quiet
grep -q ' 0 changed, 0 removed, 2 the same' out || { cat out; fail "the patch does not hold what the new pack does"; }
cp patch.leat again.leat
expect 0 "$leat" diff first.leat revised.leat -o again.leat --json
cmp patch.leat again.leat || fail "the same two packs gave two patches"
expect 0 "$leat" diff first.leat second.leat -o none.leat
[ ! -e none.leat ] || fail "a patch of nothing was written"
cp first.leat kept.leat
expect 1 "$leat" diff kept.leat revised.leat -o kept.leat
said "is one of the two packs"
cmp first.leat kept.leat || fail "the patch took the place of the old pack"
expect 1 "$leat" diff first.leat damaged.leat -o none.leat
[ ! -e none.leat ] && [ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || fail "a patch was left after damage"
expect 2 "$leat" diff first.leat

echo "nothing is written outside the folder"
expect 0 "$leat" list one.leat
name=$(grep -o -m 1 '[^ ]*/[^ ]*\.png$' out)
mkdir outside trap
ln -s ../outside "trap/${name%%/*}"
expect 1 "$leat" extract one.leat "$name" -o trap
[ -z "$(ls outside)" ] || fail "a link has led outside"

echo "the command line"
expect 2 "$leat"
expect 2 "$leat" pakc
expect 2 "$leat" pack content -o x.leat --frobnicate
said "leat pack --help"
expect 2 "$leat" pack content
expect 2 "$leat" pack content -o x.leat --jobs none
expect 0 "$leat" --version
expect 2 "$leat" help pakc
expect 0 "$leat" help pack
grep -q -- --strict out || fail "help pack is not the help of pack"
expect 0 "$leat" verify one.leat --quiet
[ ! -s out ] || fail "--quiet has said something"
for command in pack list info verify extract diff doctor trace; do
    expect 0 "$leat" $command --help
done
echo "packer: all passed"
