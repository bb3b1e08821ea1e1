#!/usr/bin/env bash
# kill -9 of a device's program or of the service, at random moments of every kind of act, over HTTPS.
# After each: the service starts by itself, everything acknowledged is there, both devices see one
# circle, and the act that was cut short can be done again.
#
#   HOLDFAST_KILLS=N  rounds (30)
#   HOLDFAST_SEED=N   the same acts, sizes and delays again; what a delay hits stays chance
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"

rounds=${HOLDFAST_KILLS:-30}
seed=${HOLDFAST_SEED:-$RANDOM}
echo "seed $seed, $rounds rounds"
RANDOM=$seed
trap 'kill -9 $(jobs -p) 2> /dev/null || true; clean_up' EXIT

declare -A saved=()  # a snapshot whose backup was acknowledged: the number of its tree
declare -A within=() # milliseconds: an act is killed within them. Learned: half of the kills hit it
vaults=()            # acknowledged, as are these
guests=()
quota=''
perhaps=''
paper=0
cut=0       # kills that hit a program at work
slowest=0   # start of the service, in milliseconds

now_ms() { date +%s%3N; }
draw() { drawn=$(((RANDOM * 32768 + RANDOM) % $1)); }
either() { if ((RANDOM % 2)); then echo laptop; else echo desk; fi; }

# begin DEVICE COMMAND...: in the background; the process itself, not a shell, in $started. What it
# prints: $work/did.DEVICE
begin() {
  local device=$1
  shift
  "$holdfast" --home "$work/$device" --server "$server" "${pin[@]}" --unattended "$@" --json \
    > "$work/did.$device" 2> "$work/did.$device.err" &
  started=$!
}
# Its exit code is lost: it counts as cut short.
end_now() {
  kill -9 "$1" 2> /dev/null || true
  wait "$1" 2> /dev/null || true
}
alive() { kill -0 "$1" 2> /dev/null; }
# ended PROCESS SECONDS: its exit code in $exited
ended() {
  local tries=$(($2 * 50))
  while alive "$1" && ((tries-- > 0)); do sleep 0.02; done
  ! alive "$1" || fail "$act: still running after $2 s: $(tr '\0' ' ' < "/proc/$1/cmdline")"
  exited=0
  wait "$1" 2> /dev/null || exited=$?
}

# --- acts: start_ACT begins one (the processes in $running); after_ACT takes note of it if it was
# acknowledged ($exited is the exit code of the first); again_ACT does it once more, or the rest of it

# make_tree NUMBER
make_tree() {
  mkdir -p "$work/trees/$1/below"
  cp "$work/common" "$work/trees/$1/common"
  draw 2000000
  head -c "$drawn" /dev/urandom > "$work/trees/$1/a"
  # Now and then more than one pack.
  ((RANDOM % 8)) || head -c 40000000 /dev/urandom > "$work/trees/$1/below/much"
  head -c $((RANDOM % 5000)) /dev/urandom > "$work/trees/$1/below/b"
}
# note_saved DEVICE NUMBER: of a backup that went well
note_saved() {
  local id
  id=$(field snapshot summary "$work/did.$1")
  [[ -n $id ]] || fail "a backup that went well names no snapshot"
  saved[$id]=$2
}

start_backup() {
  who=$(either)
  tree=$round
  make_tree "$tree"
  begin "$who" backup "$work/trees/$tree"
  running=("$started")
}
after_backup() { ((exited)) || note_saved "$who" "$tree"; }
again_backup() {
  expect 0 on "$who" backup "$work/trees/$tree" --json
  saved[$(field snapshot summary)]=$tree
}

start_restore() {
  who=$(either)
  pick_saved
  begin "$who" restore "$picked:$work/trees/${saved[$picked]}" --target "$work/half"
  running=("$started")
}
after_restore() {
  # A file stands under its name only when it is whole.
  local name
  for name in common a below/b below/much; do
    [[ ! -f $work/half/$name ]] || cmp "$work/half/$name" "$work/trees/${saved[$picked]}/$name" ||
      fail "a part of a file was restored"
  done
  rm -rf "$work/half"
}
again_restore() { restore_and_compare "$who" "$picked"; }

start_list() {
  who=$(either)
  begin "$who" snapshots
  running=("$started")
}
after_list() { :; }
again_list() { expect 0 on "$who" snapshots; }

start_vault() {
  who=$(either)
  begin "$who" vault create "v$round"
  running=("$started")
}
after_vault() { ((exited)) || vaults+=("v$round"); }
again_vault() {
  on "$who" vault list --json > "$work/vaults"
  grep -q "\"v$round\"" "$work/vaults" || expect 0 on "$who" vault create "v$round"
  vaults+=("v$round")
}

start_quota() {
  who=laptop
  "$bin/holdfastd" account --data "$work/service" quota me "$((100 + round))G" --json \
    > "$work/did.quota" 2>&1 &
  running=($!)
}
# Cut short, it may have been set all the same.
after_quota() {
  perhaps=$(((100 + round) << 30))
  ((exited)) || quota=$perhaps
}
again_quota() {
  expect 0 "$bin/holdfastd" account --data "$work/service" quota me "$((100 + round))G"
  quota=$(((100 + round) << 30))
}

start_end() {
  who=$(either)
  begin "$who" account delete --yes
  running=("$started")
}
after_end() {
  ((exited == 0)) || return 0
  expect 0 on "$who" account show --json
  [[ -n $(field deletion_ms usage) ]] || fail "the account's end was acknowledged and forgotten"
}
again_end() {
  expect 0 on "$who" account delete --yes
  expect 0 on "$who" account keep --json
  is "$(field deletion_ms usage)" ""
}

# The old key is good until the new one is; and that one was in its file before.
new_key() {
  on laptop recovery key --old-recovery-key-file "$work/paper.$1" \
    --recovery-key-file "$work/paper.$2"
}
start_key() {
  who=laptop
  begin laptop recovery key --old-recovery-key-file "$work/paper.$paper" \
    --recovery-key-file "$work/paper.$round"
  running=("$started")
}
after_key() { ((exited)) || paper=$round; }
again_key() {
  # Refused: the account has the new key already.
  if ! new_key "$paper" "$round.again" > "$work/out" 2>&1; then
    expect 0 new_key "$round" "$round.again"
  fi
  paper=$round.again
}

is_member() {
  on laptop devices --json > "$work/devices"
  python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
sys.exit(not any(r.get("name") == sys.argv[2] and r.get("state") == "member" for r in rows))' \
    "$work/devices" "$1"
}
start_join() {
  who=laptop
  guest=g$round
  ask_to_join "$guest"
  joining=$waiting
  waiting=''
  begin laptop devices approve <<< "$code"
  approving=$started
  running=("$approving" "$joining")
}
# One side that was killed leaves the other waiting for ten minutes: as a person would, end it; but
# whoever was admitted and still waits must get in.
after_join() {
  while alive "$approving" && alive "$joining"; do sleep 0.02; done
  if ! alive "$joining"; then end_now "$approving"; fi
  ended "$approving" 60
  local approved=$exited
  if is_member "$guest"; then
    ended "$joining" 60
    ((exited)) || guests+=("$guest")
    return 0
  fi
  ((approved)) || fail "$guest was admitted and is no member"
  end_now "$joining"
  ended "$joining" 60
  ((exited)) || fail "$guest joined and is no member"
}
# A member whose home was not finished is of no use: it is removed, and joins under another name.
again_join() {
  if [[ " ${guests[*]} " == *" $guest "* ]]; then return 0; fi
  if is_member "$guest"; then expect 0 on laptop devices remove "$guest" --yes; fi
  admit "$guest.again" laptop
  guests+=("$guest.again")
}

start_remove() {
  if ((${#guests[@]} == 0)); then
    admit "g$round" laptop
    guests+=("g$round")
  fi
  guest=${guests[0]}
  guests=("${guests[@]:1}")
  who=$(either)
  begin "$who" devices remove "$guest" --yes
  running=("$started")
}
after_remove() {
  ((exited == 0)) || return 0
  if is_member "$guest"; then fail "$guest was removed and is a member"; fi
}
again_remove() {
  if is_member "$guest"; then expect 0 on "$who" devices remove "$guest" --yes; fi
  expect 1 on "$guest" snapshots
  says "removed"
}

acts=(backup backup backup restore list vault quota end key join join remove)

# --- what must be so

pick_saved() {
  local ids=("${!saved[@]}")
  picked=${ids[RANDOM % ${#ids[@]}]}
}
restore_and_compare() {
  rm -rf "$work/back"
  expect 0 on "$1" restore "$2:$work/trees/${saved[$2]}" --target "$work/back"
  diff -r "$work/trees/${saved[$2]}" "$work/back" > "$work/out" || fail "restored something else"
  rm -rf "$work/back"
}
# What a device says the circle is, its own mark aside.
circle_of() {
  expect 0 on "$1" devices --json
  sed 's/"this_device":[a-z]*//' "$work/out" > "$work/circle.$1"
}
everything_is_there() {
  local device id vault
  expect 0 "$bin/holdfastd" check --data "$work/service" --read-data --json
  for device in laptop desk; do
    expect 0 on "$device" snapshots --json
    cp "$work/out" "$work/listed"
    for id in "${!saved[@]}"; do
      grep -q "\"$id\"" "$work/listed" || fail "$device: snapshot $id was acknowledged and is gone"
    done
    circle_of "$device"
  done
  cmp "$work/circle.laptop" "$work/circle.desk" || fail "the devices see two circles"
  expect 0 on laptop vault list --json
  for vault in "${vaults[@]}"; do
    grep -q "\"$vault\"" "$work/out" || fail "vault $vault was acknowledged and is gone"
  done
  expect 0 "$bin/holdfastd" account --data "$work/service" list --json
  [[ -z $quota ]] || grep -Eq "\"quota\":($quota|$perhaps)[,}]" "$work/out" ||
    fail "the quota $quota is gone"
  expect 0 on "$(either)" check
  pick_saved
  restore_and_compare "$(either)" "$picked"
}

# --- rounds

restart_service() {
  wait "$service" 2> /dev/null || true
  cat "$work/serve.err" >> "$work/log"
  local began
  began=$(now_ms)
  start_service
  began=$(($(now_ms) - began))
  ((began <= slowest)) || slowest=$began
}

# kill_one: the service, or one of those that are running, in the time that such an act takes.
kill_one() {
  draw "${within[$act]:-100}"
  sleep "$((drawn / 1000)).$(printf %03d $((drawn % 1000)))"
  local process hit=''
  for process in "${running[@]}"; do if alive "$process"; then hit=1; fi; done
  if [[ -n $hit ]]; then
    cut=$((cut + 1))
    within[$act]=$((${within[$act]:-100} * 5 / 4 + 4))
  else
    within[$act]=$((${within[$act]:-100} * 3 / 4 + 4))
  fi
  # An admission waits for the other side as long as it takes.
  ((${within[$act]} <= 1500)) || within[$act]=1500
  if ((RANDOM % 2)); then
    victim=service
    kill -9 "$service"
    restart_service
  else
    victim=device
    process=${running[RANDOM % ${#running[@]}]}
    end_now "$process"
  fi
}

# The other device saves something meanwhile, in half of the rounds.
begin_beside() {
  beside=''
  ((RANDOM % 2)) || return 0
  other=laptop
  if [[ $who == laptop ]]; then other=desk; fi
  make_tree "$round.beside"
  begin "$other" backup "$work/trees/$round.beside"
  beside=$started
}
end_beside() {
  [[ -n $beside ]] || return 0
  ended "$beside" 120
  ((exited)) || note_saved "$other" "$round.beside"
}

play_round() {
  act=${acts[RANDOM % ${#acts[@]}]}
  local began
  began=$(now_ms)
  "start_$act"
  begin_beside
  kill_one
  if [[ $act != join ]]; then ended "${running[0]}" 120; fi
  "after_$act"
  local outcome=$exited
  end_beside
  everything_is_there
  "again_$act"
  echo "round $round: $act${beside:+ beside a backup}, killed the $victim after $drawn ms," \
    "exit $outcome; $(($(now_ms) - began)) ms in all"
}

start_service --signup open
expect 0 "$holdfast" init --advanced --home "$work/laptop" --server "$server" "${pin[@]}" \
  --unattended --account me --device-name laptop --recovery-key-file "$work/paper.0"
admit desk laptop
head -c 1000000 /dev/urandom > "$work/common"
round=0
act=none
start_backup
ended "$started" 60
after_backup

for round in $(seq "$rounds"); do play_round; done

((cut * 3 >= rounds)) || fail "only $cut of $rounds kills hit a program at work: little is proven"
for id in "${!saved[@]}"; do restore_and_compare "$(either)" "$id"; done
expect 0 on laptop check --read-data
expect 0 on phoenix recover --device-name phoenix --recovery-key-file "$work/paper.$paper" \
  --keep laptop
pick_saved
restore_and_compare phoenix "$picked"
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
cat "$work/serve.err" >> "$work/log"
service=''
if grep '"level":"error"' "$work/log"; then fail "the service logged an error"; fi
expect 0 "$bin/holdfastd" check --data "$work/service" --read-data
echo "$cut of $rounds kills hit a program at work; ${#saved[@]} snapshots restored;" \
  "the slowest start of the service took $slowest ms"
