#!/usr/bin/env bash
# The main job with real programs, over PATH: one account, two devices, and a service between them
# that is not trusted.
# Ends with a summary; fails when any step is not as it must be.
#
#   HOLDFAST_BIN=build/bin tools/demo.sh [PATH]
set -euo pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
bin=$(realpath "${HOLDFAST_BIN:-$here/../build/bin}")
readonly here bin
readonly holdfast="$bin/holdfast"
readonly holdfastd="$bin/holdfastd"
readonly custodiand="$bin/holdfast-custodian"
tree=$(realpath "${1:-/usr/share/doc}")
readonly tree
[[ -d $tree ]] || { echo "demo: $tree is not a directory" >&2; exit 2; }
[[ -x $holdfast && -x $holdfastd && -x $custodiand ]] || { echo "demo: there is no $holdfast; run ./dev build" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-demo.XXXXXX")
readonly work
join_pid=''
service=''
custodian=''
clean_up() {
  local one
  for one in $service $custodian; do
    kill "$one" 2> /dev/null || true
    wait "$one" 2> /dev/null || true
  done
  [[ -z $join_pid ]] || kill "$join_pid" 2> /dev/null || true
  chmod -R u+rwX "$work" 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
unset HOLDFAST_HOME

if [[ -t 1 ]]; then bold=$'\033[1m' green=$'\033[32m' plain=$'\033[0m'; else bold='' green='' plain=''; fi
number=0
step() { number=$((number + 1)); printf '\n%s%2d. %s%s\n' "$bold" "$number" "$*" "$plain"; }
good() { printf '    %sok%s  %s\n' "$green" "$plain" "$*"; }
fail() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }
show() { sed 's/^/    /'; }

# Runs holdfast as one device. on DEVICE COMMAND...
on() {
  local device=$1
  shift
  "$holdfast" --home "$work/$device" --server "$url" --server-fingerprint "$fingerprint" --unattended "$@"
}
# field NAME [EVENT]: of the last object with that event on standard input (default: any).
field() {
  python3 -c 'import json, sys
rows = [json.loads(line) for line in sys.stdin if line.strip()]
rows = [row for row in rows if len(sys.argv) < 3 or row["event"] == sys.argv[2]]
print(rows[-1][sys.argv[1]] if rows else "")' "$@"
}
must_fail() {  # must_fail WHAT COMMAND...
  local what=$1 code=0
  shift
  "$@" > "$work/out" 2>&1 || code=$?
  [[ $code -ne 0 && $code -lt 128 ]] || { cat "$work/out" >&2; fail "$what (exit $code)"; }
  show < <(head -n 6 "$work/out")
}
same_tree() {  # same_tree A B
  "$here/compare_trees" "$1" "$2" > "$work/compare" || { cat "$work/compare" >&2; fail "$1 and $2 differ"; }
  good "$(tail -n 1 "$work/compare"): names, contents, modes, times to the nanosecond, links, attributes"
}
epoch() { on laptop readers --json | field epoch summary; }

printf '%sHoldfast, the main job over %s%s\n' "$bold" "$tree" "$plain"

# until_listening FILE PROCESS: what a program says once it listens
until_listening() {
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$1" && return 0
    kill -0 "$2" 2> /dev/null || fail "it ended: $(cat "$1.err")"
    sleep 0.05
  done
}
start_service() {
  "$holdfastd" serve --data "$work/store" --listen "127.0.0.1:${port:-0}" --metrics-listen "" \
    --signup open --log --log-seconds 1 --json "$@" > "$work/serve.json" 2> "$work/serve.json.err" &
  service=$!
  until_listening "$work/serve.json" "$service"
  url=$(field url listening < "$work/serve.json")
  fingerprint=$(field fingerprint listening < "$work/serve.json")
  port=${url##*:}
}
make_token() {
  mkdir -p "$work/token/keys"
  printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$work/token/keys" \
    > "$work/token/softhsm2.conf"
  export SOFTHSM2_CONF=$work/token/softhsm2.conf
  softhsm2-util --init-token --free --label demo --so-pin 1357-for-a-demo --pin 2468-for-a-demo > /dev/null
  echo 2468-for-a-demo > "$work/token/pin"
  for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so; do
    [[ ! -e $module ]] || break
  done
}
start_custodian() {
  "$custodiand" serve --data "$work/custodian" --listen 127.0.0.1:0 --module "$module" --token demo \
    --pin-file "$work/token/pin" --log-roots "$work/roots" --service-fingerprint "$fingerprint" --json \
    > "$work/custodian.json" 2> "$work/custodian.json.err" &
  custodian=$!
  until_listening "$work/custodian.json" "$custodian"
}

step "An operator starts the service, and the custodian: its keys lie in a token (SoftHSM2), in a process of its own"
make_token
start_service
cp "$work/store/log/roots" "$work/roots"
kill "$service"
wait "$service" || fail "the service did not stop in peace"
start_custodian
start_service --custodian "$(field url listening < "$work/custodian.json")" \
  --custodian-fingerprint "$(field fingerprint listening < "$work/custodian.json")"
good "it listens at $url with the key ${fingerprint:0:16}..., which each device pins"

step "A laptop makes an account, at the standard level; its recovery key goes on paper"
on laptop init --account demo --device-name laptop --recovery-key-file "$work/paper" 2> "$work/err" | show
[[ $(stat -c %a "$work/paper") == 600 ]] || fail "the recovery key's file is not 0600"
on laptop readers | show

step "The laptop backs up"
code=0
on laptop backup "$tree" --json > "$work/backup.json" || code=$?
[[ $code -eq 0 ]] || { tail -n 5 "$work/backup.json" >&2; fail "the backup ended with exit $code"; }
first=$(field snapshot summary < "$work/backup.json")
files=$(field files summary < "$work/backup.json")
bytes=$(field bytes summary < "$work/backup.json")
stored=$(field stored_bytes summary < "$work/backup.json")
seconds=$(field seconds summary < "$work/backup.json")
good "snapshot ${first:0:12}: $files files, $bytes bytes, $stored bytes sent to the store"
on laptop backup "$tree" --json > "$work/again.json" || fail "the second backup failed"
again=$(field seconds summary < "$work/again.json")
resent=$(field stored_bytes summary < "$work/again.json")
good "once more, with nothing changed: $again s, $resent bytes sent"

step "The laptop turns advanced protection on: the custodian is off the list, and its key destroyed"
on laptop protection advanced --yes | show
for _ in $(seq 300); do
  [[ $(on laptop protection show --json 2> /dev/null | field destroyed former_custodian) != True ]] || break
  sleep 0.2
done
on laptop protection show | show
[[ $(on laptop readers --json | field provider_can_read summary) == False ]] || fail "the provider can still read"
[[ $(on laptop protection show --json | field destroyed former_custodian) == True ]] || fail "no receipt came"
good "the provider cannot read any more, and cannot turn this off"

step "A second device, nas, asks to be admitted and shows a code"
on nas join --account demo --device-name nas --json > "$work/join.json" &
join_pid=$!
for _ in $(seq 600); do
  grep -q '"event":"code"' "$work/join.json" && break
  kill -0 "$join_pid" 2> /dev/null || fail "join ended: $(cat "$work/join.json")"
  sleep 0.1
done
code=$(field code code < "$work/join.json")
[[ -n $code ]] || fail "join showed no code"
good "nas shows $code; the person types it on the laptop"
on laptop devices approve <<< "$code" | show
wait "$join_pid" || fail "nas was not admitted: $(cat "$work/join.json")"
join_pid=''
[[ -n $(field name admitted < "$work/join.json") ]] || fail "nas did not say that it was admitted"

step "nas restores what the laptop saved, and both trees are compared"
# It opens nothing before everybody can see in the log that it was admitted.
for _ in $(seq 300); do
  ! on nas snapshots > "$work/out" 2>&1 || break
  sleep 0.1
done
on nas restore "$first:$tree" --target "$work/on-nas" --json > "$work/restore.json" || fail "the restore failed: $(tail -n 3 "$work/restore.json")"
restore_seconds=$(field seconds summary < "$work/restore.json")
same_tree "$tree" "$work/on-nas"
on nas check --read-data | show

step "The store turns hostile: one byte of one pack is flipped"
pack=$(find "$work/store" -type f -path '*/packs/*' -printf '%s %p\n' |
  awk '$1 > size { size = $1; path = substr($0, index($0, " ") + 1) } END { print path }')
[[ -n $pack ]] || fail "there is no pack in the store"
flip() {
  python3 -c 'import os, sys
path = sys.argv[1]
mode = os.stat(path).st_mode
os.chmod(path, 0o600)
with open(path, "r+b") as file:
    middle = os.path.getsize(path) // 2
    file.seek(middle)
    byte = file.read(1)[0]
    file.seek(middle)
    file.write(bytes([byte ^ 1]))
os.chmod(path, mode & 0o7777)' "$1"
}
flip "$pack"
rm -rf "$work/nas/cache"
must_fail "check did not notice the flipped byte" on nas check --read-data
good "check names the damage"
code=0
on nas restore "$first:$tree" --target "$work/damaged" > "$work/out" 2>&1 || code=$?
[[ $code -ne 0 && $code -lt 128 ]] || fail "a restore from a damaged store ended with exit $code"
# What was restored must be right; only absent files are allowed.
python3 - "$tree" "$work/damaged" <<'PYTHON' || fail "a file was written with wrong content"
import filecmp, os, sys
tree, restored = (os.fsencode(path) for path in sys.argv[1:3])
right = wrong = 0
for folder, _, names in os.walk(restored):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        original = os.path.join(tree, os.path.relpath(path, restored))
        if os.path.isfile(original) and filecmp.cmp(path, original, shallow=False):
            right += 1
        else:
            wrong += 1
            print("wrong:", path)
print(f"    the restore refused the rest; {right} files came back right, {wrong} wrong")
sys.exit(1 if wrong else 0)
PYTHON
flip "$pack"
on nas check --read-data --quiet > /dev/null || fail "the repaired store does not check"
good "with the byte put back, everything checks again"

step "The laptop removes nas: a new epoch begins and the next snapshot is closed to it"
before=$(epoch)
on laptop devices remove nas --yes | show
after=$(epoch)
[[ $after -gt $before ]] || fail "no new epoch began ($before, then $after)"
mkdir "$work/news"
echo "written after nas was removed" > "$work/news/note"
on laptop backup "$work/news" --json > "$work/news.json" || fail "the backup after the removal failed"
third=$(field snapshot summary < "$work/news.json")
must_fail "nas could read a snapshot made after its removal" on nas cat "$third:$work/news/note"
! grep -q 'written after' "$work/out" || fail "nas read a snapshot made after its removal"
good "epoch $before became epoch $after; nas reads nothing new"

step "Everything is lost but the recovery key and the store: a bare machine comes back"
on phoenix recover --device-name phoenix --recovery-key-file "$work/paper" | show
on phoenix restore "$first:$tree" --target "$work/on-phoenix" --quiet > /dev/null || fail "the restore failed"
same_tree "$tree" "$work/on-phoenix"
[[ $(on phoenix cat "$third:$work/news/note") == "written after nas was removed" ]] || fail "the newest snapshot did not come back"
must_fail "the lost laptop is still a member" on laptop snapshots
good "the newest snapshot is there too, and the lost laptop is out"

step "Who can read this now?"
on phoenix readers | show

# The store never held a key: nothing readable may lie in it.
if grep -rqaF -e "$(cat "$work/paper")" -e "written after nas was removed" "$work/store"; then
  fail "the store holds something readable"
fi

python3 - "$files" "$bytes" "$stored" "$seconds" "$restore_seconds" "$again" "$bold" "$plain" <<'PYTHON'
import sys
files, size, stored = (int(value) for value in sys.argv[1:4])
save, restore, again = (max(float(value), 0.001) for value in sys.argv[4:7])
bold, plain = sys.argv[7:9]

def human(value):
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024

share = f" ({100 * stored / size:.0f}% of it)" if size else ""
print(f"""
{bold}All of it worked.{plain}
    saved        {files} files, {human(size)}, in {save:.1f} s: {size / save / 1e6:.0f} MB/s
    stored       {human(stored)}{share}, sealed: the store never held a key
    unchanged    saved again in {again:.1f} s
    restored     twice, byte for byte: {size / restore / 1e6:.0f} MB/s
    refused      one flipped byte, one removed device, one lost laptop
    can read     phoenix and the recovery key. Nobody else: the provider's key is destroyed.
""")
PYTHON
