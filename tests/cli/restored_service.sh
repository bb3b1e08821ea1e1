#!/usr/bin/env bash
# The operator puts an older copy back: devices refuse, and one of them gives back what was lost.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
start_service --signup open
expect 0 on old init --advanced --account me --device-name old --recovery-key-file "$work/old.key"
mkdir "$work/docs"
echo first > "$work/docs/first"
expect 0 on old backup "$work/docs"
expect 0 "$bin/holdfastd" backup "$work/older" --data "$work/service"
echo second > "$work/docs/second"
expect 0 on old backup "$work/docs"
admit late old
expect 0 on late snapshots
kill -9 "$service"
wait "$service" 2> /dev/null || true
rm -rf "$work/service"
expect 0 "$bin/holdfastd" restore "$work/older" --data "$work/service"
start_service --signup open
expect 4 on old snapshots
says "holdfast account resend"
says "the newest statement it has is of 20"
expect 1 on late account resend
expect 0 on old account resend --json
is "$(field statements resent)" 1
is "$(field snapshots resent)" 1
expect 0 on old backup "$work/docs"
expect 0 on late check --read-data
expect 0 on late restore --target "$work/back" latest
is "$(find "$work/back" -name second -exec cat {} +)" second
echo "a restored service gets back what it lost"
