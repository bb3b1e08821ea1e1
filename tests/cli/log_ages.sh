#!/usr/bin/env bash
# A lost recovery key is replaced where a log proves that three days pass: with real programs, whose clocks are
# moved (faketime).
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/clocks.bash"
need_clocks

start_logged() { start_service --signup open --log --log-seconds 1 --log-policy "$work/watchers"; }
# hours_later N: everyone's clock, from the beginning of the test
hours_later() {
  end_service
  end_watcher
  echo "+$1h" > "$work/clock"
  start_watcher
  start_logged
}
in_log() { on she recovery show --json && [[ -n $(field since_ms recovery_waits) ]]; }
# Cosigned since the clock was moved: what is older proves less.
fresh() { on she log --json && (($(field age_seconds log) < 3000)); }

start_service --signup open --log --log-seconds 1
watched_log=$(field log listening "$work/serve")
start_watcher
end_service
start_logged
she() {
  on she init --advanced --account she --device-name she --recovery-key-file "$work/lost.key"
}
until_so she
mkdir "$work/docs"
echo one > "$work/docs/one"

# --- proposed: said to everyone, taken back by anyone, and not again while one waits
expect 0 on she recovery key --recovery-key-file "$work/thief.key" --json
first=$(field number recovery_proposed)
expect 0 on she backup "$work/docs"
says "ATTENTION: a new recovery key waits"
expect 1 on she recovery key --recovery-key-file "$work/more.key"
says "waits already"
[[ ! -e $work/more.key ]] || fail "a key was left that nobody proposed"
expect 0 on she recovery cancel --json
is "$(field number recovery_cancelled)" "$first"
expect 1 on she recovery complete --yes
says "No new recovery key waits"

# --- three days
expect 0 on she recovery key --recovery-key-file "$work/new.key"
says "opens nothing yet"
until_so in_log
is "$(field due recovery_waits)" False
expect 1 on she recovery complete
says "\-\-yes"
expect 1 on she recovery complete --yes
says "does not count yet"
hours_later 71
until_so fresh
expect 1 on she recovery complete --yes
says "does not count yet"
hours_later 73
until_so fresh
expect 0 on she recovery show
says "may be completed now"
expect 0 on she recovery complete --yes
expect 0 on she backup "$work/docs"
[[ $(cat "$work/err") != *ATTENTION* ]] || fail "what was completed still waits"

# --- the lost key opens nothing, the new one everything
expect 1 "$holdfast" recover --home "$work/old" --server "$server" "${pin[@]}" --unattended \
  --recovery-key-file "$work/lost.key"
expect 0 "$holdfast" recover --home "$work/again" --server "$server" "${pin[@]}" --unattended \
  --device-name again --recovery-key-file "$work/new.key"
expect 0 on again restore latest --target "$work/back"
diff -r "$work/docs" "$work/back$work/docs" || fail "restored something else"
end_service
echo "a lost recovery key was replaced in three days"
