#!/usr/bin/env bash
# An owner who lost every device asks the provider for help: real programs, a real token. Two operators must grant it, each
# once; every device is told and cancels; release batches come in time, whether anything is in them or not.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/custody.bash"

for name in anna ben carl; do
  expect 0 "$bin/holdfastd" operator key --new "$work/$name.key" --json
  printf -v "$name" %s "$(field public_key key)"
done

# Carl is nobody whom the custodian knows.
eval "$(declare -f custodian_options | sed '1s/custodian_options/plain_options/')"
custodian_options() {
  plain_options
  printf '%s\n' --operator "$anna" --operator "$ben"
}
custodial_options+=(--release-hours 0.001)
start_custody
operator() { "$bin/holdfastd" operator "$@" --data "$work/service"; }
helping() { "$bin/holdfastd" help "$@" --data "$work/service"; }
expect 0 operator add anna --as "$work/anna.key"
expect 0 operator add ben --public-key "$ben" --as "$work/anna.key"
open_account me

# --- asking

expect 0 helping list
says 'Nobody asks for help'
expect 0 on found help-request --account me --device-name found --json
code=$(field code help_requested)
[[ $code =~ ^[0-9a-f]{20}$ ]] || fail "no code: $code"
expect 0 on stranger help-request --account nobody --device-name x --json
expect 0 helping list
says "$code  account \"me\", device \"found\""
says '0 of 2 operators granted it; 1 devices can cancel it'
says 'there is no such account'

# --- granting

expect 1 helping grant "$code" --as "$work/carl.key"
says "not an operator's"
expect 1 helping grant 00000000000000000000 --as "$work/anna.key"
expect 0 helping grant "$code" --as "$work/anna.key"
says 'It takes a second operator'
expect 1 helping grant "$code" --as "$work/anna.key"
says 'you granted this request before'
expect 0 helping grant "${code:0:5}-${code:5:5}-${code:10}" --as "$work/ben.key"
says 'Granted by two'
expect 0 operator list --trail
says "grant-help $code"

# --- every device is told, and cancels

for _ in $(seq 200); do
  on me vault list --json > "$work/out" 2> "$work/err" || true
  ! grep -q '"event":"help_waits"' "$work/out" || break
  sleep 0.5
done
is "$(field name help_waits)" found
expect 0 on found help-request --json
is "$(field code help_requested)" "$code"
grep -q '"event":"help_waits"' "$work/out" || fail "help was given after minutes"
expect 0 on me protection cancel
for _ in $(seq 200); do
  expect 0 helping list
  grep -q "$code" "$work/out" || break
  sleep 0.5
done
! grep -q "$code" "$work/out" || fail "a request that was cancelled still waits"

# --- release batches: in the log, checked by the device, opened to it

batches() {
  python3 -c 'import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(db.execute("SELECT count(*), count(opening) FROM log_position").fetchone())' \
    "$work/service/service.db"
}
[[ $(batches) != '(0, 0)' ]] || fail "no release batch came"
expect 0 on me log
# A custodian and a service that are killed go on with the next number.
end_custodian KILL
end_service KILL
start_custodian
serve_custodial
before=$(batches)
for _ in $(seq 200); do
  [[ $(batches) == "$before" ]] || break
  sleep 0.5
done
[[ $(batches) != "$before" ]] || fail "no batch came after the restart: $(cat "$work/serve.err")"
expect 0 on me log

# --- refusing

expect 0 helping list --json
other=$(field code request)
expect 0 helping refuse "$other" --as "$work/ben.key"
expect 0 helping list
says 'Nobody asks for help'
