#!/usr/bin/env bash
# kill -9 of a service that keeps a witnessed log, at random moments, while a device saves and anyone
# reads its checkpoints. Afterwards: every checkpoint that was ever served is a beginning of the final
# log, by a second reading of its entries (log_kill.py); the witness, who refuses forks, still signs.
#
#   HOLDFAST_KILLS=N  a third as many rounds (30)
#   HOLDFAST_SEED=N   the same delays again; what a delay hits stays chance
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
rounds=$((${HOLDFAST_KILLS:-30} / 3))
seed=${HOLDFAST_SEED:-$RANDOM}
echo "seed $seed, $rounds rounds"
RANDOM=$seed
trap 'kill -9 $(jobs -p) 2> /dev/null || true; clean_up' EXIT
serve_log() { start_service --signup open --log --log-seconds 1 "$@"; }
until_shown() {
  for _ in $(seq 300); do
    "$@" > "$work/out" 2> "$work/err" && return 0
    sleep 0.1
  done
  fail "it never came: $*"
}

serve_log
log_key=$(field log listening "$work/serve")
kill -TERM "$service"
wait "$service"
"$bin/holdfast-witness" serve --data "$work/witness" --name w1 --log "$log_key" \
  --listen 127.0.0.1:0 --json > "$work/watch" 2> "$work/watch.err" &
for _ in $(seq 600); do
  grep -qs '"event":"listening"' "$work/watch" && break
  sleep 0.05
done
url=$(field url listening "$work/watch")
finger=$(field fingerprint listening "$work/watch")
cat > "$work/policy" << POLICY
witness $(field key listening "$work/watch") $url $finger
auditor w1 $(field auditor listening "$work/watch") $url $finger
quorum 1
POLICY
serve_log --log-policy "$work/policy"
until_shown "$holdfast" log verify --server "$server" "${pin[@]}"
python3 -B "$here/log_kill.py" collect "$server" "$work/served" &
expect 0 on me init --advanced --account me --device-name me --recovery-key-file "$work/paper"
mkdir "$work/docs"

for round in $(seq "$rounds"); do
  echo "$round" > "$work/docs/$round"
  on me backup "$work/docs" > "$work/out" 2> "$work/err" &
  backup=$!
  # Half of them while it starts: what was decided and not shown is shown then.
  delay=$((RANDOM % (RANDOM % 2 ? 150 : 1300)))
  sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
  kill -9 "$service"
  wait "$service" 2> /dev/null || true
  cat "$work/serve.err" >> "$work/log"
  serve_log --log-policy "$work/policy"
  # A second one on the same folder, by mistake.
  if ((round == 1)); then
    expect 1 "$bin/holdfastd" serve --data "$work/service" --listen 127.0.0.1:0 \
      --metrics-listen 127.0.0.1:0 --log --log-policy "$work/policy"
    says "another program is using the data directory"
  fi
  wait "$backup" 2> /dev/null || true
done

echo last > "$work/docs/last"
expect 0 on me backup "$work/docs"
all_in() { on me log --json && [[ $(field circle log) == True && $(field data log) == True ]]; }
until_shown all_in
expect 0 "$holdfast" log verify --server "$server" "${pin[@]}" --json
is "$(field witnesses log_verified)" 1
kill -TERM "$service"
wait "$service"
service=''
cat "$work/serve.err" >> "$work/log"
if grep '"level":"error"' "$work/log"; then fail "the service logged an error"; fi
expect 0 python3 -B "$here/log_kill.py" judge "$work/service/log" "$work/served"
cat "$work/out"
