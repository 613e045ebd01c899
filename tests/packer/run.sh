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

# begun PID OUT: whether that packer has written to the file that becomes OUT, which has no name where there are such files.
begun()
{
    local fd
    for fd in "/proc/$1/fd/"*; do
        if [ -s "$fd" ] && [[ $(readlink "$fd") = *' (deleted)' ]]; then
            return 0
        fi
    done
    [ -s "$2.tmp-$1" ]
}
unnamed=no
case $(stat -f -c %T .) in
    ext2/ext3 | xfs | btrfs | tmpfs) unnamed=yes ;;
    *) echo "not shown here: that kill -9 leaves nothing behind; this may be a file system without unnamed files" ;;
esac

# no_leftover WHAT: kill -9 has left nothing here, but for a whole pack in the moment in which it is put into its place.
no_leftover()
{
    local file
    for file in *.tmp-*; do
        [ ! -e "$file" ] || [ $unnamed = no ] || "$leat" verify "$file" >/dev/null 2>&1 || fail "$1 has left a temporary file"
        rm -f "$file"
    done
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

echo "a content folder of links is packed as what they lead to"
grep -q . <(find content -name '*.gltf' -o -name '*.obj') || fail "no models, whose textures would be links"
cp -rs "$PWD/content" linked
expect 0 "$leat" pack linked -o linked.leat --no-cache --quiet --strict
cmp one.leat linked.leat || { cat err; fail "links make another pack"; }

expect 0 "$leat" extract one.leat -o all --jobs 1
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
cp "$good" $'bad/red\xc2\x9b31m.png' # U+009B begins a command to the terminal
echo '{' >bad/model.gltf
ln -s nowhere bad/dangling.png
ln -s .. bad/sub/loop
mkfifo bad/pipe.png
echo text >bad/notes.txt
ln -s somebody@host.42 'bad/.#good.png' # an editor's lock, and what other tools keep: no sources
mkdir bad/.git
echo hello >bad/.git/blob.png
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\352\140\0\0\352\141\10\2\0\0\0\0\0\0\0\0\0\0\0IEND\0\0\0\0' >bad/wall.png
expect 3 "$leat" pack bad -o bad.leat --quiet
said "bad/wall.png: has 60000 x 60001 texels; at most 16384 an edge"
for name in bad/back bad/cut bad/red text empty big short.dds model.gltf dangling loop pipe; do
    said "$name"
done
! grep -qF 'bad/.' err || { cat err; fail "what begins with a dot was taken for a source"; }
[ -z "$(LC_ALL=C grep -l $'\xc2\x9b' err)" ] || fail "a file's name has given the terminal a command"
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

echo "of messages that say the same, some are told, and the others counted"
mkdir alike
cp model/* alike
for ((i = 0; i < 12; ++i)); do
    sed "s/m\\.mtl/$i.mtl/" model/m.obj >"alike/$i.obj"
    sed "s/lost/lost$i/" model/m.mtl >"alike/$i.mtl"
    : >"alike/empty$i.png"
done
for option in --cache=alike.cache --cache=alike.cache --jobs=3; do # what the cache has kept is told as well
    expect 3 "$leat" pack alike -o alike.leat --quiet $option
    [ "$(grep -c 'is missing$' err)" = 5 ] && [ "$(grep -c 'is empty$' err)" = 5 ] || { cat err; fail "not five of a kind"; }
    said 'warning: and 8 more like "lost0.png, named by 0.obj, is missing"; --verbose lists them'
    said 'leat: and 7 more like "alike/empty0.png: is empty"; --verbose lists them'
    grep -qF '12 failed, 13 warnings' out || { cat out; fail "the summary has lost some"; }
done
expect 3 "$leat" pack alike -o alike.leat --quiet --verbose --json
[ "$(grep -c 'is missing$' err)" = 13 ] && [ "$(grep -c 'is empty$' err)" = 12 ] || { cat err; fail "--verbose does not tell all"; }
[ "$(grep -o 'named by [0-9m]*.obj, is missing' out | wc -l)" = 13 ] || fail "not all warnings are in the JSON"

echo "files beside a model that cannot be read are named, and more than there may be"
mkdir large many
cp model/m.obj large
truncate -s 2G large/m.mtl
expect 0 "$leat" pack large -o large.leat --quiet
said "large/m.mtl: has 2147483648 bytes; at most 1073741824 go in"
! grep -q 'missing' err || { cat err; fail "what is there is called missing"; }
{ for ((i = 0; i < 4200; ++i)); do echo "mtllib $i.mtl"; done && cat model/m.obj; } >many/m.obj
expect 0 "$leat" pack many -o many.leat --quiet
said "m.obj: reads more than 4096 files; many/4095.mtl and all after it count as missing"

echo "what has not changed comes from the cache"
mkdir few
cp $(head -3 list) few
cp model/* few
cat >few/box.gltf <<'GLTF'
{"asset":{"version":"2.0"},"scene":0,"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],
"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"buffers":[{"uri":"box.bin","byteLength":36}],
"bufferViews":[{"buffer":0,"byteLength":36}],
"accessors":[{"bufferView":0,"componentType":5126,"count":3,"type":"VEC3","min":[0,0,0],"max":[1,1,0]}]}
GLTF
corner='\0\0\200\77' # 1.0f
printf '\0\0\0\0\0\0\0\0\0\0\0\0'"$corner"'\0\0\0\0\0\0\0\0\0\0\0\0'"$corner"'\0\0\0\0' >few/box.bin

# cached WHAT TEXTURES MESHES OPTION...: packs few with the cache and without, to the same bytes; of the sources that many
# come from the cache.
cached()
{
    local what=$1 textures=$2 meshes=$3
    shift 3
    expect 0 "$leat" pack few -o cached.leat --quiet --json --cache cache "$@"
    cp err warned
    tr -d ' \n\t' <out >summary
    grep -qF "\"from_cache\":{\"textures\":$textures,\"meshes\":$meshes," summary || { cat out; fail "$what: not $textures and $meshes from the cache"; }
    expect 0 "$leat" pack few -o plain.leat --quiet "$@"
    cmp cached.leat plain.leat || fail "$what: the pack differs from the one without a cache"
    cmp err warned || fail "$what: the cache has cost a warning, or is one"
}
cached "the first time" 0 0
cached "the second time" 3 2 --jobs 1
cached "with more jobs" 3 2 --jobs 4
cached "another level" 0 0 --level 3
cached "another format" 0 2 --texture-format rgba8
first=$(basename "$(head -1 list)")
printf 'x' >>"few/$first" # behind its end: the same picture, but who knows
cached "a change of a texture" 2 2
cp "few/$first" "few/again_$first"
cached "a texture under another name" 4 2
printf 'd 0.5\n' >>few/m.mtl
cached "a change of the .mtl" 4 1
printf '\100' | dd of=few/box.bin bs=1 seek=15 conv=notrunc 2>/dev/null
cached "a change of the .bin" 4 1
grep -q 'lost.png, named by m.obj, is missing' warned || fail "a warning was forgotten by the cache"
cp "few/$first" few/Lost.PNG
cached "a texture that was missing" 4 1
cached "once more" 5 2
sed -i 's/lost/Lost/' few/m.mtl
cached "a .mtl that says the same otherwise" 5 1
mv few/m.mtl m.mtl
cached "a .mtl that is gone" 5 1
mv m.mtl few
cached "a .mtl that is back" 5 2
cp "few/$first" few/again_n.png # the same bytes, and by its name a normal map
cached "a texture under a name that says another use" 5 2
cached "that one once more" 6 2
mv few/m.obj few/other.obj
cached "a model under another name" 6 1
mv few/other.obj few/m.obj
rm few/again_n.png
mkdir elsewhere
mv few elsewhere/few
ln -s elsewhere/few few
cached "in another place" 5 2
sed 's/Lost.png/..\/outside.png/' elsewhere/few/m.mtl >m.mtl
cp m.mtl few/m.mtl
cp "$good" outside.png
cp "$good" elsewhere/outside.png
cached "a texture outside" 5 1
cached "that one once more" 5 2
grep -q 'outside.png, named by m.obj, lies outside of few' warned || { cat warned; fail "what lies outside was forgotten"; }
expect 0 "$leat" pack elsewhere/few -o cached.leat --quiet --cache cache # its warning names another root
grep -q 'outside.png, named by m.obj, lies outside of elsewhere/few' err || { cat err; fail "a warning of another folder came from the cache"; }
rm "few/again_$first" few/Lost.PNG # the second of two alike would find the first one
for way in cut changed empty; do
    while read -r entry; do
        case $way in
            cut) truncate -s -1 "$entry" ;;
            changed) printf 'X' | dd of="$entry" bs=1 seek=$(($(stat -c %s "$entry") / 2)) conv=notrunc 2>/dev/null ;;
            empty) : >"$entry" ;;
        esac
    done < <(find cache -type f -path '*/??/*')
    cached "all entries $way" 0 0
    cached "all entries $way, and made anew" 3 2
done

echo "a build of leat that makes assets otherwise makes everything anew, and no other one does"
# changed SECTION: another_leat, which differs in the last bytes of that section.
changed()
{
    objcopy --dump-section "$1=section" "$leat" another_leat
    printf 'another' | dd of=section bs=1 seek=$(($(wc -c <section) - 7)) conv=notrunc 2>/dev/null
    objcopy --update-section "$1=section" another_leat
}
if readelf -n "$leat" | grep -q 'Build ID: '; then
    has() { readelf -S -W "$leat" | grep -F " $1 " >/dev/null; }
    decides=.leat_encoder other=.note.gnu.build-id
    has $decides || decides=.note.gnu.build-id
    for library in lz4 meshoptimizer assimp stb xxhash m c; do # one that is part of the program is no object of it
        readelf -d -W "$leat" | grep "(NEEDED).*\[lib$library[.-]" >/dev/null || decides=.note.gnu.build-id
    done
    [ $decides = .leat_encoder ] || other=.leat_encoder
    changed $decides
    leat=./another_leat cached "other encoders" 0 0
    leat=./another_leat cached "other encoders once more" 3 2
    cached "the first build" 3 2
    if has $other; then
        changed $other
        leat=./another_leat cached "another build with the same encoders" 3 2
    fi
else
    echo "  skipped: this program has no build id"
fi

echo "a file leat.rules says how textures are packed"
mkdir -p ruled/ui/deep
cp "$(sed -n 1p list)" ruled/a.png
cp "$(sed -n 2p list)" 'ruled/ui/Old wall.PNG'
cp "$(sed -n 3p list)" ruled/ui/deep/b.png

# ruled WHAT CACHED: packs ruled with the cache and without, to the same bytes; that many textures come from the cache.
ruled()
{
    expect 0 "$leat" pack ruled -o ruled.leat --quiet --json --verbose --cache cache
    cp err told
    tr -d ' \n\t' <out | grep -qF "\"from_cache\":{\"textures\":$2," || { cat out; fail "$1: not $2 from the cache"; }
    expect 0 "$leat" pack ruled -o uncached.leat --quiet --jobs 4
    cmp ruled.leat uncached.leat || fail "$1: the pack differs from the one without a cache"
    expect 0 "$leat" list ruled.leat
}
# listed FORMAT MIPS NAME
listed()
{
    grep -q "[0-9] $1, $2  *$3\$" out || { cat out; fail "$3 is not $1 with $2"; }
}
rm -rf cache
ruled "without rules" 0
listed 'BC[13]_SRGB' '[0-9]* mips' a.png
printf '# whole folders, and one file\r\nui/** texture-format=rgba8 mips=1\r\n"old wall.*" use=data\n' >ruled/leat.rules
ruled "two rules" 1
listed 'BC[13]_SRGB' '[0-9]* mips' a.png
listed RGBA8_UNORM '1 mip' 'ui/Old wall.PNG'
listed RGBA8_SRGB '1 mip' ui/deep/b.png
grep -qF '; use=data (ruled/leat.rules:3), texture-format=rgba8 (ruled/leat.rules:2), mips=1 (ruled/leat.rules:2)' told ||
    { cat told; fail "the rules that decided are not named"; }
ruled "the same rules" 3
echo 'b.png use=mask mips=all texture-format=auto' >ruled/ui/deep/leat.rules
ruled "a rule further in" 2
listed BC4_UNORM '[0-9]* mips' ui/deep/b.png
printf '%s\n' '# said otherwise, and the same' 'ui/Old* use=data' 'ui/** mips=1' 'ui/** texture-format=rgba8' >ruled/leat.rules
ruled "other words" 3
echo 'ui/Old* mips=2' >>ruled/leat.rules
ruled "another number of mips" 2
listed RGBA8_UNORM '2 mips' 'ui/Old wall.PNG'
echo '/a.png use=normal' >>ruled/leat.rules
ruled "another use" 2
listed BC5_UNORM '[0-9]* mips' a.png
echo 'gone.png use=normal' >>ruled/leat.rules
expect 0 "$leat" pack ruled -o ruled.leat --quiet --strict
said "warning: ruled/leat.rules:7: this rule matches no texture"
expect 0 "$leat" pack ruled/* -o again.leat --quiet # as the shell names them: these rules hold, and need not match
[ ! -s err ] || { cat err; fail "a rule that need not match is a warning"; }
expect 0 "$leat" list again.leat
listed BC4_UNORM '[0-9]* mips' deep/b.png

echo "what a rule asks of DDS and HDR files in vain is said"
mkdir vain
printf '#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 4\n' >vain/sky.hdr
printf '\200\200\200\201%.0s' {1..16} >>vain/sky.hdr
expect 0 "$leat" extract one.leat "$(sed 's,^content/,,;q' list)" -o vain/out --dds --quiet
mv "$(find vain/out -name '*.dds')" vain/wall.dds
rm -r vain/out
cp vain/wall.dds vain/wall2.dds
printf '* texture-format=rgba8\n*.dds mips=1\n' >vain/leat.rules
for from in first cache; do
    expect 0 "$leat" pack vain -o vain.leat --quiet --strict --cache "$PWD/vain.cache"
    said 'warning: vain/leat.rules:1: texture-format=rgba8 does nothing for sky.hdr (RGBA16_FLOAT) and 2 more: DDS and HDR files keep their format'
    [ "$(wc -l <err)" = 1 ] || { cat err; fail "from $from: not one line"; }
done
expect 0 "$leat" list vain.leat
listed 'BC[13]_SRGB' '1 mip' wall.dds
echo '*.[dh]d[sr] texture-format=auto' >>vain/leat.rules # whoever has read that says so
expect 0 "$leat" pack vain -o vain.leat --quiet --strict
[ ! -s err ] || { cat err; fail "a rule that asks nothing is a warning"; }

echo "rules that are wrong are named before anything is packed"
cp ruled.leat before.leat
# wrong_rules SAID: what is in ruled/leat.rules ends the run.
wrong_rules()
{
    expect 1 "$leat" pack ruled -o ruled.leat --quiet
    said "$1"
    cmp ruled.leat before.leat || fail "wrong rules have cost the old pack"
}
printf 'a.png use=colour\n\nb.png size=4\n' >ruled/leat.rules
wrong_rules "ruled/leat.rules:1: use takes auto, color, normal, data or mask, not colour"
said "ruled/leat.rules:3: there is no key of that name"
{ printf '\1' && head -c 899999 /dev/urandom; } >ruled/leat.rules # noise that begins with a hash mark would be a comment
wrong_rules "ruled/leat.rules:1: "
[ "$(wc -l <err)" -le 10 ] || fail "each line of noise is a line"
printf 'a.png mips=1 \33[31m\n' >ruled/leat.rules
wrong_rules "ruled/leat.rules:1: a control character"
! grep -q $'\33' err || fail "a rule has given the terminal a command"
truncate -s 2M ruled/leat.rules
wrong_rules "ruled/leat.rules: has 2097152 bytes; at most 1048576 go in"
rm ruled/leat.rules
ln -s nowhere ruled/leat.rules
wrong_rules "ruled/leat.rules: is a link to something that is not there"
rm ruled/leat.rules
mkfifo ruled/leat.rules
wrong_rules "ruled/leat.rules: is not a regular file"
rm ruled/leat.rules
: >ruled/leat.rules
expect 0 "$leat" pack ruled -o ruled.leat --quiet
folder=nested
for ((i = 0; i < 200; ++i)); do folder=$folder/$i; done
mkdir -p "$folder"
cp "$good" "$folder/a.png"
while [ "$folder" != . ]; do
    echo '* mips=2' >"$folder/leat.rules"
    folder=$(dirname "$folder")
done
echo '** mips=1' >nested/leat.rules
expect 0 "$leat" pack nested -o nested.leat --quiet
expect 0 "$leat" list nested.leat
grep -q '2 mips' out || fail "the innermost of 200 rules does not count"

echo "a cache that cannot be had costs a line, and two packers one cache nothing"
expect 0 "$leat" pack few -o cached.leat --quiet --cache list
grep -q '^leat: the cache list cannot be' err || { cat err; fail "nobody said that the cache cannot be had"; }
cmp cached.leat plain.leat || fail "without the cache, the pack is another"
(unset LEAT_CACHE && expect 0 env -u HOME -u XDG_CACHE_HOME "$leat" pack few -o cached.leat --quiet)
said "name one with --cache"
expect 0 env LEAT_CACHE="$work/own" "$leat" pack few -o cached.leat --quiet
[ -d own ] || fail "LEAT_CACHE was not heard"
rm -rf cache
"$leat" pack few -o one_of_two.leat --quiet --cache cache >/dev/null 2>&1 &
expect 0 "$leat" pack few -o cached.leat --quiet --cache cache
wait $! || fail "the other packer has failed"
cmp cached.leat plain.leat && cmp one_of_two.leat plain.leat || fail "two packers at once gave other packs"
rm -rf cache
"$leat" pack content -o killed.leat --quiet --cache cache >/dev/null 2>&1 &
pid=$!
while { [ -z "$(find cache -type f -path '*/??/*' 2>/dev/null | head -1)" ] || ! begun $pid killed.leat; } && kill -0 $pid 2>/dev/null; do :; done
kill -KILL $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
no_leftover "kill -9"
expect 0 "$leat" pack content -o cached.leat --quiet --cache cache --cache-limit 1M
cmp cached.leat one.leat || fail "after a packer was killed, the pack is another"
expect 0 "$leat" cache show --cache cache --json
[ "$(sed -n 's/.*"size":[^0-9]*\([0-9]*\).*/\1/p' out)" -le $((1 << 20)) ] || { cat out; fail "the cache is above its limit"; }
expect 0 "$leat" cache trim --cache cache --cache-limit 2M
expect 0 "$leat" cache clear --cache cache
grep -q '^cache: 0 entries' out || { cat out; fail "the cache was not cleared"; }
expect 0 "$leat" cache show --cache not/there
[ ! -e not ] || fail "asking for a cache has made one"
expect 1 "$leat" cache show
said "LEAT_CACHE=off"
expect 2 "$leat" cache
expect 2 "$leat" cache shrink
expect 2 "$leat" pack few -o x.leat --cache-limit 5X
expect 2 "$leat" pack few -o x.leat --cache cache --no-cache

echo "failures leave what was there"
cp one.leat kept.leat
(ulimit -f 100; expect 1 "$leat" pack content -o kept.leat --quiet --texture-format rgba8)
said "cannot be written"
cmp one.leat kept.leat || fail "a full disk has cost the old pack"
expect 1 "$leat" pack nowhere -o kept.leat
said nowhere
expect 1 "$leat" pack content -o no/such/folder/x.leat
said "make it first"
long=$(printf '%0245d.leat' 0)
expect 0 "$leat" pack "$good" -o "$long" --quiet
rm "$long"
expect 1 "$leat" pack content -o "$long-longer" --quiet
said "cannot be made: File name too long"
expect 2 "$leat" list --level 3 kept.leat
said "does not know the option --level;"
expect 2 "$leat" list -j 3 kept.leat
said "does not know the option -j;"
cp "$good" precious.png
expect 1 "$leat" pack content -o precious.png --quiet
said "precious.png: exists and is not a pack"
cmp "$good" precious.png || fail "a source was taken for the output"
expect 1 "$leat" diff one.leat bad.leat -o precious.png
cmp "$good" precious.png || fail "a source was taken for the patch"
: >fresh.leat # as mktemp leaves one
expect 0 "$leat" pack content -o fresh.leat --quiet
mkdir real
ln -s real/fresh.leat link.leat
mv fresh.leat real
expect 0 "$leat" pack model -o link.leat --quiet
[ -L link.leat ] || fail "the link to the pack is gone"
cmp model.leat real/fresh.leat || fail "the pack did not go to where the link leads"
ln -s later.leat real/ahead.leat
ln -s real/ahead.leat ahead.leat
expect 0 "$leat" pack model -o ahead.leat --quiet
[ -L ahead.leat ] && [ -L real/ahead.leat ] || fail "a link to a pack that is not there yet is gone"
cmp model.leat real/later.leat || fail "the pack did not go to where two links lead"
ln -s round.leat round.leat
expect 1 "$leat" pack model -o round.leat --quiet
said "round.leat: is a link that leads back to itself; remove it"
[ -L round.leat ] || fail "a link that leads nowhere was replaced"
rm round.leat
for mode in 600 664 444; do # not what the umask would say
    chmod $mode real/later.leat
    expect 0 "$leat" pack model -o ahead.leat --quiet
    [ "$(stat -c %a real/later.leat)" = $mode ] || fail "a pack of mode $mode is another's to read or write once it is replaced"
done
if [ "$(id -u)" = 0 ]; then
    chown 12345:54321 real/later.leat
    expect 0 "$leat" pack model -o ahead.leat --quiet
    [ "$(stat -c %u:%g real/later.leat)" = 12345:54321 ] || fail "the pack belongs to others once it is replaced"
    chmod 755 . && chmod 777 real && chmod 674 real/later.leat
    for more in dac_override dac_read_search; do # who may give a file away, and then neither change nor link it
        few=(setpriv --bounding-set "-all,+chown,+$more" --inh-caps=-all --)
        "${few[@]}" true 2>/dev/null || continue
        cp model.leat given.leat
        chmod 600 given.leat
        chown 12345 given.leat
        chmod 777 .
        expect 0 "${few[@]}" "$leat" pack model -o given.leat --quiet
        [ "$(stat -c %u:%a given.leat)" = 12345:600 ] || fail "a pack that was given away is open to others: $(stat -c %u:%a given.leat)"
    done
    stranger=(setpriv --reuid=23456 --regid=23456 --clear-groups)
    if "${stranger[@]}" "$leat" --version >/dev/null 2>&1; then # who may not keep the group gives its rights to no other one
        expect 0 "${stranger[@]}" "$leat" pack model -o real/later.leat --quiet
        [ "$(stat -c %u:%g:%a real/later.leat)" = 23456:23456:644 ] || fail "a group's rights have become another group's"
    fi
fi
expect 2 "$leat" pack content '' -o x.leat
said "an argument is empty"
expect 2 "$leat" pack content -o -
said "say ./-"
expect 2 "$leat" pack content -o x.leat -dash.png
said "does not know the option -d;"
expect 2 "$leat" pack content -o x.leat --quiet=5
said "takes no value: --quiet=5;"
mkdir void
expect 1 "$leat" pack void -o kept.leat
said "nothing to pack"
cmp one.leat kept.leat || fail "a failure has cost the old pack"
[ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || fail "a temporary file is left"

echo "files of other types go in as they are, where their ends are named"
mkdir mixed
cp "$good" mixed/picture.png
head -c 700000 /dev/urandom >mixed/music.OGG
echo 'return 1' >mixed/init.lua
cp mixed/init.lua mixed/again.lua
echo 'not this one' >mixed/init.luac
: >mixed/empty.lua
for from in 0 3; do
    expect 0 "$leat" pack mixed -o mixed.leat --quiet --blobs ogg,lua --json --cache cache
    tr -d ' \n\t' <out >summary
    grep -qF '"ignored":1,' summary || fail "not one file alone is of another type"
    grep -qF '"blobs":4,"duplicates":1,' summary || { cat out; fail "not four blobs, one of them the same"; }
    [ "$from" = 0 ] || grep -qF '"blobs":4}' summary || { cat out; fail "blobs are not found in the cache"; }
done
expect 0 "$leat" pack mixed -o plain.leat --quiet --blobs ogg,lua
cmp mixed.leat plain.leat || fail "blobs from the cache are not the same"
expect 0 "$leat" extract mixed.leat -o mixed.out --quiet
for file in music.OGG init.lua again.lua empty.lua; do
    cmp "mixed/$file" "mixed.out/$file" || fail "$file did not come back as it was"
done
mv mixed.leat mixed/mixed.leat # among its own sources, it is none of them
for run in first second; do
    expect 0 "$leat" pack mixed -o mixed/mixed.leat --quiet --blobs ogg,lua,leat
    cmp plain.leat mixed/mixed.leat || fail "a pack has packed itself, the $run time"
done
mv mixed/mixed.leat mixed.leat
mkdir nothing
: >nothing/all.lua # a pack of nothing but that
expect 0 "$leat" pack nothing -o nothing.leat --quiet --blobs lua
expect 0 "$leat" verify nothing.leat
expect 0 "$leat" list nothing.leat
grep -q '^blob  *0 .* all.lua$' out || fail "an empty file is not listed"
expect 0 "$leat" pack mixed -o as-it-is.leat --quiet --blobs png --json
tr -d ' \n\t' <out | grep -qF '"textures":0,"meshes":0,"materials":0,"blobs":1,' || fail "a blob is a texture all the same"
expect 2 "$leat" pack mixed -o x.leat --blobs .ogg
said "without dots, as in ogg,lua, not .ogg"

echo "what a run of the same process id has left behind is no hindrance"
# shellcheck disable=SC2016 # the inner shell's own id, which exec keeps
expect 0 bash -c 'echo left >"stale.leat.tmp-$$" && exec "$0" pack content -o stale.leat --quiet' "$leat"
cmp one.leat stale.leat || fail "not the same pack beside what was left behind"
[ "$(cat stale.leat.tmp-*)" = left ] || fail "the file of another run was touched"
rm -f stale.leat*

echo "an interrupt removes what was begun, and so does kill -9"
# interrupt SIGNAL: sends it to a packer that has begun to write; the packer's exit code.
interrupt()
(
    set -m # else bash starts background commands with SIGINT ignored
    "$leat" pack content -o kept.leat --level 12 --texture-format rgba8 --quiet >/dev/null 2>&1 &
    pid=$!
    while ! begun $pid kept.leat && kill -0 $pid 2>/dev/null; do :; done
    kill -"$1" $pid 2>/dev/null || true
    wait $pid
)
for signal in TERM INT KILL; do
    for ((attempt = 1; attempt <= 20; ++attempt)); do
        code=0
        interrupt $signal 2>/dev/null || code=$?
        ! cmp -s one.leat kept.leat || break
        # A busy machine has held this shell up until the packer was done: then the new pack is whole. Once more.
        expect 0 "$leat" verify kept.leat
        cp one.leat kept.leat
    done
    [ $code = $((128 + $(kill -l $signal))) ] || fail "exit $code after SIG$signal"
    [ $attempt -le 20 ] || fail "the packer was done before each SIG$signal"
    if [ $signal = KILL ]; then
        no_leftover SIGKILL
    else
        [ -z "$(find . -maxdepth 1 -name '*.tmp-*')" ] || fail "SIG$signal has left a temporary file"
    fi
done
(
    trap '' HUP # as nohup does
    "$leat" pack content -o kept.leat --quiet >/dev/null 2>&1 &
    pid=$!
    while ! begun $pid kept.leat && kill -0 $pid 2>/dev/null; do :; done
    kill -HUP $pid 2>/dev/null || true
    wait $pid
) || fail "SIGHUP has ended a packer that was to ignore it"
cmp one.leat kept.leat || fail "after runs that were killed, the pack is another"

echo "damage is found and named"
cp one.leat damaged.leat
size=$(stat -c %s one.leat)
printf 'XXXXXXXX' | dd of=damaged.leat bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect 1 "$leat" verify damaged.leat
said "is damaged"
# void_make PACK: void.leat, which is the same with nothing but zeros in all its chunks.
void_make()
{
    local index size
    size=$(stat -c %s "$1")
    index=$("$leat" info "$1" --json | sed -n 's/.*"index_size":[[:space:]]*\([0-9]*\).*/\1/p')
    { head -c 4096 "$1" && head -c $((size - 4096 - index)) /dev/zero && tail -c "$index" "$1"; } >void.leat
}
void_make mixed.leat
expect 1 "$leat" verify void.leat --json
[ "$(grep -o music.OGG out | wc -l)" = 3 ] || { cat out; fail "an asset is not named in each of its three chunks"; }
void_make one.leat
expect 1 "$leat" extract void.leat -o all --verbose # what is there already is not tried
! grep -q 'is damaged' err || { cat err; fail "what is there is made before it is found to be there"; }
expect 1 "$leat" verify void.leat --json
"$leat" list one.leat | awk '$2 > 0' | cut -c59- | sort >with_bytes
tr -d '\n\t' <out | grep -o '"assets":\[[^]]*\]' | grep -o '"[^",:]*"' | tr -d '"' | grep -vx assets | sort -u >named
diff with_bytes named || fail "not each asset of a bad chunk is named"
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

echo "a glTF file names its buffer by URI"
mkdir uri
sed 's/box\.bin/my%20box%2e%C3%A4/' few/box.gltf >uri/box.gltf
cp few/box.bin $'uri/my box.\xc3\xa4'
expect 0 "$leat" pack uri -o uri.leat --quiet --strict
cp few/box.bin uri/my%20box%2e%C3%A4 # who has a file of the very name means it
printf '\1' | dd of=uri/my%20box%2e%C3%A4 bs=1 seek=2 conv=notrunc 2>/dev/null
expect 0 "$leat" pack uri -o named.leat --quiet --strict
! cmp -s uri.leat named.leat || fail "a file of the very name was not read"
cp few/box.gltf 'uri/a%20 #b.gltf'
cp few/box.bin uri
expect 0 "$leat" pack uri -o uri.leat --quiet --strict
expect 0 "$leat" extract uri.leat 'a%20 #b.gltf' -o uri.out --gltf
grep -qF '"a%2520%20%23b.bin"' 'uri.out/a%20 #b.gltf' || fail "the buffer's name is not a URI"
expect 0 "$leat" pack uri.out -o uri.leat --quiet --strict

echo "what is there already is kept, unless forced"
find back -name '*.png' | sort >extracted
mine=$(sed -n 1p extracted)
lost=$(sed -n 2p extracted)
odd=$(sed -n 3p extracted)
cp "$mine" "$mine.before"
echo mine >"$mine"
rm "$lost" "$odd"
mkfifo "$odd"
expect 1 "$leat" extract first.leat -o back --verbose
[ "$(grep -c 'is there already; --force replaces it$' err)" = $(($(wc -l <extracted) - 2)) ] || { cat err; fail "--verbose does not tell all"; }
said "$mine: is there already; --force replaces it"
said "$odd: is there already, and is not a file"
[ "$(cat "$mine")" = mine ] || fail "a file was overwritten without --force"
[ -s "$lost" ] || fail "what was not there was not written"
expect 1 "$leat" extract first.leat -o back
[ "$(grep -c 'is there already; --force replaces it$' err)" = 5 ] && grep -q "^leat: and [0-9]* more like " err || { cat err; fail "not five of a kind"; }
expect 1 "$leat" extract first.leat -o back --force
[ -p "$odd" ] || fail "a pipe was replaced"
cmp "$mine" "$mine.before" || fail "--force has not replaced a file"
for format in obj gltf; do
    option=$([ $format = obj ] || echo --gltf)
    expect 0 "$leat" extract uri.leat -o kept.$format $option
    expect 1 "$leat" extract uri.leat -o kept.$format $option
    said "is there already; --force replaces it"
    expect 0 "$leat" extract uri.leat -o kept.$format $option --force
done
mkdir twice
cp "$good" twice/rock.jpg # what it is is told by its content
cp "$(sed -n 2p list)" twice/rock.jpg.png
cp few/box.gltf few/box.bin twice
expect 0 "$leat" pack twice -o twice.leat --quiet --blobs bin
for force in '' --force; do # of two that want one file the first gets it
    rm -rf twice.out
    # shellcheck disable=SC2086
    expect 1 "$leat" extract twice.leat -o twice.out --gltf $force
    [ "$(grep -c '^leat: twice.out/\(rock.jpg.png\|box.gltf\): ' err)" = 2 ] || { cat err; fail "two assets became one file with ${force:-no option}"; }
    cmp few/box.bin twice.out/box.bin || fail "a model's .bin has taken another asset's place"
done
expect 0 "$leat" extract twice.leat rock.jpg -o twice.one
cmp twice.one/rock.jpg.png twice.out/rock.jpg.png || fail "not the first of two has the file"
model='a%20 #b'
expect 0 "$leat" extract uri.leat -o pair --gltf
for missing in gltf bin; do # of two files one is there: neither is touched
    rm "pair/$model.$missing"
    expect 1 "$leat" extract uri.leat -o pair --gltf
    said "is there already; --force replaces it"
    [ ! -e "pair/$model.$missing" ] || fail "half a model was written: its .$missing"
    expect 0 "$leat" extract uri.leat -o pair --gltf --force
done
rm "pair/$model.bin"
mkdir "pair/$model.bin"
cp "pair/$model.gltf" box.before
expect 1 "$leat" extract uri.leat -o pair --gltf --force
said "pair/$model.gltf: its .bin is there already, and is not a file"
cmp "pair/$model.gltf" box.before || fail "--force has replaced half a model"

echo "a disk that is full leaves what --force would replace"
rm -r "pair/$model.bin"
expect 0 "$leat" extract uri.leat -o pair --gltf --force
[ "$(wc -c <"pair/$model.gltf")" -gt 1024 ] || fail "the .gltf is too small for this test"
cp -r pair pair.before
(ulimit -f 1; expect 1 "$leat" extract uri.leat -o pair --gltf --force) # room for the .bin, and not for the .gltf
said "pair/$model.gltf: File too large"
diff -r pair pair.before || fail "a full disk has cost the old pair, or left something"
cp -r back back.before
(ulimit -f 0; expect 1 "$leat" extract first.leat -o back --force)
diff -r back back.before 2>/dev/null | grep -v ' is a fifo ' | grep . && fail "a full disk has cost old textures, or left something"

echo "what is extracted goes by name, whatever the number of jobs"
mkdir names
for name in zebra apple Mango 'a b' apple.x/9 apple.x/10; do
    mkdir -p "$(dirname "names/$name")"
    echo "$name" >"names/$name.txt"
done
expect 0 "$leat" pack names -o names.leat --quiet --blobs txt
expect 0 "$leat" list names.leat
sed 's/^.\{58\}//; s,^,names.out/,; s/$/: is there already; --force replaces it/; s/^/leat: /' out >by_name
expect 0 "$leat" extract names.leat -o names.out --jobs 2 --json
tr -d ' \n\t' <out | grep -qF '{"output":"names.out","files":6,"failed":0,"skipped":0,"failures":[]}' || { cat out; fail "not what extract --json says"; }
for jobs in 1 4; do
    expect 1 "$leat" extract names.leat -o names.out --jobs $jobs --verbose --json
    cmp by_name err || { cat err; fail "with $jobs jobs, not by name"; }
    [ "$(grep -o 'is there already' out | wc -l)" = 6 ] || { cat out; fail "not all failures are in the JSON"; }
done
expect 0 "$leat" list names.leat --json
tr -d ' \n\t' <out | grep -q '^\[{"name":"Mango.txt","type":"blob","raw_size":6,"description":""},.*}\]$' || { cat out; fail "the list is no array"; }
expect 0 "$leat" extract one.leat -o all.again --quiet --jobs 3
[ "$(find all -type f | wc -l)" -gt 20 ] || fail "too few files for this test"
diff -r all all.again || fail "with three jobs, other files"

echo "nothing is written outside the folder"
expect 0 "$leat" list one.leat
name=$(grep -o -m 1 '[^ ]*/[^ ]*\.png$' out)
mkdir outside trap
ln -s ../outside "trap/${name%%/*}"
expect 1 "$leat" extract one.leat "$name" -o trap
[ -z "$(ls outside)" ] || fail "a link has led outside"
rm -rf trap
mkdir trap
ln -s ../outside/m.obj trap/m.obj
expect 1 "$leat" extract model.leat m.obj -o trap
ln -s ../outside/m.bin trap/m.obj.bin
expect 1 "$leat" extract model.leat m.obj -o trap --gltf
expect 1 "$leat" extract model.leat m.obj -o trap --force
[ -z "$(ls outside)" ] || fail "a link in the place of a model's file has led outside"

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
for command in pack list info verify extract diff doctor trace cache; do
    expect 0 "$leat" $command --help
done
expect 2 "$leat" trace tpo x.json
said "say top or why, not tpo"

echo "output that cannot be written, and none at all"
# More than a buffer of JSON in one piece, and less.
for arguments in --help --version "list one.leat" "diff first.leat one.leat --json" "doctor --json"; do
    got=0
    # shellcheck disable=SC2086
    "$leat" $arguments >/dev/full 2>err || got=$?
    [ "$got" = 1 ] || fail "exit $got, not 1: leat $arguments, and nowhere to write to"
    said "standard output cannot be written"
done
expect 0 "$leat" pack "$good" -o single.leat
for closed in '>&-' '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
    rm -f closed.leat
    bash -c "\"\$0\" pack \"\$1\" -o closed.leat --quiet $closed" "$leat" "$good" || true
    cmp single.leat closed.leat || fail "another pack with $closed"
done
echo "packer: all passed"
