#!/usr/bin/env bash
# kill -9 of the custodian at each point where it makes something durable, while it destroys a key and
# while it makes one. After each: it starts by itself, the key is gone and the receipt is there, or the
# account was not made and can be.
#
#   HOLDFAST_KILLS=N  points of each kind at most (12)
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/../cli/custody.bash"

if [[ $(id -u) != 0 ]] || ! strace -f -D -o /dev/null true 2> /dev/null; then
  echo "SKIPPED: needs root, and strace that may trace"
  exit 0
fi
points=${HOLDFAST_KILLS:-12}

# fatal N: the command to run a custodian that is killed when it makes something durable the N-th time.
# A file that is created, renamed, removed or written through: the database's, and the token's.
fatal() {
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 exec strace -f -D -qq -o /dev/null \
    -e trace=fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2 \
    -e "inject=fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2:signal=KILL:when=$killed_at" "$@"
}
# Whether the process that was begun last is dead within SECONDS.
dead_within() {
  for _ in $(seq $((10 * $1))); do
    kill -0 "$custodian" 2> /dev/null || return 0
    sleep 0.1
  done
  return 1
}

start_custody

# --- while it destroys

hits=0
for ((n = 1; n <= points; ++n)); do
  open_account "d$n"
  end_custodian
  expect 0 on "d$n" protection advanced --yes
  killed_at=$n
  begin_custodian fatal
  if dead_within 8; then hits=$((hits + 1)); fi
  end_custodian KILL
  start_custodian
  destroyed "d$n"
  is "$(keys_in 3)" 0
  is "$(objects)" 1
done
is "$(keys_in 4)" "$points"
[[ $hits -gt 0 ]] || fail "no kill hit the custodian"
echo "destroying: $hits of $points kills hit"

# --- while it makes a key

hits=0
for ((n = 1; n <= points; ++n)); do
  end_custodian
  killed_at=$n
  begin_custodian fatal
  sleep 1
  code=0
  on "m$n" init --account "m$n" --device-name "m$n" --recovery-key-file "$work/paper.m$n" \
    > "$work/out" 2> "$work/err" || code=$?
  if dead_within 1; then hits=$((hits + 1)); fi
  end_custodian KILL
  start_custodian
  if [[ $code != 0 ]]; then
    rm -rf "$work/m$n" "$work/paper.m$n"
    open_account "m$n"
  fi
  expect 0 on "m$n" protection advanced --yes
  destroyed "m$n"
done
is "$(keys_in 2)" 0
is "$(keys_in 3)" 0
[[ $hits -gt 0 ]] || fail "no kill hit the custodian"
echo "making: $hits of $points kills hit"
