#!/usr/bin/env bash
# Packs sealed again after a device went, killed with kill -9 in the middle, again and again: it goes
# on from what was sent, and in the end no old object is needed.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

seed=${HOLDFAST_SEED:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
packs() { find "$work/store" -path '*/packs/*' -type f ! -name '.*' | wc -l; }
of_summary() { python3 -c 'import json, sys
for line in open(sys.argv[2]):
    row = json.loads(line)
    if row["event"] == "summary":
        print(row[sys.argv[1]])' "$1" "$work/out"; }

expect 0 on laptop init --advanced --account me --device-name laptop --recovery-key-file "$work/paper"
ask_to_join nas
expect 0 on laptop devices approve <<< "$code"
wait "$waiting"
waiting=''

mkdir "$work/tree"
for i in $(seq 8); do head -c 12000000 /dev/urandom > "$work/tree/$i"; done
expect 0 on laptop backup "$work/tree"
expect 0 on laptop protection reseal
says "there is nothing to seal again"

# --- what the nas could read is said, before and after
expect 0 on laptop devices remove nas --yes
find "$work/store" -path '*/packs/*' -type f ! -name '.*' | sort > "$work/old"
expect 2 on laptop protection reseal --limit-upload fast
expect 1 on laptop protection reseal --vault none

# --- killed, as soon as some packs were sent
resumed_once=0
for round in 1 2 3 4; do
  before=$(packs)
  "$holdfast" --home "$work/laptop" --server "$server" --unattended protection reseal \
    --limit-upload 60M > "$work/killed" 2>&1 &
  waiting=$!
  while kill -0 "$waiting" 2> /dev/null && (($(packs) < before + 1 + RANDOM % 2)); do sleep 0.01; done
  kill -9 "$waiting" 2> /dev/null || true
  wait "$waiting" 2> /dev/null || true
  waiting=''
  expect 0 on laptop check
done
expect 0 on laptop protection reseal --json
resumed=$(of_summary resumed_packs)
sealed=$(of_summary packs)
echo "$resumed of $sealed packs were sent before a kill"
((resumed > 0)) || fail "nothing was killed in the middle: the test proves nothing"
is "$(of_summary exposed_packs)" 0
is "$(of_summary skipped)" 0
expect 0 on laptop protection reseal
says "nothing could still be opened"

# --- the owner of the folder deletes all that was there before: everything is still there
while read -r old; do rm "$old"; done < "$work/old"
rm -rf "$work/laptop/cache"
mkdir "$work/laptop/cache"
expect 0 on laptop check --read-data
expect 0 on laptop restore "latest:$work/tree" --target "$work/restored"
diff -r "$work/tree" "$work/restored" || fail "restored something else"
echo "all as it should be"
