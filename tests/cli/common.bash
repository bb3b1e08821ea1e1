# For the scripts beside it: a folder to work in, and what must be so.
#
#   on DEVICE COMMAND...     holdfast as one device, unattended
#   expect CODE COMMAND...   runs it, its output in $work/out and $work/err; its exit code must be CODE
#   says WORDS               what expect ran said that, on either output (grep -i)
#   field NAME EVENT         of the last such object in $work/out
set -euo pipefail

bin=$(realpath "${1:-${HOLDFAST_BIN:-build/bin}}")
tools=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../tools")
holdfast=$bin/holdfast
work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-cli.XXXXXX")
waiting=''
clean_up() {
  [[ -z $waiting ]] || kill "$waiting" 2> /dev/null || true
  if [[ -n $service ]]; then
    kill "$service" 2> /dev/null || true
    wait "$service" 2> /dev/null || true
  fi
  chmod -R u+rwX "$work" 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
unset HOLDFAST_HOME
server=dir:$work/store
pin=()
service=''

# Runs holdfastd on $work/service and makes it the store; again after a kill on the same port.
start_service() {
  "$bin/holdfastd" serve --data "$work/service" --listen "127.0.0.1:${port:-0}" \
    --metrics-listen 127.0.0.1:0 --json "$@" > "$work/serve" 2> "$work/serve.err" &
  service=$!
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$work/serve" && break
    kill -0 "$service" 2> /dev/null || fail "holdfastd ended: $(cat "$work/serve" "$work/serve.err")"
    sleep 0.05
  done
  server=$(field url listening "$work/serve")
  pin=(--server-fingerprint "$(field fingerprint listening "$work/serve")")
  port=${server##*:}
}

end_service() {
  [[ -z $service ]] || { kill "-${1:-TERM}" "$service" && wait "$service"; } 2> /dev/null || true
  service=''
}

fail() {
  echo "FAILED at line ${BASH_LINENO[-2]}: $*" >&2
  head -n 20 "$work/out" "$work/err" >&2 || true
  exit 1
}
on() {
  local device=$1
  shift
  "$holdfast" --home "$work/$device" --server "$server" "${pin[@]}" --unattended "$@"
}
expect() {
  local want=$1 code=0
  shift
  "$@" > "$work/out" 2> "$work/err" || code=$?
  [[ $code -eq $want ]] || fail "exit $code, not $want: $*"
}
says() { grep -qi -e "$1" "$work/out" "$work/err" || fail "nothing says \"$1\""; }
field() {
  python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8") if line.strip()]
rows = [row for row in rows if row["event"] == sys.argv[2]]
print(rows[-1].get(sys.argv[1], "") if rows else "")' "$1" "$2" "${3:-$work/out}"
}
is() { [[ $1 == "$2" ]] || fail "\"$1\" is not \"$2\""; }

# ask_to_join DEVICE: in the background; its code in $code, its process in $waiting.
ask_to_join() {
  on "$1" join --account me --device-name "$1" --json > "$work/join.$1" 2> "$work/join.$1.err" &
  waiting=$!
  for _ in $(seq 600); do
    grep -qs '"event":"code"' "$work/join.$1" && break
    kill -0 "$waiting" 2> /dev/null || fail "join ended early: $(cat "$work/join.$1")"
    sleep 0.1
  done
  code=$(field code code "$work/join.$1")
  [[ -n $code ]] || fail "join showed no code"
}
# admit DEVICE BY
admit() {
  ask_to_join "$1"
  expect 0 on "$2" devices approve <<< "$code"
  wait "$waiting" || fail "$1 was not admitted: $(cat "$work/join.$1")"
  waiting=''
}
# flip FILE OFFSET: one bit
flip() {
  python3 -c 'import os, sys
path, at = sys.argv[1], int(sys.argv[2])
os.chmod(path, 0o600)
with open(path, "r+b") as file:
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 1]))' "$1" "$2"
}
