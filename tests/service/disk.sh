#!/usr/bin/env bash
# A disk that is full, to the floor and to the last byte: the service says so, loses nothing, goes on
# giving, and takes again once there is space, without a restart. A data directory that is read-only.
source "$(dirname "${BASH_SOURCE[0]}")/../cli/common.bash"

refuses_to_serve() {
  expect 1 timeout 60 "$bin/holdfastd" serve --data "$work/service" --listen 127.0.0.1:0 \
    --metrics-listen 127.0.0.1:0
}
stop_service() {
  kill -TERM "$service"
  wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
  service=''
}
resident_mib() { echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status") / 1024)); }
is_back() { diff -r "$1" "$2" > "$work/out" || fail "$2 is not $1"; }

mkdir "$work/service"
if [[ $(id -u) != 0 ]] || ! mount -t tmpfs -o size=160m none "$work/service" 2> /dev/null; then
  start_service --signup open
  stop_service
  if [[ $(id -u) != 0 ]]; then
    chmod -R a-w "$work/service"
    refuses_to_serve
    says "denied"
  fi
  echo "SKIPPED: full and read-only disks, for mounting needs root"
  exit 0
fi
trap 'umount -l "$work/service" "$work/tight" 2> /dev/null || true; clean_up' EXIT

start_service --signup open
expect 0 "$holdfast" init --advanced --home "$work/laptop" --server "$server" "${pin[@]}" \
  --unattended --account me --device-name laptop --recovery-key-file "$work/paper"
admit desk laptop
mkdir "$work/little" "$work/much"
head -c 3000000 /dev/urandom > "$work/little/a"
for i in $(seq 10); do head -c 16000000 /dev/urandom > "$work/much/$i"; done
expect 0 on laptop backup "$work/little"

# --- packs are refused while there is still room for everything else
expect 1 on laptop backup "$work/much"
says "service's disk is full"
expect 0 on desk restore "latest:$work/little" --target "$work/r1"
is_back "$work/little" "$work/r1"
expect 0 on desk devices

# --- something else takes the last byte: restoring goes on, also for a device that signs with a time
# that is not covered by what was written down before
: > "$work/service/filler"
head -c 1G /dev/zero >> "$work/service/filler" 2> /dev/null || true
is "$(stat -f -c %a "$work/service")" 0
later() { faketime -f +3m "$@"; }
if ! later "$holdfast" --version > /dev/null 2>&1; then
  echo "SKIPPED: other clocks, faketime does not go with this build"
  later() { "$@"; }
fi
for device in laptop desk; do
  expect 0 later "$holdfast" --home "$work/$device" --unattended restore "latest:$work/little" \
    --target "$work/r2.$device"
  is_back "$work/little" "$work/r2.$device"
  expect 0 on "$device" check --read-data
  expect 0 on "$device" account connections
  expect 1 on "$device" backup "$work/little"
  says "service's disk is full"
done
expect 1 "$holdfast" --home "$work/phone" --server "$server" "${pin[@]}" --unattended join \
  --account me --device-name phone
says "service's disk is full"
# Refusals cost no memory.
before=$(resident_mib "$service")
for _ in $(seq 25); do on laptop backup "$work/much" > /dev/null 2>&1 && fail "a full disk took it"; done
after=$(resident_mib "$service")
((after < before + 300)) || fail "the service grew from $before to $after MiB"

# --- space is made: the same process goes on
rm "$work/service/filler"
mount -o remount,size=600m "$work/service"
expect 0 on laptop backup "$work/much"
expect 0 on desk restore "latest:$work/much" --target "$work/r3"
is_back "$work/much" "$work/r3"
kill -0 "$service" || fail "the service did not live through it"

# --- killed on a full disk: what was acknowledged is there when there is space
head -c 1G /dev/zero > "$work/service/filler" 2> /dev/null || true
kill -9 "$service"
wait "$service" 2> /dev/null || true
service=''
rm "$work/service/filler"
start_service --signup open
expect 0 on desk restore "latest:$work/much" --target "$work/r4"
is_back "$work/much" "$work/r4"
expect 0 on desk check --read-data

# --- a new recovery key that cannot be written down leaves the old one as it is
mkdir "$work/tight"
mount -t tmpfs -o size=4k none "$work/tight"
head -c 4096 /dev/zero > "$work/tight/filler" 2> /dev/null || true
expect 1 on laptop recovery key --old-recovery-key-file "$work/paper" \
  --recovery-key-file "$work/tight/key"
umount "$work/tight"
expect 0 on laptop recovery key --old-recovery-key-file "$work/paper" --recovery-key-file "$work/key"

# --- read-only
stop_service
mount -o remount,ro "$work/service"
refuses_to_serve
says "read-only"
mount -o remount,rw "$work/service"
start_service
expect 0 on desk restore "latest:$work/much" --target "$work/r5"
is_back "$work/much" "$work/r5"
stop_service
expect 0 "$bin/holdfastd" check --data "$work/service" --read-data
echo "a full disk lost nothing"
