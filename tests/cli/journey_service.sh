#!/usr/bin/env bash
# The same journey, word for word, through holdfastd over HTTPS.
HOLDFAST_STORE=service
source "$(dirname "${BASH_SOURCE[0]}")/journey.sh"
expect 0 on other account show --json
[[ $(field bytes usage) -gt 3000000 ]] || fail "the service counts too little"
expect 0 on other account connections --json
is "$(field address connection)" 127.0.0.1
# --- killed and started again on the same folder: everything is there
kill -9 "$service"
wait "$service" 2> /dev/null || true
start_service --signup open
expect 0 on other snapshots --json
expect 0 on other restore "latest:$tree" --target "$work/r9"
expect 0 on other backup "$tree" --json
# --- an invitation makes one account; without one, nobody signs up
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
start_service
new_account() {
  "$holdfast" init --advanced --home "$work/$1" --server "$server" "${pin[@]}" --unattended \
    --account "$1" --device-name "$1" --recovery-key-file "$work/$1.key" "${@:2}"
}
expect 1 new_account her
says "invitation"
expect 0 "$bin/holdfastd" invite --data "$work/service"
cp "$work/out" "$work/invitation"
expect 0 new_account she --invitation-file "$work/invitation"
expect 1 new_account he --invitation-file "$work/invitation"
expect 0 "$bin/holdfastd" account --data "$work/service" list --json
grep -q '"account":"she"' "$work/out" || fail "the list misses an account"
expect 0 "$bin/holdfastd" account --data "$work/service" quota she 1M
expect 1 on she backup "$tree" --json
says "quota"
# --- an end that can be taken back
expect 0 on she account delete --yes --json
[[ -n $(field deletion_ms usage) ]] || fail "no date for the account's end"
expect 0 "$bin/holdfastd" account --data "$work/service" quota she 1G
expect 0 on she backup "$tree/empty"
says "of the 1.0 GiB"
says "to be deleted"
expect 0 on she account keep --json
is "$(field deletion_ms usage)" ""
# --- the operator's check, a backup while it runs, and back from it
expect 0 "$bin/holdfastd" check --data "$work/service" --read-data --json
is "$(field ok summary)" True
expect 0 "$bin/holdfastd" backup --data "$work/service" "$work/copy" --json
expect 0 "$bin/holdfastd" restore --data "$work/restored" "$work/copy" --json
expect 0 "$bin/holdfastd" check --data "$work/restored" --read-data
flip "$(find "$work/restored/packs" -type f | head -n 1)" 100
expect 1 "$bin/holdfastd" check --data "$work/restored" --read-data
says "damaged"
"$holdfast" --home "$work/she" --server-fingerprint "$(printf '0%.0s' {1..64})" --unattended \
  snapshots > /dev/null 2>&1 && fail "another fingerprint was ignored"
# --- another key at the same address is refused before anything is sent
kill -TERM "$service"
wait "$service"
mv "$work/service/tls.key" "$work/service/tls.crt" "$work"
start_service
expect 4 on she snapshots
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
echo "the journey works through the service"
