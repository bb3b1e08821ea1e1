#!/usr/bin/env bash
# The main job with real processes on a small tree with odd names: exit codes and JSON.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
[[ ${HOLDFAST_STORE:-folder} != service ]] || start_service --signup open

tree=$work/tree
mkdir -p "$tree/docs/deep/er" "$tree/[x]" "$tree/empty"
head -c 3000000 /dev/urandom > "$tree/docs/random"
head -c 200000 /dev/zero > "$tree/docs/zeros"
echo hello > "$tree/docs/a file"
echo newline > "$tree/docs/new"$'\n'"line"
echo latin > "$tree/docs/caf"$'\xe9'
echo star > "$tree/docs/*"
: > "$tree/docs/nothing"
ln "$tree/docs/a file" "$tree/docs/deep/linked"
ln -s $'nowhere\xff' "$tree/docs/deep/er/link"
ln -s ../../../../../.. "$tree/up"
mkfifo "$tree/fifo"
truncate -s 5M "$tree/sparse"
echo end >> "$tree/sparse"
chmod 0640 "$tree/docs/a file"
chmod 1777 "$tree/empty"
setfattr -n user.note -v "a note" "$tree/docs/random" 2> /dev/null || true
touch -d '1955-05-05 05:05:05.123456789' "$tree/docs/zeros" 2> /dev/null || true
touch -d '2150-01-01 00:00:00.000000001' "$tree/docs/nothing" 2> /dev/null || true

# --- an account; flags before and after the subcommand
expect 0 "$holdfast" init --advanced --home "$work/laptop" --server "$server" "${pin[@]}" --unattended --json \
  --account me --device-name laptop --recovery-key-file "$work/paper"
is "$(field account account)" me
is "$(stat -c %a "$work/paper")" 600
grep -q '^holdfast1' "$work/paper" || fail "the key file holds no key"
expect 1 on laptop init --advanced --recovery-key-file "$work/paper2"
says "already"
[[ ! -e $work/paper2 ]] || fail "a key file stays though no key was made"

# --- backup
expect 0 on laptop backup "$tree" --dry-run --json
is "$(field snapshot summary)" ""
expect 0 on laptop backup "$tree" --json --exclude-caches --one-file-system
first=$(field snapshot summary)
[[ $first =~ ^[0-9a-f]{64}$ ]] || fail "the snapshot's id is \"$first\""
is "$(field files summary)" 9
[[ $(field stored_bytes summary) -gt 3000000 ]] || fail "too little was stored"
expect 0 on laptop backup "$tree" --json
[[ $(field stored_bytes summary) -lt 200000 ]] || fail "unchanged content was sent again"
# The server is remembered, HOLDFAST_HOME counts.
expect 0 env HOLDFAST_HOME="$work/laptop" "$holdfast" snapshots --json
is "$(grep -c '"event":"snapshot"' "$work/out")" 2

# --- reading
expect 0 on laptop cat "latest:$tree/docs/a file"
is "$(cat "$work/out")" hello
expect 0 on laptop cat "${first:0:10}:$tree/docs/random"
cmp -s "$work/out" "$tree/docs/random" || fail "cat differs"
expect 0 on laptop ls "latest:$tree/docs" --json
grep -q '"path_hex"' "$work/out" || fail "no path_hex for a name that is not UTF-8"
expect 0 on laptop ls "latest:$tree/docs" --depth 1
says "a file"
expect 1 on laptop ls "latest:/no/such"
expect 1 on laptop cat "latest:/no/such"
expect 1 on laptop ls "ffffffffffff"
expect 0 on laptop find 'caf*' --json
is "$(grep -c '"event":"match"' "$work/out")" 1
is "$(field snapshots match)" 2

# --- a change, a diff, excludes, an odd PATH
echo more >> "$tree/docs/a file"
chmod 0600 "$tree/docs/zeros"
rm "$tree/docs/new"$'\n'"line"
echo added > "$tree/added"
expect 0 on laptop backup "$tree" --exclude random --json
expect 0 on laptop diff "$first" latest --json
grep -q '"change":"added","path":".*/added"' "$work/out" || fail "diff misses the added file"
grep -q '"change":"removed","path":".*/docs/random"' "$work/out" || fail "diff misses the excluded file"
grep -q '"change":"content","path":".*/docs/a file"' "$work/out" || fail "diff misses changed content"
grep -q '"change":"attributes","path":".*/docs/zeros"' "$work/out" || fail "diff misses a mode"
echo inside > "$tree/[x]/f"
(cd "$tree" && expect 0 on laptop backup "[x]" --json)
is "$(field files summary)" 1
expect 0 on laptop backup "$tree" --json --quiet
whole=$(field snapshot summary)

# --- a second device restores to the last attribute
admit nas laptop
is "$(field name admitted "$work/join.nas")" nas
expect 0 on nas restore "$whole:$tree" --target "$work/r1" --json
is "$(field problems summary)" 0
"$tools/compare_trees" "$tree" "$work/r1" > "$work/out" || fail "the trees differ"
expect 0 on nas restore "$whole:$tree" --target "$work/dry" --dry-run
[[ -z $(ls -A "$work/dry" 2> /dev/null) ]] || fail "a dry run wrote something"
echo mine > "$work/r1/added"
expect 0 on nas restore "$whole:$tree" --target "$work/r1"
is "$(cat "$work/r1/added")" mine
expect 0 on nas restore "$whole:$tree" --target "$work/r1" --overwrite always
is "$(cat "$work/r1/added")" added
expect 0 on nas restore "$whole:$tree" --target "$work/r2" --include 'a file' --include zeros
[[ -e $work/r2/docs/zeros && ! -e $work/r2/docs/random ]] || fail "--include took the wrong files"
expect 0 on nas check
expect 0 on nas check --read-data=5% --json
expect 0 on nas check --read-data --json
is "$(field ok summary)" True

# --- vaults, region, devices, readers
expect 0 on laptop vault create photos --always-e2e
expect 0 on nas vault list --json
is "$(grep -c '"event":"vault"' "$work/out")" 2
expect 0 on nas backup "$tree/docs" --vault photos --json
expect 0 on laptop snapshots --vault photos --json
is "$(field device snapshot)" nas
expect 0 on laptop region set GB
expect 0 on nas devices --json
is "$(grep -c '"state":"member"' "$work/out")" 2
expect 0 on nas readers --json
is "$(grep -c '"event":"reader"' "$work/out")" 3
is "$(field store_can_read summary)" False
is "$(field region summary)" GB
epoch=$(field epoch summary)

# --- two devices at once
on laptop backup "$tree" --json > "$work/at1" 2>&1 &
waiting=$!
expect 0 on nas backup "$tree/docs" --json
wait "$waiting" || fail "two backups at once: $(cat "$work/at1")"
waiting=''

# --- removal
expect 2 on laptop devices remove
expect 1 on laptop devices remove nobody --yes
expect 0 on laptop devices remove nas --yes --json
[[ $(field epoch removed) -gt $epoch ]] || fail "no new epoch"
expect 0 on laptop backup "$tree" --json
expect 1 on nas snapshots
says "removed"

# --- from nothing but the key and the store
expect 0 on phoenix recover --device-name phoenix --recovery-key-file "$work/paper" --json
is "$(field name recovered)" phoenix
expect 0 on phoenix restore "latest:$tree" --target "$work/r3"
"$tools/compare_trees" "$tree" "$work/r3" > "$work/out" || fail "the trees differ after recovery"
expect 1 on laptop snapshots
expect 0 on phoenix recovery key --recovery-key-file "$work/paper3"
expect 1 on other recover --device-name other < "$work/paper"
expect 0 on other recover --device-name other --keep phoenix < "$work/paper3"
expect 0 on phoenix snapshots

# --- passphrases
printf 'first one\n' > "$work/p1"
printf 'second one\n' > "$work/p2"
as_phoenix() { "$holdfast" --home "$work/phoenix" "$@"; }
expect 0 as_phoenix passphrase change --new-passphrase-file "$work/p1"
expect 0 as_phoenix snapshots --passphrase-file "$work/p1"
expect 0 as_phoenix passphrase change --passphrase-file "$work/p1" --new-passphrase-file "$work/p2"
expect 1 as_phoenix snapshots --passphrase-file "$work/p1"
expect 0 as_phoenix snapshots --passphrase-file <(cat "$work/p2")

# --- unreadable files: exit 3, listed, the rest is saved
if [[ $EUID -ne 0 ]]; then
  chmod 000 "$tree/docs/zeros"
  expect 3 on other backup "$tree" --json
  grep -q '"event":"problem","path":".*/docs/zeros"' "$work/out" || fail "the problem is not listed"
  [[ -n $(field snapshot summary) ]] || fail "the rest was not saved"
fi
echo "the journey works"
