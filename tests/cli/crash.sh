#!/usr/bin/env bash
# Killed with kill -9 in the middle, disks that fill up: nothing acknowledged is lost, and the next
# run goes on from where it was.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

seed=${HOLDFAST_SEED:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
packs() { find "$work/store" -path '*/packs/*' -type f ! -name '.*' | wc -l; }
summary() { python3 -c 'import json, sys
for line in open(sys.argv[2]):
    row = json.loads(line)
    if row["event"] == "summary":
        print(row[sys.argv[1]])' "$1" "$work/out"; }

# begin COMMAND...: on the laptop, in the background; its own process, not a shell, in $waiting.
begin() {
  "$holdfast" --home "$work/laptop" --server "$server" --unattended "$@" > "$work/killed" 2>&1 &
  waiting=$!
}
end() {
  kill -9 "$waiting" 2> /dev/null || true
  wait "$waiting" 2> /dev/null || true
  waiting=''
}

expect 0 on laptop init --advanced --account me --device-name laptop --recovery-key-file "$work/paper"

# --- a killed backup goes on, and sends at most two packs again
mkdir "$work/tree"
for i in $(seq 8); do head -c 12000000 /dev/urandom > "$work/tree/$i"; done
resumed_once=0
for round in 1 2 3; do
  before=$(packs)
  begin backup "$work/tree"
  while kill -0 "$waiting" 2> /dev/null && (($(packs) < before + 1 + RANDOM % 4)); do sleep 0.01; done
  end
  there=$(($(packs) - before))
  expect 0 on laptop backup "$work/tree" --json
  resumed=$(summary resumed_packs)
  echo "round $round: $there packs were there, $resumed were used"
  snapshot=$(summary snapshot)
  # What was there and was not used again was sent twice, unless the killed one had committed.
  if ((resumed > 0)); then
    ((there - resumed <= 2)) || fail "$there packs were in the store, only $resumed were used again"
    resumed_once=1
  fi
  expect 0 on laptop restore "$snapshot:$work/tree" --target "$work/out-$round"
  diff -r "$work/tree" "$work/out-$round" || fail "restored something else"
  rm -rf "$work/out-$round"
  head -c 24000000 /dev/urandom > "$work/tree/new-$round"
  head -c 24000000 /dev/urandom > "$work/tree/newer-$round"
done
((resumed_once)) || fail "no round was killed in the middle: the test proves nothing"
expect 0 on laptop check --read-data

# --- killed at any moment of an act that changes the account, and of a restore
for round in 1 2 3 4 5 6; do
  begin vault create "v$round"
  sleep "0.0$((RANDOM % 6))"
  end
  on laptop vault list --json > "$work/vaults"
  grep -q "\"v$round\"" "$work/vaults" || expect 0 on laptop vault create "v$round"
  begin restore "latest:$work/tree" --target "$work/half" --overwrite always
  sleep "0.$((RANDOM % 3))"
  end
  # A file stands under its name only when it is whole.
  if [[ -d $work/half ]]; then
    for file in "$work/half"/*; do
      [[ ! -f $file ]] || cmp "$file" "$work/tree/$(basename "$file")" || fail "a part of a file"
    done
  fi
  rm -rf "$work/half"
done
expect 0 on laptop check
is "$(on laptop vault list --json | grep -c '"v[1-6]"')" 6

# --- full disks
if [[ $(id -u) != 0 ]] || ! mkdir "$work/small" || ! mount -t tmpfs -o size=24m none "$work/small" 2> /dev/null; then
  echo "full disks: not tried, mounting needs root"
  exit 0
fi
trap 'umount -l "$work/small" 2> /dev/null || true; clean_up' EXIT
server=dir:$work/small/store
expect 0 on pad init --advanced --account me --device-name pad --recovery-key-file "$work/paper2"
mkdir "$work/little"
echo little > "$work/little/a"
expect 0 on pad backup "$work/little"
expect 1 on pad backup "$work/tree"
says "space"
expect 0 on pad restore "latest:$work/little" --target "$work/little-out"
cmp "$work/little/a" "$work/little-out/a" || fail "lost what was saved"
mount -o remount,size=400m "$work/small"
expect 0 on pad backup "$work/tree"
expect 0 on pad check --read-data
# The other side: a target too small takes what fits, names the rest, leaves nothing half.
mkdir "$work/small/tight"
mount -t tmpfs -o size=20m none "$work/small/tight"
expect 3 on pad restore "latest:$work/tree" --target "$work/small/tight/out"
says "space"
for file in "$work/small/tight/out"/*; do
  cmp "$file" "$work/tree/$(basename "$file")" || fail "a part of a file"
done
umount "$work/small/tight"
echo "all as it should be"
