# shellcheck shell=bash
# full_device FOLDER: sets $full to a device that is always full, or to '' and says so. As root it is a node in the folder, as
# a program that takes outputs for files may remove it.
full_device()
{
    full=/dev/full
    if [ "$(id -u)" = 0 ]; then
        full=$1/full
        mknod "$full" c 1 7 2>/dev/null && { : >"$full"; } 2>/dev/null || full=
    fi
    [ -c "$full" ] || { full=; echo "not shown here: outputs to a full device, as there is none"; }
}
