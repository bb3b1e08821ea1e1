#!/usr/bin/env bash
# What is kept no longer, with real programs and a folder: forget, prune, undo, damage found and
# repaired; a prune killed with kill -9 again and again. Then a service, and how fast is sent to it.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"

seed=${HOLDFAST_SEED:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
of_summary() { field "$1" summary; }

expect 0 on laptop init --advanced --account me --device-name laptop --recovery-key-file "$work/paper"
mkdir "$work/tree"
echo stays > "$work/tree/stays"
for i in 1 2 3; do
  head -c 3000000 /dev/urandom > "$work/tree/changes"
  cp "$work/tree/changes" "$work/changes.$i"
  expect 0 on laptop backup "$work/tree" --tag "number $i"
done

# --- forget
expect 2 on laptop forget
expect 2 on laptop forget --keep-last 1 0123
expect 1 on laptop forget latest
expect 0 on laptop forget --keep-last 1 --dry-run --json
is "$(of_summary forgotten)" 2
expect 0 on laptop forget --keep-daily 30 --tag "number 2" --json
is "$(of_summary forgotten)" 0
expect 0 on laptop snapshots --json
is "$(grep -c '"event":"snapshot"' "$work/out")" 3
expect 0 on laptop forget --keep-last 1 --json
is "$(of_summary forgotten)" 2
expect 0 on laptop snapshots
says "#number 3"

# --- prune, killed at any moment, drops what only the other two had
expect 0 on laptop prune --dry-run --json
garbage=$(of_summary packs)
((garbage > 0)) || fail "nothing to prune: the test proves nothing"
for round in 1 2 3 4 5; do
  "$holdfast" --home "$work/laptop" --server "$server" --unattended prune > "$work/killed" 2>&1 &
  waiting=$!
  sleep "0.0$((RANDOM % 10))"
  kill -9 "$waiting" 2> /dev/null || true
  wait "$waiting" 2> /dev/null || true
  waiting=''
  expect 0 on laptop check
done
expect 0 on laptop prune --json
expect 0 on laptop prune --json
is "$(of_summary packs)" 0
expect 0 on laptop check --read-data
expect 0 on laptop restore "latest:$work/tree" --target "$work/restored"
cmp "$work/restored/changes" "$work/changes.3"

# --- undone, all three are there
expect 0 on laptop undo --json
first=$(grep '"event":"loss"' "$work/out" | head -1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["record"])')
expect 0 on laptop undo "$first"
expect 0 on laptop snapshots --json
is "$(grep -c '"event":"snapshot"' "$work/out")" 3
expect 0 on laptop check --read-data

# --- damage: found, named, repaired
largest=$(find "$work/store" -path '*/packs/*' -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
chmod u+w "$largest"
printf 'xxxxxxxxxxxxxxxx' | dd of="$largest" bs=1 seek=100000 conv=notrunc status=none
expect 1 on laptop check --read-data --json
damaged=$(of_summary damaged_snapshots)
((damaged > 0)) || fail "no snapshot is damaged"
grep -q "\"path\":\"$work/tree/changes\"" <(grep '"event":"damaged"' "$work/out") || fail "no file is named"
# What is whole is restored all the same, and the rest is named.
broken=$(grep '"event":"damaged"' "$work/out" | grep '"path"' | tail -1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["snapshot"])')
expect 1 on laptop restore "$broken:$work/tree" --target "$work/partly"
says "changes"
cmp "$work/tree/stays" "$work/partly/stays"
[[ ! -e $work/partly/changes ]] || fail "a damaged file was restored"
expect 3 on laptop repair --json
is "$(of_summary salvaged)" "$damaged"
expect 0 on laptop check --read-data
expect 0 on laptop repair
expect 0 on laptop backup "$work/tree"
expect 0 on laptop restore "latest:$work/tree" --target "$work/again"
cmp "$work/again/changes" "$work/changes.3"
expect 1 on laptop backup "$work/tree" --limit-upload 1M
says "rate is for a service"

# --- beside the backups of another device, killed at any moment, no needed pack goes
admit nas laptop
mkdir "$work/other"
for round in 1 2 3 4; do
  head -c 1500000 /dev/urandom > "$work/other/changes"
  head -c 200000 /dev/urandom > "$work/other/kept.$round"
  "$holdfast" --home "$work/nas" --server "$server" --unattended backup "$work/other" > "$work/beside" 2>&1 &
  backup=$!
  expect 0 on laptop forget --keep-last 1
  "$holdfast" --home "$work/laptop" --server "$server" --unattended prune --max-waste 10 > "$work/killed" 2>&1 &
  waiting=$!
  sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
  kill -9 "$waiting" 2> /dev/null || true
  wait "$waiting" 2> /dev/null || true
  waiting=''
  wait "$backup" || fail "the backup beside it failed: $(cat "$work/beside")"
  expect 0 on laptop check --read-data
done
expect 0 on laptop prune --max-waste 10 --json
expect 0 on nas check --read-data
expect 0 on nas restore "latest:$work/other" --target "$work/beside.out"
diff -r "$work/other" "$work/beside.out"

# --- a service: the rate holds, and so does the niceness
start_service --signup open
expect 0 on desk init --advanced --account you --device-name desk --recovery-key-file "$work/paper2"
expect 2 on desk backup "$work/tree" --limit-upload 1K
from=$(date +%s%N)
"$holdfast" --home "$work/desk" --unattended backup "$work/tree" --limit-upload 1M --nice 17 > "$work/out" &
waiting=$!
sleep 0.5
is "$(awk '{print $19}' "/proc/$waiting/stat")" 17
wait "$waiting"
waiting=''
took=$((($(date +%s%N) - from) / 1000000))
echo "3 MB at 1M a second took $took ms"
((took >= 2500)) || fail "that was faster than it may be"
for i in 1 2; do expect 0 on desk backup "$work/tree"; done
expect 0 on desk forget --keep-last 1 --json
is "$(of_summary forgotten)" 2
expect 0 on desk prune
says "14 days"
expect 0 on desk check --read-data
end_service
echo "all as it should be"
