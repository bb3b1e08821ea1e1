#!/usr/bin/env bash
# Measures the main operations on files of this machine and prints one line each; never a test.
#
#   run.sh [MIB]     how much of /usr/lib and /usr/share to take (default 1024)
set -euo pipefail
bin=${HOLDFAST_BIN:?set by ./dev bench}/holdfast
mib=${1:-1024}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "taking $mib MiB of /usr/lib and /usr/share ..." >&2
mkdir "$work/corpus" "$work/store"
find /usr/lib /usr/share -xdev -type f -size -64M -printf '%s %p\n' 2> /dev/null | sort -k2 |
  awk -v left=$((mib * 1024 * 1024)) '$1 <= left { left -= $1; sub(/^[0-9]+ /, ""); print }' \
    > "$work/list"
tar -C / -cf - --no-unquote -T "$work/list" 2> /dev/null | tar -C "$work/corpus" -xf -
bytes=$(find "$work/corpus" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
files=$(find "$work/corpus" -type f | wc -l)
find "$work/corpus" -type f -exec cat {} + > /dev/null

# NAME COMMAND...: seconds and peak resident memory of one run.
measure() {
  local name=$1 began ended
  shift
  began=$(date +%s.%N)
  /usr/bin/env time -f '%M' -o "$work/peak" "$@" > "$work/out.log"
  sync -f "$work"
  ended=$(date +%s.%N)
  awk -v n="$name" -v b="$began" -v e="$ended" -v bytes="$bytes" -v kib="$(tail -1 "$work/peak")" \
    'BEGIN { s = e - b; printf "%-10s %7.2f s  %7.1f MB/s  peak %4d MB\n", n, s, bytes / s / 1e6, kib / 1024 }'
}

home="$work/home"
"$bin" --home "$home" --quiet init --server "dir:$work/store" --advanced --account bench \
  --device-name bench --unattended --recovery-key-file "$work/key"
printf '%d files, %d bytes\n' "$files" "$bytes"
measure backup "$bin" --home "$home" --quiet backup "$work/corpus"
measure no-change "$bin" --home "$home" --quiet backup "$work/corpus"
measure restore "$bin" --home "$home" --quiet restore "latest:$work/corpus" --target "$work/out"
measure check "$bin" --home "$home" --quiet check --read-data
diff -r --no-dereference "$work/corpus" "$work/out" && echo "restored the same"
du -sb "$work/store" | awk '{ printf "stored     %d bytes\n", $1 }'
