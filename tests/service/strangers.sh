#!/usr/bin/env bash
# What others do to a service: a second one on its folder, wrong clocks, recorded requests sent again
# after a kill, packs changed on their way, floods of requests to join, thousands of connections that
# never end. A person's own device goes on, or is told why not.
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"
trap 'kill $(jobs -p) 2> /dev/null || true; clean_up' EXIT
ulimit -n 8192 2> /dev/null || ulimit -n "$(ulimit -Hn)"

script=$(dirname "${BASH_SOURCE[0]}")/strangers.py
strangers() { python3 "$script" "$@"; }
resident_mib() { echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status") / 1024)); }
# count STATUS: how often it came in what strangers told
count() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], 0))' \
    "$work/out" "$1"
}
# may_grow FROM TO WHAT: by less than 300 MiB. ASan keeps what was freed for a while (256 MiB): with it, this
# says nothing.
may_grow() {
  [[ $(ldd "$bin/holdfastd") == *libasan* ]] || (($2 < $1 + 300)) || fail "$3 cost $(($2 - $1)) MiB"
}
kill_service() {
  kill -9 "$service"
  wait "$service" 2> /dev/null || true
}
works() {
  expect 0 on laptop backup "$work/tree"
  rm -rf "$work/back"
  expect 0 on laptop restore "latest:$work/tree" --target "$work/back"
  diff -r "$work/tree" "$work/back" > "$work/out" || fail "restored something else"
}

start_service --signup open
expect 0 "$holdfast" init --advanced --home "$work/laptop" --server "$server" "${pin[@]}" \
  --unattended --account me --device-name laptop --recovery-key-file "$work/paper"
mkdir "$work/tree"
head -c 2000000 /dev/urandom > "$work/tree/a"
works

# --- two services on one folder
expect 1 timeout 60 "$bin/holdfastd" serve --data "$work/service" --listen 127.0.0.1:0 \
  --metrics-listen 127.0.0.1:0
says "another program is using the data directory"
works

# --- clocks: the device's an hour off, then the service's
if faketime -f +1h "$holdfast" --version > /dev/null 2>&1; then
  for off in +1h -1h; do
    echo "$off" >> "$work/tree/a"
    expect 0 faketime -f "$off" "$holdfast" --home "$work/laptop" --unattended backup "$work/tree"
    expect 0 faketime -f "$off" "$holdfast" --home "$work/laptop" --unattended snapshots
  done
  for off in +1h -1h +0h; do
    kill_service
    mkdir -p "$work/clock"
    # The library alone: faketime itself would be the process that is killed.
    printf '#!/bin/sh\nLD_PRELOAD='\''%s'\'' FAKETIME=%s exec "%s" "$@"\n' \
      "$(faketime -f +1h printenv LD_PRELOAD)" "$off" "$bin/holdfastd" > "$work/clock/holdfastd"
    chmod +x "$work/clock/holdfastd"
    real=$bin
    bin=$work/clock
    start_service --signup open
    bin=$real
    works
  done
  # The clock runs an hour ahead of what this one finds: the service's time goes on from there.
  kill_service
  start_service --signup open
  works
else
  echo "SKIPPED: other clocks, faketime does not go with this build"
fi

# --- a box with the service's own key records what a device sends; after a kill none of it counts
mkdir "$work/recorded" "$work/spoiled"
begin_proxy() {
  python3 "$script" proxy "$work/service/tls.crt" "$work/service/tls.key" "127.0.0.1:$port" "$@" \
    > "$work/proxy" &
  proxy=$!
  for _ in $(seq 300); do [[ -s $work/proxy ]] && break || sleep 0.05; done
  through="https://127.0.0.1:$(cat "$work/proxy")"
}
end_proxy() {
  kill "$proxy"
  wait "$proxy" 2> /dev/null || true
}
begin_proxy "$work/recorded"
echo more >> "$work/tree/a"
expect 0 "$holdfast" --home "$work/laptop" --server "$through" "${pin[@]}" --unattended \
  backup "$work/tree"
end_proxy
expect 0 strangers replay "127.0.0.1:$port" "$work/recorded"
[[ $(count 200) == 0 && $(count 403) -gt 3 ]] || fail "recorded requests count: $(cat "$work/out")"
kill_service
start_service --signup open
expect 0 strangers replay "127.0.0.1:$port" "$work/recorded"
[[ $(count 200) == 0 && $(count 403) -gt 3 ]] || fail "recorded requests count: $(cat "$work/out")"
works

# --- a pack that is not what its name says: refused, and not in the way of the right one
begin_proxy "$work/spoiled" spoil
head -c 500000 /dev/urandom > "$work/tree/b"
expect 1 "$holdfast" --home "$work/laptop" --server "$through" "${pin[@]}" --unattended \
  backup "$work/tree"
says "hash it is named by"
end_proxy
works
expect 0 "$bin/holdfastd" check --data "$work/service" --read-data

# --- heads and lengths that no device sends
expect 0 strangers odd "127.0.0.1:$port"
cp "$work/out" "$work/odd"
python3 -c 'import json, sys
answers = json.load(open(sys.argv[1]))
sys.exit(any(status and not 400 <= status < 500 and status != 501 for status in answers.values()))' \
  "$work/odd" || fail "odd requests: $(cat "$work/odd")"
works

# --- two thousand connections that never end: a device goes on, and they cost little
before=$(resident_mib "$service")
mkfifo "$work/until"
python3 "$script" hold "127.0.0.1:$port" 2000 < "$work/until" > "$work/held" 2> "$work/held.err" &
holder=$!
exec 7> "$work/until"
for _ in $(seq 1200); do
  if grep -qs held "$work/held"; then break; fi
  kill -0 "$holder" 2> /dev/null || fail "cannot hold connections: $(cat "$work/held.err")"
  sleep 0.05
done
works
during=$(resident_mib "$service")
exec 7>&-
wait "$holder"
echo "resident: $before MiB, $during MiB with 2000 connections"
may_grow "$before" "$during" "2000 connections"
works

# --- a thousand requests to join from one address, for one account and for a thousand: a few are kept,
# and a person's own device still joins
expect 0 strangers joins "127.0.0.1:$port" 1000 me
[[ $(count 200) -gt 0 && $(count 200) -lt 64 && $(count 503) -gt 900 ]] ||
  fail "joins: $(cat "$work/out")"
expect 0 strangers joins "127.0.0.1:$port" 1000
[[ $(count 503) -gt 900 ]] || fail "joins: $(cat "$work/out")"
works
admit late laptop
after=$(resident_mib "$service")
may_grow "$before" "$after" "all of it"

kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
expect 0 "$bin/holdfastd" check --data "$work/service" --read-data
echo "strangers changed nothing"
