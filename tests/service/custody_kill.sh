#!/usr/bin/env bash
# kill -9 of the custodian at each point where it makes something durable, while it destroys a key and
# while it makes one. After each: it starts by itself, the key is gone and the receipt is there, or the
# account was not made and can be.
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/../cli/custody.bash"
custodial_options=(--signups-per-address 10000)

if [[ $(id -u) != 0 ]] || ! strace -f -D -o /dev/null true 2> /dev/null; then
  echo "SKIPPED: needs root, and strace that may trace"
  exit 0
fi
# kill_at CALL N: the custodian that runs is killed when one of its threads is about to do the N-th such
# call from now on: fdatasync makes its own memory durable, unlink takes a file of the token away.
kill_at() {
  strace -f -qq -o /dev/null -p "$custodian" -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
    2> /dev/null &
  for _ in $(seq 100); do
    grep -qs '^TracerPid:[[:space:]]*[1-9]' "/proc/$custodian/status" && return 0
    sleep 0.05
  done
  fail "strace does not reach the custodian"
}
# Whether it is dead within SECONDS.
dead_within() {
  for _ in $(seq $((10 * $1))); do
    kill -0 "$custodian" 2> /dev/null || return 0
    sleep 0.1
  done
  return 1
}

start_custody

# --- while it destroys: what it saw of the log, the decision, the two files of an object, the receipt

for point in 'fdatasync 1' 'fdatasync 2' 'unlink 1' 'unlink 2' 'fdatasync 3'; do
  name=d-${point/ /-}
  open_account "$name"
  kill_at $point
  expect 0 on "$name" protection advanced --yes
  dead_within 20 || fail "nothing was killed at $point"
  end_custodian KILL
  start_custodian
  destroyed "$name"
  is "$(keys_in 3)" 0
  is "$(objects)" 1
done
is "$(keys_in 4)" 5

# --- while it makes a key: that it begins, and the key

failed=0
for point in 'fdatasync 1' 'fdatasync 2'; do
  name=m-${point/ /-}
  kill_at $point
  code=0
  on "$name" init --account "$name" --device-name "$name" --recovery-key-file "$work/paper.$name" \
    > "$work/out" 2> "$work/err" || code=$?
  dead_within 20 || fail "nothing was killed at $point"
  end_custodian KILL
  start_custodian
  if [[ $code != 0 ]]; then
    failed=$((failed + 1))
    rm -rf "${work:?}/$name" "$work/paper.$name"
    open_account "$name"
  fi
  expect 0 on "$name" protection advanced --yes
  destroyed "$name"
done
# Of a sign-up that failed a key may be left, which nobody uses: it goes after a day.
[[ $(($(keys_in 1) + $(keys_in 2))) -le $failed ]] || fail "keys are left over"
is "$(keys_in 3)" 0
echo ok
