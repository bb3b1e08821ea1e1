#!/usr/bin/env bash
# A service that takes a new recovery key and says that it did not: the key is not thrown away,
# whatever the service says, for it is the only one that is left.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
hostile=$bin/../tests/hostile
# serve ATTACK
serve() {
  "$hostile" serve --data "$work/service" --attack "$1" > "$work/serve" 2> "$work/serve.err" &
  service=$!
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$work/serve" && break
    kill -0 "$service" 2> /dev/null || fail "the service ended: $(cat "$work/serve.err")"
    sleep 0.05
  done
  server=$(field url listening "$work/serve")
  pin=(--server-fingerprint "$(field fingerprint listening "$work/serve")")
}
stop() {
  kill -TERM "$service"
  wait "$service" 2> /dev/null || true
  service=''
}

serve honest
expect 0 on she init --advanced --account me --device-name she --recovery-key-file "$work/key.0"
stop
round=0
for code in unavailable denied invalid not_found corrupt unsafe conflict; do
  old=$work/key.$round
  new=$work/key.$((++round))
  serve "taken-but:$code"
  kill -USR1 "$service"
  refused=0
  on she recovery key --recovery-key-file "$new" --old-recovery-key-file "$old" \
    > "$work/out" 2> "$work/err" || refused=$?
  [[ $refused -ne 0 ]] || fail "$code: it is said to be done"
  says "The new key"
  [[ -s $new ]] || fail "$code: the new key is thrown away"
  stop
done

# Nothing was sent: nothing is left behind.
serve honest
expect 4 on she recovery key --recovery-key-file "$work/not-made" --old-recovery-key-file "$work/key.0"
[[ ! -e $work/not-made ]] || fail "a key that was never sent is kept"

# The last one is the account's.
expect 0 on again recover --device-name again --recovery-key-file "$work/key.$round"
expect 1 on nobody recover --device-name nobody --recovery-key-file "$work/key.0"
echo "a new recovery key is kept, whatever the service says"
