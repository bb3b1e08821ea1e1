#!/usr/bin/env bash
# What the operator's check may change: damaged packs set aside, so that a device sends them again,
# and files that a crash left. Only while no service runs.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
data=$work/service
check() { "$bin/holdfastd" check --data "$data" "$@"; }
stop_service() {
  kill -TERM "$service"
  wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
  service=''
}

mkdir "$work/tree"
head -c 3000000 /dev/urandom > "$work/tree/big"
start_service --signup open
expect 0 on laptop init --advanced --account me --device-name laptop --recovery-key-file "$work/paper"
expect 0 on laptop backup "$work/tree"
expect 0 check --read-data --json
is "$(field ok summary)" True
packs=$(field packs summary)

# --- while the service runs: only looked at
expect 1 check --set-aside
says "stop it first"
expect 1 check --remove-orphans
says "stop it first"
stop_service

# --- files that nothing names: young ones may still get their row
folder=$(dirname "$(find "$data/packs" -type f | head -n 1)")
echo left > "$folder/old"
echo left > "$folder/young"
touch -d '2 hours ago' "$folder/old"
expect 0 check
says "1 files, 5 bytes"
says "--remove-orphans"
expect 0 check --json
is "$(field orphans summary)" 1
is "$(field removed summary)" 0
expect 0 check --remove-orphans
says "They were removed"
[[ ! -e $folder/old && -e $folder/young ]] || fail "the wrong file was removed"
expect 0 check --json
is "$(field orphans summary)" 0
is "$(field packs summary)" "$packs"

# --- a damaged pack: named, kept, and then out of the way
largest=$(find "$data/packs" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
flip "$largest" 1000
expect 0 check
expect 1 check --read-data
says "damaged: pack ${largest##*/}"
says "--set-aside"
[[ -e $largest ]] || fail "a check alone moved a pack"
expect 1 check --read-data --set-aside --json
is "$(field set_aside summary)" 1
is "$(field ok summary)" False
[[ ! -e $largest ]] || fail "the damaged pack is still there"
[[ -n $(find "$data/damaged" -name "*${largest##*/}") ]] || fail "the damaged pack is gone"
expect 1 check
says "missing: pack ${largest##*/}"
says "sends its content again"
# Its bytes cut short are found without reading.
second=$(find "$data/packs" -type f ! -name young | head -n 1)
cp -a "$second" "$work/whole"
truncate -s -1 "$second"
expect 1 check --set-aside
says "$data/damaged now"
cp -a "$work/whole" "$second"

# --- the device sends the contents again, in new packs: every snapshot can be restored
start_service
expect 1 on laptop restore "latest:$work/tree" --target "$work/lost"
expect 0 on laptop backup "$work/tree"
says "sent again"
expect 1 check --read-data --json
is "$(grep -c '"event":"missing"' "$work/out")" 1
is "$(grep -c '"event":"damaged"' "$work/out")" 0
expect 0 on laptop check --read-data
expect 0 on laptop snapshots --json
for snapshot in $(grep -o '"snapshot":"[0-9a-f]*"' "$work/out" | cut -d'"' -f4); do
  expect 0 on laptop restore "$snapshot:$work/tree" --target "$work/back.$snapshot"
  cmp "$work/tree/big" "$work/back.$snapshot/big" || fail "restored with other content"
done
is "$(find "$work" -maxdepth 1 -name 'back.*' | wc -l)" 2
echo "a check changes what it is told to, and nothing else"
