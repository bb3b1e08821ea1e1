# For scripts that move everyone's clock, where a witness proves times: after common.bash.
#
#   need_clocks                ends the script where clocks cannot be moved
#   set_clock TIME             everyone's, as date -d reads it
#   end_watcher, start_watcher the witness; its policy is in $work/watchers
#   until_so COMMAND...        again until it succeeds
watcher=''
watched_log=''  # the log's key
trap 'end_watcher; clean_up' EXIT

# The library alone: faketime itself would be the process that is ended.
need_clocks() {
  if ! faketime -f +1h "$holdfast" --version > /dev/null 2>&1; then
    echo "SKIPPED: other clocks, faketime does not go with this build"
    exit 0
  fi
  local library program
  library=$(faketime -f +1h printenv LD_PRELOAD)
  mkdir "$work/moved"
  for program in holdfast holdfastd holdfast-witness holdfast-custodian; do
    printf '#!/bin/sh\nFAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD=%q FAKETIME=$(cat "%s") exec "%s" "$@"\n' \
      "$library" "$work/clock" "$bin/$program" > "$work/moved/$program"
    chmod +x "$work/moved/$program"
  done
  bin=$work/moved
  holdfast=$bin/holdfast
  echo +0h > "$work/clock"
}
set_clock() { printf '%+d' $(($(date -u -d "$1 UTC" +%s) - $(date +%s))) > "$work/clock"; }

end_watcher() {
  [[ -z $watcher ]] || { kill "$watcher" && wait "$watcher"; } 2> /dev/null || true
  watcher=''
}
start_watcher() {
  "$bin/holdfast-witness" serve --data "$work/witness" --name w1 --log "$watched_log" \
    --listen "127.0.0.1:${watch_port:-0}" --json > "$work/watch" 2> "$work/watch.err" &
  watcher=$!
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$work/watch" && break
    kill -0 "$watcher" || fail "the witness ended: $(cat "$work/watch.err")"
    sleep 0.05
  done
  watch_url=$(field url listening "$work/watch")
  watch_port=${watch_url##*:}
  cat > "$work/watchers" << POLICY
witness $(field key listening "$work/watch") $watch_url $(field fingerprint listening "$work/watch")
quorum 1
POLICY
}
until_so() {
  for _ in $(seq 300); do
    "$@" > "$work/out" 2> "$work/err" && return 0
    sleep 0.1
  done
  fail "it never came: $*"
}
