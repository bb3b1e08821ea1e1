#!/usr/bin/env bash
# Go's transparency log code checks what ours wrote, and refuses it after a change.
#   tlog.sh TLOG_SITE GO
set -euo pipefail
site=$1
go=$2
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's packages are a GOPATH; nothing is fetched.
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOPROXY=off GOTOOLCHAIN=local
export GOCACHE="$work/cache"
"$go" build -o "$work/check_tlog" "$here/check_tlog.go"

for sizes in "1 2" "3 8" "255 256" "256 257" "300 1000" "65535 65537" "70 70000"; do
  read -r old size <<< "$sizes"
  rm -rf "$work/log"
  "$site" "$work/log" "$old" "$size"
  "$work/check_tlog" "$work/log"
done

refused() {
  if "$work/check_tlog" "$work/log" > "$work/out" 2>&1; then
    echo "not refused: $1"
    exit 1
  fi
  echo "refused: $1: $(cat "$work/out")"
}
"$site" "$work/log" 300 1000
sed -i 's/^1000$/1001/' "$work/log/checkpoint"
refused "another size"
"$site" "$work/log" 300 1000
printf 'x' | dd of="$work/log/tile/0/001" conv=notrunc status=none
refused "a changed tile"
"$site" "$work/log" 300 1000
printf 'x' | dd of="$work/log/tile/entries/000" bs=1 seek=4 conv=notrunc status=none
refused "a changed entry"
