#!/usr/bin/env bash
# Witnesses that lie, are silent, or have a wrong clock: the log goes on while enough others sign; where
# too few do, it waits and says so, and backups go on.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
trap 'kill -9 $(jobs -p) 2> /dev/null || true; clean_up' EXIT

# watch NAME [PROGRAM]: an honest witness; its process in $watcher, its policy line in $work/policy
watch() {
  mkdir -p "$work/$1"
  "${2:-$bin/holdfast-witness}" serve --data "$work/$1" --name "$1" --log "$log_key" \
    --listen "127.0.0.1:${3:-0}" --json > "$work/$1/announced" 2> "$work/$1/err" &
  watcher=$!
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$work/$1/announced" && break
    kill -0 "$watcher" || fail "the witness ended: $(cat "$work/$1/err")"
    sleep 0.05
  done
  url=$(field url listening "$work/$1/announced")
  [[ -n ${3:-} ]] ||
    echo "witness $(field key listening "$work/$1/announced") $url" \
      "$(field fingerprint listening "$work/$1/announced")" >> "$work/policy"
}
# lying LIE [BESIDE]
lying() {
  local beside=${2:-w1} lines
  python3 -B "$here/lying_witness.py" "$work/$beside" "$(field url listening "$work/$beside/announced")" \
    "${3:-$1}" "$1" > "$work/lie.$1" 2> "$work/lie.$1.err" &
  for _ in $(seq 600); do
    lines=$(cat "$work/lie.$1" 2> /dev/null || true)
    [[ -z $lines ]] || break
    sleep 0.05
  done
  [[ -n $lines ]] || fail "the liar $1 does not start: $(cat "$work/lie.$1.err")"
  echo "$lines" >> "$work/policy"
}
until_shown() {
  for _ in $(seq 300); do
    "$@" > "$work/out" 2> "$work/err" && return 0
    sleep 0.1
  done
  fail "it never came: $*"
}
all_in() { on me log --json && [[ $(field circle log) == True && $(field data log) == True ]]; }
serve_log() { start_service --signup open --log --log-seconds 1 "$@"; }
end_service() {
  kill -TERM "$service"
  wait "$service" || fail "holdfastd did not stop well"
}
# noticed NAME WORDS: the operator is told
noticed() {
  for _ in $(seq 300); do
    grep "\"name\":\"$1\"" "$work/serve.err" | grep -q "$2" && return 0
    sleep 0.1
  done
  fail "nothing says of $1: $2: $(cat "$work/serve.err")"
}

serve_log
log_key=$(field log listening "$work/serve")
end_service
: > "$work/policy"
watch w1
watch w2
second=$watcher
# The first cosignature of a third, again and again: the honest one beside it has the key.
watch w3
sed -i '$d' "$work/policy"
for lie in garbage relay huge other drip silent; do lying "$lie"; done
lying stale w3 w3
clock=''
if faketime -f +1h "$bin/holdfast-witness" --version > /dev/null 2>&1; then
  printf '#!/bin/sh\nLD_PRELOAD='\''%s'\'' FAKETIME=+1h exec "%s" "$@"\n' \
    "$(faketime -f +1h printenv LD_PRELOAD)" "$bin/holdfast-witness" > "$work/late.sh"
  chmod +x "$work/late.sh"
  watch late "$work/late.sh"
  clock=late
else
  echo "SKIPPED: a wrong clock, faketime does not go with this build"
fi
echo "quorum 2" >> "$work/policy"

# --- seven lie, one's clock is wrong, two are honest, and two are enough
serve_log --log-policy "$work/policy"
until_shown "$holdfast" log verify --server "$server" "${pin[@]}"
expect 0 on me init --advanced --account me --device-name me --recovery-key-file "$work/paper"
mkdir "$work/docs"
echo one > "$work/docs/one"
expect 0 on me backup "$work/docs"
until_shown all_in
is "$(field quorum log)" 2
[[ $(field witnesses log) -le 3 ]] || fail "a liar counts as a witness"
noticed garbage "malformed"
noticed relay "not sign with the key"
noticed huge "9223372036854775807"
noticed other "451"
noticed drip "unavailable\|deadline\|time"
noticed silent "unavailable\|deadline\|time"
noticed w3 "not over this checkpoint"
[[ -z $clock ]] || noticed late "36[0-9][0-9] seconds apart"

# --- one honest one goes away: too few. Inclusion waits and devices say so; backups go on
kill -9 "$second"
wait "$second" 2> /dev/null || true
echo two > "$work/docs/two"
expect 0 on me backup "$work/docs"
noticed w2 "cannot connect"
expect 0 on me log
says "not in it yet"
expect 0 on me backup "$work/docs"
expect 0 on me restore latest --target "$work/back"
is "$(find "$work/back" -name two -exec cat {} +)" two

# --- it comes back, and the log with it
watch w2 "$bin/holdfast-witness" "$(field url listening "$work/w2/announced" | sed 's/.*://')"
until_shown all_in
expect 0 "$holdfast" log verify --server "$server" "${pin[@]}" --json
is "$(field quorum log_verified)" 2
end_service
service=''
echo "liars, the silent and the late hold nothing up while enough are honest"
