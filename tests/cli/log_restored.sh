#!/usr/bin/env bash
# A log that contradicts itself, and then a store that is older than what the device saw: the person
# gets out of both, and nothing that the device knew is forgotten on the way.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
serve() { start_service --signup open --log --log-seconds 1; }
put_back() {
  kill -TERM "$service"
  wait "$service" 2> /dev/null || true
  rm -rf "$work/service"
  expect 0 "$bin/holdfastd" restore "$1" --data "$work/service"
  serve
}
new_account() {
  expect 0 on "$1" init --advanced --account "$1" --device-name "$1" --recovery-key-file "$work/$1.key"
}
entries() {
  expect 0 on she log --json
  field size log
}

serve
new_account she
mkdir "$work/docs"
echo one > "$work/docs/one"
expect 0 on she backup "$work/docs"
expect 0 "$bin/holdfastd" backup "$work/first" --data "$work/service"
echo two > "$work/docs/two"
expect 0 on she backup "$work/docs"
for _ in $(seq 300); do
  expect 0 on she log --json
  [[ $(field data log) != True ]] || break
  sleep 0.1
done
expect 0 "$bin/holdfastd" backup "$work/second" --data "$work/service"
before=$(entries)
new_account other
for _ in $(seq 300); do
  [[ $(entries) -le $before ]] || break
  sleep 0.1
done

# --- the log is older, the account is not: a contradiction, and reading goes on
put_back "$work/second"
expect 0 on she snapshots
says "contradicted itself"
expect 4 on she backup "$work/docs"

# --- and then the account is older, too
put_back "$work/first"
expect 4 on she snapshots
says "holdfast account resend"
expect 4 on she account resend
says "holdfast log accept"
expect 0 on she log accept --reason "the operator put a copy back, by letter" --yes --json
is "$(field reason contradiction_accepted)" "the operator put a copy back, by letter"
says "holdfast account resend"
expect 0 on she account resend --json
is "$(field snapshots resent)" 1

# --- what the device knew of the log was not forgotten by that: it is judged where it can be seen
expect 0 on she snapshots
says "contradicted itself"
expect 0 on she log accept --reason "the operator put a copy back, by letter" --yes
expect 0 on she backup "$work/docs"
expect 0 on she restore --target "$work/back" latest
is "$(find "$work/back" -name two -exec cat {} +)" two
expect 1 on she log accept --reason again --yes
echo "a person gets out of a contradiction and an older store"
