# Shell functions that fetch Debian's kernels and unpack them, without installing anything. Sourced by run.sh.
#
# A kernel is named by its series: 6.1 is that of Debian 12, 6.12 the newer one that Debian 12 offers beside it (the first
# with kernel.io_uring_disabled). Packages and what is unpacked of them stay in the cache folder; a second run fetches
# nothing. When Debian replaces a package, a fresh cache gets the new one: the release is read from what was unpacked.

# What the tests need beyond what is built into these kernels.
KERNEL_MODULES=(xfs btrfs overlay squashfs)

# kernel_metapackage SERIES: the package that depends on the newest kernel of the series.
kernel_metapackage()
{
    case $1 in
        6.1) echo linux-image-cloud-amd64 ;;
        6.12) echo linux-image-6.12-cloud-amd64 ;;
        *) return 1 ;;
    esac
}

# kernel_package SERIES: the name of the package that holds the newest kernel of the series.
kernel_package()
{
    local name
    name=$(apt-cache depends --important "$(kernel_metapackage "$1")" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
    case $name in
        linux-image-"$1".*) echo "$name" ;;
        *) return 1 ;; # this is not Debian 12: its kernel is of another series
    esac
}

# kernel_fetch SERIES CACHE: sees to it that CACHE/SERIES holds vmlinuz, release and modules/. Says on standard output, in
# one line, why not, and returns 1.
kernel_fetch()
{
    local series=$1 target=$2/$1 work package release
    [ ! -f "$target/release" ] || return 0
    command -v apt-get >/dev/null || { echo "no apt-get to fetch Debian's kernel with"; return 1; }
    package=$(kernel_package "$series") || {
        [ "$(id -u)" != 0 ] || packages_update >/dev/null 2>&1 || true
        package=$(kernel_package "$series") ||
            { echo "apt has no kernel $series ($(kernel_metapackage "$series"); is apt-get update to be run?)"; return 1; }
    }
    work=$2/$series.new
    rm -rf "$work"
    mkdir -p "$work/deb" "$work/tree"
    if ! (cd "$work/deb" && apt-get download -qq "$package") >"$work/log" 2>&1; then
        echo "apt-get could not download $package: $(grep '^E:' "$work/log" | head -n 1)"
        return 1
    fi
    dpkg-deb -x "$work"/deb/*.deb "$work/tree"
    release=$(basename "$work"/tree/lib/modules/*)
    cp "$work/tree/boot/vmlinuz-$release" "$work/vmlinuz"
    kernel_modules "$work/tree" "$release" "$work/modules"
    rm -rf "$work/deb" "$work/tree"
    echo "$release" >"$work/release"
    rm -rf "$target"
    mv "$work" "$target"
}

# kernel_modules TREE RELEASE OUT: copies KERNEL_MODULES and all that they need to OUT, and writes OUT/order: their file
# names, each after those that it needs.
kernel_modules()
{
    local base=$1/lib/modules/$2 out=$3 module file
    mkdir -p "$out"
    base=$(cd "$base" && pwd -P)
    # Newer packages hold compressed modules; the dependencies are worked out on plain ones.
    find "$base" -name '*.ko.xz' -exec unxz {} +
    busybox depmod -b "${base%/lib/modules/*}" "$2"
    : >"$out/order"
    for module in "${KERNEL_MODULES[@]}"; do
        # "kernel/fs/xfs/xfs.ko: what it needs, each before those that it needs in its turn"
        grep -E "/$module\.ko:" "$base/modules.dep" | tr -d ':' | tr ' ' '\n' | grep . | tac >>"$out/order"
    done
    awk '!seen[$0]++' "$out/order" >"$out/order.new"
    while read -r file; do
        cp "$base/$file" "$out/"
    done <"$out/order.new"
    sed 's,.*/,,' "$out/order.new" >"$out/order"
    rm "$out/order.new"
}
