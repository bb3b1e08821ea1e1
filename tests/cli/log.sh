#!/usr/bin/env bash
# The public log with real programs: witnessed, audited, checked by devices at every sync.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
watcher=''
stop_watcher() {
  [[ -z $watcher ]] || { kill "$1" "$watcher" && wait "$watcher"; } 2> /dev/null || true
  watcher=''
}
trap 'stop_watcher -TERM; clean_up' EXIT
start_watcher() {
  "$bin/holdfast-witness" serve --data "$work/witness" --name w1 --log "$log_key" \
    --listen "127.0.0.1:${watch_port:-0}" --json > "$work/watch" 2> "$work/watch.err" &
  watcher=$!
  for _ in $(seq 600); do
    grep -q '"event":"listening"' "$work/watch" && break
    kill -0 "$watcher" || fail "the witness ended: $(cat "$work/watch.err")"
    sleep 0.05
  done
  watch_url=$(field url listening "$work/watch")
  watch_port=${watch_url##*:}
}
# until_shown MAX COMMAND...: again until it succeeds
until_shown() {
  for _ in $(seq 300); do
    "$@" > "$work/out" 2> "$work/err" && return 0
    sleep 0.1
  done
  fail "it never came: $*"
}
restart() {
  kill "$1" "$service"
  wait "$service" 2> /dev/null || true
  start_service --signup open --log --log-seconds 1 "${@:2}"
}
new_account() {
  on "$1" init --advanced --account "$1" --device-name "$1" --recovery-key-file "$work/$1.key"
}

# --- nobody watches: devices check, and say so
start_service --signup open --log --log-seconds 1
expect 0 new_account solo
mkdir "$work/docs"
echo one > "$work/docs/one"
expect 0 on solo backup "$work/docs"
all_in() { on "$1" log --json && [[ $(field circle log) == True && $(field data log) == True ]]; }
until_shown all_in solo
is "$(field quorum log)" 0

# --- with a witness that is auditor, too
log_key=$(field log listening "$work/serve")
start_watcher
cat > "$work/policy" << POLICY
witness $(field key listening "$work/watch") $watch_url $(field fingerprint listening "$work/watch")
auditor w1 $(field auditor listening "$work/watch") $watch_url $(field fingerprint listening "$work/watch")
quorum 1
POLICY
restart -TERM --log-policy "$work/policy"
until_shown new_account she
expect 0 on she backup "$work/docs"
until_shown all_in she
is "$(field quorum log)" 1
is "$(field witnesses log)" 1
audited() { all_in she && [[ $(field audited log) == "$(field epoch log)" ]]; }
until_shown audited

# --- killed at any moment, the log goes on where it was
for round in 1 2 3; do
  echo "$round" > "$work/docs/$round"
  on she backup "$work/docs" > /dev/null 2>&1 &
  backup=$!
  sleep "0.$round"
  kill -9 "$service"
  wait "$backup" 2> /dev/null || true
  wait "$service" 2> /dev/null || true
  start_service --signup open --log --log-seconds 1 --log-policy "$work/policy"
  expect 0 on she backup "$work/docs"
  until_shown all_in she
done

# --- anyone checks all of it, over the network and from a copy of its files
expect 0 "$holdfast" log verify --server "$server" "${pin[@]}" --json
is "$(field witnesses log_verified)" 1
entries=$(field entries log_verified)
cp -r "$work/service/log" "$work/mirror"
expect 0 "$holdfast" log verify --folder "$work/mirror" --json
is "$(field entries log_verified)" "$entries"
flip "$(find "$work/mirror/map" -type f | head -n 1)" 60
expect 4 "$holdfast" log verify --folder "$work/mirror"
rm -r "$work/mirror"
cp -r "$work/service/log" "$work/mirror"
flip "$(find "$work/mirror/tile/entries" -type f | sort | tail -n 1)" 40
[[ $("$holdfast" log verify --folder "$work/mirror" > "$work/out" 2>&1; echo $?) != 0 ]] ||
  fail "an entry was changed unseen"

# --- a witness that is away delays the log; backups go on
stop_watcher -KILL
echo two > "$work/docs/two"
expect 0 on she backup "$work/docs"
start_watcher
until_shown all_in she

# --- the service's database put back to an older state: the witness and the devices notice
expect 0 "$bin/holdfastd" backup --data "$work/service" "$work/copy"
echo three > "$work/docs/three"
expect 0 on she backup "$work/docs"
until_shown all_in she
kill -TERM "$service"
wait "$service"
mv "$work/service" "$work/newer"
expect 0 "$bin/holdfastd" restore --data "$work/service" "$work/copy"
start_service --signup open --log --log-seconds 1 --log-policy "$work/policy"
expect 4 on she snapshots
kill -TERM "$service"
wait "$service"
service=''
echo "the log is kept, watched and checked"
