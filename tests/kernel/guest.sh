#!/bin/busybox sh
# The init of the emulated machine: mounts what a system has, runs the plan, and turns the machine off. Its results go to
# the second serial port; the first one has the kernel's own words. No line "@end" there means that the machine died.
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /work
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
exec </dev/null >/dev/ttyS1 2>&1

PROGRAMMES=/leat WORK=/work SYSCTL=yes SETPRIV=/leat/bin/setpriv # not busybox's applet
# shellcheck source=/dev/null
. /leat/settings # KERNEL, SHELL_WANTED
# shellcheck source=suite.sh
. /leat/suite.sh
mount -t tmpfs -o mode=755 tmpfs /work

# block_device IMAGE: the namespace of the drive that holds it. Its own number tells, not that in the device's name: newer
# kernels name namespaces in the order in which they answer.
block_device()
{
    number=0
    for name in $FILE_SYSTEMS_ON_IMAGES; do
        number=$((number + 1))
        [ "$name" != "$1" ] || break
    done
    for candidate in /sys/block/nvme*; do
        [ "$(cat "$candidate/nsid")" != $number ] || echo "${candidate##*/}"
    done
}

device()
{
    echo "/dev/$(block_device "$1")"
}

device_options()
{
    echo noatime
}

io_poll()
{
    cat "/sys/block/$(block_device "$1")/queue/io_poll" 2>/dev/null || echo 0
}

while read -r module; do
    insmod "/leat/modules/$module" || echo "| the module $module cannot be loaded"
done </leat/modules/order

plan_run /leat/plan
if [ "$SHELL_WANTED" = yes ]; then
    setsid sh -c 'exec sh -i </dev/ttyS1 >/dev/ttyS1 2>&1'
fi
unmount_all
echo "@end"
poweroff -f
