# Shell functions that run the tests on one kernel: on each file system, in each sandbox. Sourced by guest.sh inside the
# emulated machine (busybox sh) and by run.sh on this one (bash), so that both do the very same.
#
# What is to be run is a plan: a file with a line "FS SANDBOX MODES [TEST...]" for each cell, where MODES is the name of one
# mode, "all", or "methods" (leat-bench methods instead), and TEST a programme of the backend suite without its test_. What came of it goes to standard output, a line each:
#
#   @cell kernel=6.1 fs=ext4 sandbox=none io_poll=1 release=6.1.0-56-cloud-amd64
#   @test kernel=6.1 fs=ext4 sandbox=none test=streamer result=passed|failed|hung|skipped
#   @mode kernel=6.1 fs=ext4 sandbox=none mode=sqpoll asked=on granted=yes backend=io_uring bytes=identical fallback="" why=""
#   @polled kernel=6.1 fs=ext4 without_interrupts=yes
#   @skip kernel=host fs=xfs sandbox=none why="cannot be mounted"
#
# Other lines are for people: the end of what a failed test said, each behind "| ".
#
# The caller sets PROGRAMMES and WORK (folders), KERNEL (the series, or host), SYSCTL (yes: kernel.io_uring_disabled may be
# changed), and defines device IMAGE and device_options, what to mount and how, and io_poll IMAGE, which prints 1 if that
# device has queues to poll.

PROGRAMME_SECONDS_MAX=${PROGRAMME_SECONDS_MAX:-1800} # a programme that takes longer hangs
DISABLED=/proc/sys/kernel/io_uring_disabled

# All there are, in the order of the tables.
KERNELS="6.1 6.12 host"
FILE_SYSTEMS="ext4 xfs btrfs btrfs-zstd tmpfs overlay squashfs"
SANDBOXES="none seccomp-EPERM seccomp-ENOSYS memlock-0 memlock-64K memlock-8M disabled-1 disabled-1-user disabled-2"
# File systems on images of their own; the position of a name is the number of its namespace on the emulated drive.
FILE_SYSTEMS_ON_IMAGES="ext4 xfs btrfs btrfs-zstd squashfs"

# folder_of FS: where mount_fs mounts it.
folder_of()
{
    echo "$WORK/mnt/$1"
}

mounted()
{
    grep -q " $1 " /proc/mounts
}

# image_of FS: the image that it lies on; nothing for tmpfs.
image_of()
{
    case $1 in
        tmpfs) ;;
        overlay) echo ext4 ;;
        *) echo "$1" ;;
    esac
}

# known_fs FS: whether this kernel has it, by now: the emulated machine has loaded its modules.
known_fs()
{
    grep -qw "${1%-zstd}" /proc/filesystems
}

# mount_fs FS: mounts it once, writable by everybody. Returns 1 if it cannot be.
mount_fs()
{
    mount_folder=$WORK/mnt/$1
    ! mounted "$mount_folder" || return 0
    mkdir -p "$mount_folder"
    case $1 in
        tmpfs) mount -t tmpfs leat "$mount_folder" ;;
        overlay)
            # Its lower layer holds a pack, as the layers of a container's image do; what the tests write goes to the upper.
            mount_fs ext4 || return 1
            mount_base=$WORK/mnt/ext4/overlay mount_folder=$WORK/mnt/overlay
            mkdir -p "$mount_base/lower" "$mount_base/upper" "$mount_base/work"
            "$PROGRAMMES/leat-modes" --make "$mount_base/lower" || return 1
            mount -t overlay -o "lowerdir=$mount_base/lower,upperdir=$mount_base/upper,workdir=$mount_base/work" leat "$mount_folder"
            ;;
        btrfs-zstd) mount -t btrfs -o "$(device_options),compress-force=zstd" "$(device "$1")" "$mount_folder" ;;
        squashfs) mount -t squashfs -o "$(device_options),ro" "$(device "$1")" "$mount_folder" && return ;;
        *) mount -t "$1" -o "$(device_options)" "$(device "$1")" "$mount_folder" ;;
    esac >"$WORK/said" 2>&1 && chmod 1777 "$mount_folder"
}

unmount_all()
{
    for mount_folder in overlay tmpfs squashfs btrfs-zstd btrfs xfs ext4; do
        ! mounted "$WORK/mnt/$mount_folder" || umount "$WORK/mnt/$mount_folder"
    done
}

# as_nobody MEMLOCK_KIB COMMAND...: without privilege, and with that limit on locked memory.
as_nobody()
{
    (
        ulimit -l "$1"
        shift
        exec "${SETPRIV:-setpriv}" --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"
    )
}

# in_sandbox SANDBOX COMMAND...: runs it as root (none), as nobody with a limit on locked memory, under a filter that
# answers io_uring with an error, or with io_uring disabled by the sysctl (-user: as nobody).
in_sandbox()
{
    sandbox_name=$1
    shift
    case $sandbox_name in
        none | disabled-[12]) "$@" ;;
        memlock-0) as_nobody 0 "$@" ;;
        memlock-64K) as_nobody 64 "$@" ;;
        memlock-8M) as_nobody 8192 "$@" ;;
        disabled-[12]-user) as_nobody unlimited "$@" ;;
        seccomp-*) "$PROGRAMMES/seccomp_run" "${sandbox_name#seccomp-}" -- "$@" ;;
        *) echo "no such sandbox: $sandbox_name" && return 2 ;;
    esac
}

# sandbox_enter SANDBOX: what has to be set for the whole system. Says why not, and returns 1, where it cannot be.
sandbox_enter()
{
    case $1 in
        disabled-*) ;;
        *) return 0 ;;
    esac
    [ -e $DISABLED ] || { echo "this kernel has no io_uring_disabled"; return 1; }
    [ "$SYSCTL" = yes ] || { echo "io_uring_disabled is for the whole system, and was not to be changed"; return 1; }
    sandbox_level=${1#disabled-}
    echo "${sandbox_level%-user}" >$DISABLED
}

sandbox_leave()
{
    case $1 in disabled-*) echo 0 >$DISABLED ;; esac
}

# programme SANDBOX FOLDER NAME [ARGUMENT...]: runs one of PROGRAMMES; sets $result, and leaves in WORK/said what it said.
programme()
{
    programme_sandbox=$1 programme_folder=$2 programme_name=$3 status=0 programme_began=$(date +%s)
    shift 3
    TMPDIR=$programme_folder in_sandbox "$programme_sandbox" timeout -s KILL "$PROGRAMME_SECONDS_MAX" \
        "$PROGRAMMES/$programme_name" "$@" >"$WORK/said" 2>&1 </dev/null || status=$?
    case $status in
        0) result=passed ;;
        77) result=skipped ;;
        124 | 137) result=hung ;;
        *) result=failed ;;
    esac
    echo "@test $cell test=${programme_name#test_} result=$result"
    echo "| in $(($(date +%s) - programme_began)) s"
    case $result in failed | hung) tail -n 40 "$WORK/said" | sed 's/^/| /' ;; esac
}

# drive_counts IMAGE: "READS INTERRUPTS" of its device since it was there.
drive_counts()
{
    drive_name=$(block_device "$1")
    read -r drive_reads drive_rest <"/sys/block/$drive_name/stat"
    awk -v reads="$drive_reads" '/nvme[0-9]*q[1-9]/ { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; ++i) sum += $i }
        END { print reads, sum + 0 }' /proc/interrupts
}

# drive_counted MODE: "READS INTERRUPTS" while the modes programme read in that mode.
drive_counted()
{
    drive_before=$(drive_counts ext4)
    "$PROGRAMMES/leat-modes" "$(folder_of ext4)" --made --only "$1" >"$WORK/said" 2>&1 </dev/null
    echo "$(drive_counts ext4) $drive_before" | awk '{ print $1 - $3, $2 - $4 }'
}

# polled_check: that polled reads are polled in truth shows in the drive's interrupts. There are none for them; read by
# four threads, there is at least one for every four reads, of which half is asked for here.
polled_check()
{
    "$PROGRAMMES/leat-modes" "$(folder_of ext4)" --make && sync
    polled_on=$(drive_counted iopoll=on)
    polled_off=$(drive_counted threads)
    echo "| reads and interrupts of the drive: $polled_on polled, $polled_off by threads"
    echo "$polled_on $polled_off" | awk -v cell="kernel=$KERNEL fs=ext4" '{
        print "@polled " cell " without_interrupts=" ($1 > 1000 && $2 * 50 < $1 && $4 * 8 > $3 ? "yes" : "no") }'
}

# methods_run FS: the table of methods, on that file system.
methods_run()
{
    TMPDIR=$(folder_of "$1") "$PROGRAMMES/leat-bench" methods --quick </dev/null 2>&1 | sed 's/^/| /'
}

# cell_run FS SANDBOX MODES TEST...
cell_run()
{
    cell="kernel=$KERNEL fs=$1 sandbox=$2" fs=$1 sandbox=$2 modes=$3
    shift 3
    if ! known_fs "$fs"; then
        echo "@skip $cell why=\"this kernel has no $fs\""
        return 0
    fi
    if ! mount_fs "$fs"; then
        echo "@test $cell test=mount result=failed"
        sed 's/^/| /' "$WORK/said"
        return 0
    fi
    if ! sandbox_enter "$sandbox" >"$WORK/said"; then
        echo "@skip $cell why=\"$(cat "$WORK/said")\""
        return 0
    fi
    if [ "$modes" = methods ]; then
        methods_run "$fs"
        return 0
    fi
    echo "@cell $cell io_poll=$(io_poll "$(image_of "$fs")") release=$(uname -r)"
    for test in "$@"; do
        programme "$sandbox" "$(folder_of "$fs")" "test_$test"
    done
    set -- "$(folder_of "$fs")"
    case $fs in squashfs | overlay) set -- "$@" --made ;; esac
    [ "$modes" = all ] || set -- "$@" --only "$modes"
    programme "$sandbox" "$1" leat-modes "$@"
    # How many calls were made is not the same twice.
    sed -n "s/^mode=/@mode $cell mode=/; s/ calls_per_read=[^ ]*//; /^@mode/p" "$WORK/said"
    sandbox_leave "$sandbox"
    [ "$fs,$sandbox,$(io_poll ext4)" != ext4,none,1 ] || polled_check
}

# plan_run PLAN: all cells, one after the other.
plan_run()
{
    while read -r fs sandbox modes tests; do
        # shellcheck disable=SC2086 # tests are words
        cell_run "$fs" "$sandbox" "$modes" $tests
    done <"$1"
}
