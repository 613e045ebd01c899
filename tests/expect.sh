# What the test scripts share: to be sourced by bash, with `set -e`, before the script leaves its folder.
# shellcheck shell=bash

export LEAT_CACHE=off # tests of the packer make their packs, and leave the user's cache alone

fail()
{
    echo "FAILED: $1" >&2
    exit 1
}

# expect CODES COMMAND...: the exit code is one of them (as in "0,3"); output goes to ./out and ./err.
expect()
{
    local codes=$1 got=0
    shift
    "$@" >out 2>err || got=$?
    case ",$codes," in
        *",$got,"*) ;;
        *) cat out err; fail "exit $got, not $codes: $*" ;;
    esac
    ! grep -Eq 'AddressSanitizer|runtime error' err || { cat err; fail "a sanitizer has something to say: $*"; }
}
