#!/usr/bin/env bash
# Checks circle.pml with spin, exhaustively: each configuration must hold, and with one rule switched
# off each must break the property that the rule is for. docs/model.md says what is modelled.
#   run.sh              everything, two at a time
#   run.sh PATTERN      only those whose name matches; of a failure, the steps that lead to it
set -euo pipefail
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")")/circle.pml
readonly model pattern=${1:-.}
work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT
for tool in spin gcc; do
  command -v "$tool" > /dev/null || { echo "the model needs $tool; ./dev setup installs it"; exit 1; }
done

readonly append=(-DAPPEND -DMAX=3 -DLOSSES=1)
readonly backup=(-DBACKUP -DSTART=3 -DMAX=3 -DRECORDS=2)
readonly fork=(-DFORK -DHOSTILE -DSTART=7 -DBAD=12 -DMAX=3)
readonly records=(-DFORK -DHOSTILE -DSTART=7 -DBAD=12 -DMAX=2 -DRECORDS=2)
readonly join=(-DJOIN -DHOSTILE -DBAD=10 -DMAX=3)
readonly level=(-DLEVELS -DLOW=0 -DBAD=10 -DMAX=5)
readonly raise=(-DLEVELS -DLOW=1 -DBAD=10 -DMAX=5)
readonly forced=(-DLEVELS -DHOSTILE -DLOW=0 -DBAD=10 -DMAX=3)
readonly progress=(-DPROGRESS -DSTART=7 -DMAX=4 -DLOSSES=2)

# name of a configuration, what must come of it (ok, or the property broken), the rule switched off
readonly plan="
append    ok
backup    ok
records   ok
fork      ok
join      ok
level     ok
raise     ok
forced    ok
progress  ok
append    p5 NO_CAS
append    p1 NO_EPOCH_ON_REMOVE
append    p1 OLD_READERS
append    p9 NO_RETURN_RULE
backup    p5 NO_HEAD_CAS
backup    p5 NO_RECORD_CAS
backup    p5 NO_EPOCH_CAS
backup    p8 NO_REREAD
fork      p3 NO_LOG
fork      p3 NO_ONE_VALUE
fork      p3 NO_WITNESS
fork      p1 NO_MEMBER_RULE
records   p7 NO_VAULT_HEADS
join      p4 NO_COUNTERSIGN
join      p4 NO_BINDING
join      p4 NO_MAC
join      p4 NO_LAST_MAC
level     p2 NO_CANCEL
level     p2 NO_DELAY
level     p2 NO_SECOND
level     p2 NO_AGE
level     p2 NO_VOID
raise     p2 NO_PAPER_RULE
forced    p2 NO_ABSENCE
forced    p2 DELAY_FROM_SIGNING
progress  p6 NO_REBASE
fork      p3 LIMIT_VIEW
forced    p2 LIMIT_CANCEL
"

# check NAME EXPECTED [RULE]: one line; fails when something else comes out than expected.
check() {
  local name=$1 expected=$2 rule=${3:-} found states seconds verdict=as_expected
  local -n flags=$name
  local -a defines=("${flags[@]}" ${rule:+"-D$rule"}) how=(-DSAFETY) run=()
  [[ $name != progress ]] || { how=(-DNFAIR=3); run=(-a -f); }
  mkdir -p "$work/$name.$rule"
  cd "$work/$name.$rule"
  cp "$model" .
  spin -a "${defines[@]}" circle.pml > spin.log 2>&1 || { cat spin.log; return 1; }
  local speed=-O0
  [[ $expected != ok ]] || speed=-O2
  gcc $speed -w -DNOREDUCE -DMEMLIM=1500 "${how[@]}" -o pan pan.c
  ./pan -m100000 -w22 "${run[@]}" > pan.log 2>&1 || true
  # A search that stopped early, for memory or depth, proves nothing.
  if grep -q "errors: 0" pan.log && ! grep -qE "not completed|too small|out of memory" pan.log; then
    found=ok
  elif grep -q "acceptance cycle" pan.log; then
    found=p6
  else
    found=$(sed -n 's/.*assertion violated \(p[0-9]\).*/\1/p' pan.log)
  fi
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
  seconds=$(sed -n 's/^pan: elapsed time \([0-9.]*\).*/\1/p' pan.log)
  [[ $found == "$expected" ]] || verdict="EXPECTED $expected"
  printf '%-9s %-20s %-4s %10s states %6s s  %s\n' "$name" "${rule:-every rule}" \
    "${found:-none}" "$states" "$seconds" "${verdict/as_expected/}"
  if [[ $verdict != as_expected || ($pattern != . && $found != ok) ]]; then
    [[ -f circle.pml.trail ]] || cat pan.log
    spin -t "${defines[@]}" circle.pml 2>&1 |
      grep -E "^ *([0-9]+: type|record|device|tick|the log)" || true
  fi
  [[ $verdict == as_expected ]]
}

failed=0
running=0
while read -r name expected rule; do
  [[ -n $name && "$name $rule" =~ $pattern ]] || continue
  if [[ $running -ge 2 ]]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  check "$name" "$expected" "$rule" &
  running=$((running + 1))
done <<< "$plan"
while [[ $running -gt 0 ]]; do
  wait -n || failed=1
  running=$((running - 1))
done
[[ $failed == 0 ]] || { echo "the model does not behave as docs/model.md says"; exit 1; }
