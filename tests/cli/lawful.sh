#!/usr/bin/env bash
# Lawful demands without content: what is refused and why, two approvals, what is produced and nothing
# else, preservation, and a trail that was changed. (tools/story_lawful has content, clocks and a token.)
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
jurisdictions=$(realpath "$tools/../jurisdictions")
data=$work/service
lawful() { "$bin/holdfastd" lawful "$@" --data "$data" --jurisdictions "$jurisdictions"; }
for name in ana ben kai; do
  expect 0 "$bin/holdfastd" operator key "$work/$name" --new --json
  field public_key key > "$work/$name.public"
done
start_service --signup open --log --log-seconds 1
expect 0 on bob init --account bob --device-name bob --region US --advanced --recovery-key-file "$work/paper"
expect 0 on bob backup "$tools"

# subpoena REFERENCE LINE... : with these lines before and in [target]
subpoena() {
  printf 'instrument = "us-subpoena"\nreference = "%s"\nissuer = "N.D. Cal."\nrole = "grand-jury"\nissued = 2026-11-20\nclasses = ["subscriber", "connection"]\n' "$1"
  printf '%s\n' "${@:2}"
}
subpoena S-1 '[target]' 'account = "bob"' > "$work/one.toml"

# --- without operators nothing begins, and without a first step there is no trail
expect 1 lawful receive "$work/one.toml" --as "$work/ana"
says "no operators yet"
expect 0 lawful list
says "No demand was ever received"
[[ ! -e $data/lawful.db ]] || fail "a list began a trail"
expect 0 "$bin/holdfastd" operator add ana --as "$work/ana" --data "$data"
for name in ben kai; do
  expect 0 "$bin/holdfastd" operator add "$name" --public-key "$(cat "$work/$name.public")" --as "$work/ana" \
    --data "$data"
done

# --- files that cannot be read: never a matter
expect 1 lawful receive "$work/none.toml" --as "$work/ana"
printf 'reference = "x"\ncolour = 1\n' > "$work/bad.toml"
expect 1 lawful receive "$work/bad.toml" --as "$work/ana"
says 'line 2: "colour" means nothing here'
printf 'instrument = "us-subpoena"\n' > "$work/bad.toml"
expect 1 lawful receive "$work/bad.toml" --as "$work/ana"
says "needs its issuer's reference"
head -c 20000 /dev/zero | tr '\0' '#' > "$work/bad.toml"
expect 1 lawful receive "$work/bad.toml" --as "$work/ana"
expect 1 "$bin/holdfastd" lawful list --data "$data" --jurisdictions "$work/nowhere"
says "there are no jurisdictions"
mkdir "$work/broken"
printf 'country = "XX"\nname = "X"\n[[instrument]]\nid = "x"\nname = "x"\nkind = "secrecy"\ntable = "account"\n[[instrument.rule]]\nrule = "issuer"\nvalues = ["court"]\ntext = "A court."\n' \
  > "$work/broken/x.toml"
expect 1 "$bin/holdfastd" lawful list --data "$data" --jurisdictions "$work/broken"
says "needs its statute"

# --- from receipt to production
expect 0 lawful receive "$work/one.toml" --as "$work/ana" --json
is "$(field matter received)" 1
expect 1 lawful receive "$work/one.toml" --as "$work/ben"
says "this is a copy"
expect 1 lawful approve 1 --as "$work/ben"
says "only what was checked"
expect 0 lawful check 1 --as "$work/ana"
says "18 U.S.C. 2703(c)(2)"
says "It stands"
expect 1 lawful produce 1 --out "$work/given" --as "$work/ben"
expect 1 lawful approve 1 --as "$work/ana"
says "does not approve it"
expect 0 lawful approve 1 --as "$work/ben"
expect 1 lawful approve 1 --as "$work/ben"
says "approved it already"
expect 1 lawful produce 1 --out "$work/given" --as "$work/ben"
[[ ! -e $work/given ]] || fail "one approval was enough"
expect 0 lawful approve 1 --as "$work/kai"
expect 0 lawful produce 1 --out "$work/given" --as "$work/ana"
is "$(ls "$work/given")" $'account.json\nconnections.json\nmanifest.json\nmanifest.json.sig'
expect 0 lawful close 1 --because "Answered." --as "$work/ana"
expect 1 lawful produce 1 --out "$work/given" --as "$work/ana"

# --- what does not pass: each with its rule
# refused RULE: the demand on standard input
number=1
refused() {
  number=$((number + 1))
  cat > "$work/bad.toml"
  expect 0 lawful receive "$work/bad.toml" --as "$work/ana"
  expect 0 lawful check "$number" --as "$work/ana"
  grep -qE "^(fail|unclear) +$1 " "$work/out" || fail "not refused for $1"
  says "challenge or refuse it"
  expect 1 lawful approve "$number" --as "$work/ben"
  says "does not pass"
}
refused dates < <(subpoena S-2 'expires = 2026-11-21' '[target]' 'account = "bob"')
refused one-account < <(subpoena S-3 '[target]' 'everyone = true')
refused target < <(subpoena S-4 '[target]' 'account = "BOB"')
refused target < <(subpoena S-5 '[target]' 'account = "nobody"')
refused issuer < <(subpoena S-6 '[target]' 'account = "bob"' | sed 's/grand-jury/sheriff/')
refused reaches < <(subpoena S-7 '[target]' 'account = "bob"' | sed 's/"connection"/"content"/')
refused fields < <(subpoena S-8 '[target]' 'account = "bob"' | sed '/^issuer/d')
refused instrument < <(subpoena S-9 '[target]' 'account = "bob"' | sed 's/us-subpoena/zz-edict/')
refused place-only < <(subpoena S-10 '[target]' 'account = "bob"' | sed 's/us-subpoena/uk-communications-data/')
expect 0 lawful challenge 2 --because "It expired." --as "$work/ben"
expect 0 lawful refuse 3 --because "Nobody may ask for everyone." --as "$work/ben"

# --- preserved beyond the account's end
subpoena P-1 '[target]' 'account = "bob"' | sed 's/us-subpoena/us-preservation/; s/grand-jury/prosecutor/' > "$work/keep.toml"
expect 0 lawful receive "$work/keep.toml" --as "$work/ana"
number=$((number + 1))
expect 1 lawful preserve "$number" --as "$work/ana"
says "was not checked yet"
expect 0 lawful check "$number" --as "$work/ana"
expect 1 lawful preserve 1 --as "$work/ana"
expect 0 on bob account --json
cp "$work/out" "$work/before"
expect 0 lawful preserve "$number" --as "$work/ana"
says "nobody can read them"
expect 0 on bob account --json
cmp "$work/before" "$work/out" || fail "the quota changed"
[[ -n $(ls "$data/lawful/$number/packs") ]] || fail "nothing is preserved"

# --- a notice: no production; the report says nothing of it
printf 'instrument = "uk-capability-notice"\nreference = "TCN"\nissuer = "Home Secretary"\nrole = "secretary-of-state"\nissued = 2026-11-20\ngag = "indefinite"\nattests = ["necessary", "proportionate", "consulted", "judicial-commissioner"]\n' > "$work/notice.toml"
report() { "$bin/holdfastd" report --period 2026H2 --out "$1" --as "$work/ana" --data "$data" --jurisdictions "$jurisdictions"; }
expect 0 report "$work/without"
expect 0 lawful receive "$work/notice.toml" --as "$work/ana"
number=$((number + 1))
expect 0 lawful check "$number" --as "$work/ana"
says "withdraw the offer"
expect 1 lawful approve "$number" --as "$work/ben"
says "authorises no disclosure"
expect 1 lawful produce "$number" --out "$work/never" --as "$work/ben"
expect 0 lawful stage "$number" given --as "$work/ben"
expect 1 lawful stage "$number" consulted --as "$work/ben"
says "past that stage"
expect 1 lawful stage "$number" baked --as "$work/ben"
expect 0 lawful deadlines
says "IPA 2016 s.257"
expect 0 report "$work/with"
expect 0 diff -r --exclude '*.sig' "$work/without" "$work/with"
expect 1 "$bin/holdfastd" report --period 2026 --out "$work/x" --as "$work/ana" --data "$data" --jurisdictions "$jurisdictions"
says "2026H1 or 2026H2"

# --- a key that was revoked
expect 0 "$bin/holdfastd" operator revoke kai --as "$work/ana" --data "$data"
expect 1 lawful receive "$work/bad.toml" --as "$work/kai"
says "was revoked"

# --- a trail that was changed
bound() {
  for _ in $(seq 100); do
    expect 0 lawful verify --json
    [[ $(field bound verified) == 1 ]] && return 0
    sleep 0.1
  done
  fail "the public log never bound the trail"
}
bound
end_service
cp "$data/lawful.db" "$work/whole.db"
forge() {
  rm -f "$data"/lawful.db*
  cp "$work/whole.db" "$data/lawful.db"
  python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for name in ("step_update", "step_delete"): db.execute(f"DROP TRIGGER {name}")
db.execute(sys.argv[2])
db.commit()' "$data/lawful.db" "$1"
}
for change in 'UPDATE step SET document = (SELECT document FROM step WHERE n = 1) WHERE n = 9' \
  'DELETE FROM step WHERE n = 5' 'UPDATE step SET n = 400 WHERE n = 3'; do
  forge "$change"
  expect 1 lawful verify
  says "was changed"
done
forge 'DELETE FROM step'
start_service --signup open --log --log-seconds 1
expect 1 lawful verify
says "public log"
end_service
forge 'DELETE FROM head'
start_service --signup open --log --log-seconds 1
expect 1 lawful verify
says "nothing here opens"
