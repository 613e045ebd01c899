#!/usr/bin/env bash
# Runs the plan on this machine's own kernel: host.sh PROGRAMMES WORK DRIVES PLAN SYSCTL. As root; the file systems are
# mounted from images in a mount namespace of its own, so that nothing stays mounted whatever happens.
set -uo pipefail

if [ "${LEAT_MOUNTS_APART:-no}" = no ]; then
    LEAT_MOUNTS_APART=yes exec unshare --mount --propagation private "$0" "$@"
fi
PROGRAMMES=$1 WORK=$2 drives=$3 plan=$4 SYSCTL=$5 KERNEL=host
# shellcheck source=suite.sh
. "$(dirname "${BASH_SOURCE[0]}")/suite.sh"

device()
{
    echo "$drives/$1.img"
}

device_options()
{
    echo loop,noatime
}

io_poll()
{
    echo 0 # loop devices have no queues to poll
}

finish()
{
    [ "$SYSCTL" = no ] || echo 0 >$DISABLED
    cd /
    unmount_all
}
[ "$SYSCTL" = no ] || [ "$(cat $DISABLED)" = 0 ] || { echo "$DISABLED is not 0: left alone"; SYSCTL=no; }
trap finish EXIT
trap 'exit 1' INT TERM

plan_run "$plan"
echo "@end"
