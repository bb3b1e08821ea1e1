#!/usr/bin/env bash
# The policies in packaging/policies, each published and come into effect at its time: with real programs, whose
# clocks are moved (faketime).
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/clocks.bash"
policies=$(realpath "$tools/../packaging/policies")
need_clocks

start_logged() {
  start_service --signup open --log --log-seconds 1 --log-policy "$work/watchers" --policy-key "$@"
}
fresh() { on "$1" log --json && (($(field age_seconds log) < 3000)); }
# knows DEVICE VERSION: it is shown the log as it is now, with that version of the policy
knows() { on "$1" policy --json && [[ $(field newest policy_summary) == "$2" ]]; }
# it_is DAY: everyone's clock
it_is() {
  end_service
  end_watcher
  set_clock "$1"
  start_watcher
  start_logged "$work/public"
  until_so fresh gb
  until_so fresh fr
}
policy() { "$bin/holdfastd" policy "$@"; }
publish() { policy publish "$@" --data "$work/service"; }
init() { on "$1" init --advanced --account "$1" --region "$2" --recovery-key-file "$work/$1.key"; }
# refused_in REGION NAME: nobody begins there
refused_in() {
  expect 1 init "$2" "$1"
  says "not offered in region $1"
}

# --- a key that stays offline, and policies before they are published
set_clock '2025-01-15 12:00'
expect 0 policy key "$work/private" --new --json
public=$(field public_key policy_key)
is "$(stat -c %a "$work/private")" 600
expect 1 policy key "$work/private" --new
expect 0 policy key "$work/private" --json
is "$(field public_key policy_key)" "$public"
echo "$public" > "$work/public"
for one in "$policies"/*.toml; do expect 0 policy check "$one"; done
expect 0 policy check "$policies/3-leave-by.toml"
says "GB: .*must leave it by 2027-01-31 00:00 UTC"
says "every other region: The advanced level is offered"
wrong() { # WORDS LINES...: a policy of these lines is refused with these words
  printf '%s\n' "${@:2}" > "$work/wrong.toml"
  expect 1 policy check "$work/wrong.toml"
  says "$1"
}
wrong 'line 2: "advancd"' '[others]' 'advancd.enable = "offered"'
wrong '"offered" or "withdrawn"' '[others]' 'advanced.enable = "perhaps"'
wrong 'two capital letters' '[region.gb]' 'advanced.enable = "offered"'
wrong 'must leave what is offered' '[others]' 'advanced.existing = { leave_by = 2027-01-31 }'
wrong 'a date is needed' 'in_effect_from = 2025-01-15T00:00:00'
wrong 'no such day\|line 1' 'in_effect_from = 2025-02-30'
wrong '90 days' '[others]' 'open_days = 91'
wrong 'three numbers' '[others]' 'oldest_client = "1.2"'
wrong 'line 2' '[others]' 'note = "not closed'
wrong 'control character' '[others]' 'note = "\u001b[2J"'

# --- the service: its new accounts trust that key, and it takes no private one
expect 1 "$bin/holdfastd" serve --data "$work/service" --policy-key "$public"
says "needs --log"
expect 1 "$bin/holdfastd" serve --data "$work/service" --log --policy-key "$work/private"
says "is the private key"
! grep -rqs "$(cut -d' ' -f2 "$work/private")" "$work/service" || fail "the private key went somewhere"
: > "$work/watchers"
start_logged "$public"
watched_log=$(field log listening "$work/serve")
end_service
start_watcher
start_logged "$public"
expect 0 policy show --data "$work/service"
says "everything is offered everywhere"
mkdir "$work/docs"
echo one > "$work/docs/one"
until_so init gb GB
until_so init fr FR
until_so on gb backup "$work/docs"
until_so on fr backup "$work/docs"

# --- version 1 counts at once, and changes nothing
expect 0 publish "$policies/1-offered.toml" --key "$work/private" --json
is "$(field version policy_published)" 1
is "$(field in_effect policy_published)" True
until_so knows gb 1
expect 0 on gb policy
says "The advanced level is offered"

# --- version 2 gives notice; it is signed where the key is, and published elsewhere
it_is '2025-02-10 12:00'
sed 's/2025-02-21/2025-02-15/' "$policies/2-withdrawn.toml" > "$work/early.toml"
expect 1 publish "$work/early.toml" --key "$work/private"
says "seven days"
expect 0 policy key "$work/other" --new
expect 1 policy sign "$policies/2-withdrawn.toml" --key "$work/other" --out "$work/2.signed" \
  --after "$work/service/log/policy/1"
expect 0 policy sign "$policies/2-withdrawn.toml" --key "$work/private" --out "$work/2.signed" \
  --after "$work/service/log/policy/1"
expect 0 publish "$work/2.signed"
expect 1 publish "$work/2.signed"
says "not the policy after version 2"
expect 0 policy show --data "$work/service"
says "Version 2, in effect from 2025-02-21 00:00 UTC"
until_so knows gb 2
until_so knows fr 2
expect 0 on gb policy
says "From 2025-02-21 00:00 UTC on (in 10 days)"
says "no longer offer advanced protection"
expect 0 on gb backup "$work/docs"
says "holdfast policy acknowledge"
expect 0 on gb policy acknowledge --json
is "$(field version policy_acknowledged)" 2
expect 0 on gb backup "$work/docs"
[[ $(cat "$work/err") != *"policy acknowledge"* ]] || fail "what was acknowledged is still told"
expect 0 on fr backup "$work/docs"

# --- 21 February 2025: nobody new in GB; who is there keeps it; elsewhere nothing changed
it_is '2025-02-21 12:00'
refused_in GB new-gb
until_so init new-fr FR
expect 0 on gb policy --json
is "$(field may_enable policy_here)" False
is "$(field paused policy_summary)" False
expect 0 on gb backup "$work/docs"
# Moving there is said before it is done.
expect 1 on fr region set GB
says "cannot be turned on"
says "\-\-yes"
expect 0 on fr region show --json
is "$(field region region)" FR

# --- a day to leave by: told, counted down, and nothing taken before
it_is '2026-10-01 12:00'
expect 0 publish "$policies/3-leave-by.toml" --key "$work/private"
until_so knows gb 3
it_is '2026-10-20 12:00'
expect 0 on gb policy
says "must leave it by 2027-01-31 00:00 UTC"
says "in 102 days"
expect 0 on gb backup "$work/docs"
says "must leave it by"

# --- after it nothing new is kept, and all that is there stays
it_is '2027-02-01 12:00'
echo two > "$work/docs/two"
expect 1 on gb backup "$work/docs" --json
is "$(field code error)" denied
says "had to leave it by 2027-01-31 00:00 UTC"
says "restore, export and deletion go on"
expect 0 on gb restore latest --target "$work/back"
is "$(cat "$work/back$work/docs/one")" one
expect 0 on gb readers --json
is "$(field level summary)" advanced
expect 0 on gb vault create later
expect 0 on gb account delete --yes
expect 0 on gb account keep
expect 0 on fr backup "$work/docs"

# --- given back: the pause lifts by itself
it_is '2027-03-01 12:00'
expect 0 publish "$policies/4-restored.toml" --key "$work/private"
until_so knows gb 4
it_is '2027-03-15 12:00'
expect 0 on gb policy
says "offered again in the United Kingdom"
expect 0 on gb backup "$work/docs"
[[ $(cat "$work/err") != *"seven days"* ]] || fail "a policy gave too little notice"
until_so init new-gb GB
expect 0 "$holdfast" log verify --server "$server" "${pin[@]}" --json
is "$(field policies log_verified)" 4
end_service
echo "a region withdrew the offer and gave it back; another was untouched"
