# Shell functions that make the emulated machine's initramfs and drives, and run it. Sourced by run.sh.
#
# The machine: two cores, plain emulation (no KVM needed), an NVMe drive with queues to poll and a namespace for each file
# system, two serial ports (the kernel's console, and the results). It has no network. Its system is busybox, the
# programmes that are tested, and the shared libraries that those need, from here.

MACHINE_MEMORY_MIB=1024
DRIVE_MIB=512 # of each file system; the files are sparse. XFS takes no less than 300.

# drives_make FOLDER PROGRAMMES FS...: an empty file system of each kind in FOLDER/FS.img; a squashfs with a pack in it.
drives_make()
{
    local folder=$1 programmes=$2 fs image
    shift 2
    mkdir -p "$folder"
    for fs in "$@"; do
        image=$folder/$fs.img
        rm -f "$image"
        truncate -s "${DRIVE_MIB}M" "$image"
        case $fs in
            ext4) mkfs.ext4 -q -F "$image" ;;
            xfs) mkfs.xfs -q -f "$image" ;;
            btrfs | btrfs-zstd) mkfs.btrfs -q -f "$image" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; return 1; } ;; # it talks
            squashfs)
                rm -rf "$image" "$folder/squashfs"
                mkdir "$folder/squashfs"
                "$programmes/leat-modes" --make "$folder/squashfs"
                mksquashfs "$folder/squashfs" "$image" -quiet -no-progress -all-root >/dev/null
                rm -rf "$folder/squashfs"
                ;;
        esac
    done
}

# programmes_gather FOLDER BUILD: copies what is run to FOLDER, without debug information.
programmes_gather()
{
    local folder=$1 build=$2 file
    rm -rf "$folder"
    mkdir -p "$folder"
    for file in "${PROGRAMMES_ALL[@]}"; do
        [ -x "$build/tests/$file" ] || { echo "$build/tests/$file is not there: build first" >&2; return 1; }
        strip --strip-debug -o "$folder/${file##*/}" "$build/tests/$file"
    done
}

# initramfs_make OUT PROGRAMMES MODULES PLAN SETTINGS
initramfs_make()
{
    local out=$1 programmes=$2 modules=$3 plan=$4 settings=$5 root=$1.tree library
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/leat/bin"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$(command -v setpriv)" "$root/leat/bin/" # that of busybox cannot change the user
    cp "$programmes"/* "$root/leat/"
    ldd "$root"/leat/bin/* "$programmes"/* | grep -oE '/[^ ]+ \(0x' | sed 's/ (0x//' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
    cp -r "$modules" "$root/leat/modules"
    cp "$here/suite.sh" "$root/leat/"
    cp "$plan" "$root/leat/plan"
    cp "$settings" "$root/leat/settings"
    install -m 755 "$here/guest.sh" "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet) >"$out"
    rm -rf "$root"
}

# machine_run KERNEL-FOLDER INITRAMFS DRIVES CONSOLE RESULTS SECONDS-MAX: boots the machine and waits for its end.
# CONSOLE and RESULTS are what qemu's -serial takes. Returns 124 or 137 when it took too long.
# The kernel must not check its timer's interrupts: on a host with much to do they come too late for it, and it panics.
machine_run()
{
    local kernel=$1 initramfs=$2 drives=$3 console=$4 results=$5 seconds=$6 fs number=0 devices=()
    for fs in $FILE_SYSTEMS_ON_IMAGES; do
        number=$((number + 1))
        [ -f "$drives/$fs.img" ] || continue
        devices+=(-drive "file=$drives/$fs.img,if=none,format=raw,cache=unsafe,id=$fs"
            -device "nvme-ns,drive=$fs,bus=nvme,nsid=$number")
    done
    exec timeout --foreground -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -smp 2 -m "$MACHINE_MEMORY_MIB" \
        -nodefaults -no-user-config -no-reboot -display none \
        -kernel "$kernel/vmlinuz" -initrd "$initramfs" \
        -append "console=ttyS0 panic=-1 oops=panic quiet no_timer_check nvme.poll_queues=1 nvme_core.multipath=0" \
        -serial "$console" -serial "$results" -device nvme,id=nvme,serial=leat "${devices[@]}"
}
