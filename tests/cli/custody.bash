# For scripts with a custodian: after common.bash.
#
#   start_custody            a token, a service with a log, a custodian, and the service with it
#   start_custodian          again, on the same port
#   end_custodian [SIGNAL]
trap 'kill -9 $(jobs -p) 2> /dev/null || true; clean_up' EXIT
custodian=''
custodial_options=()  # more, of the service

for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so; do
  [[ ! -e $module ]] || break
done

make_token() {
  mkdir -p "$work/token/keys"
  printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
    "$work/token/keys" > "$work/token/softhsm2.conf"
  export SOFTHSM2_CONF=$work/token/softhsm2.conf
  softhsm2-util --init-token --free --label custody --so-pin 1357-for-tests --pin 2468-for-tests \
    > "$work/token/log" 2>&1 || fail "softhsm2-util: $(cat "$work/token/log")"
  echo 2468-for-tests > "$work/token/pin"
}

custodian_options() {
  printf '%s\n' serve --data "$work/custodian" --listen "127.0.0.1:${custodian_port:-0}" \
    --module "$module" --token custody --pin-file "$work/token/pin" --log-roots "$work/roots" \
    --service-fingerprint "${pin[1]}" --json
}

start_custodian() {
  local options
  mapfile -t options < <(custodian_options)
  : > "$work/custodian.said"
  "$bin/holdfast-custodian" "${options[@]}" > "$work/custodian.said" 2>> "$work/custodian.err" &
  custodian=$!
  for _ in $(seq 600); do
    grep -qs '"event":"listening"' "$work/custodian.said" && break
    kill -0 "$custodian" 2> /dev/null || fail "the custodian ended: $(cat "$work/custodian.err")"
    sleep 0.05
  done
  custodian_url=$(field url listening "$work/custodian.said")
  custodian_pin=$(field fingerprint listening "$work/custodian.said")
  custodian_port=${custodian_url##*:}
}
end_custodian() {
  kill "-${1:-TERM}" "$custodian" 2> /dev/null || true
  wait "$custodian" 2> /dev/null || true
  custodian=''
}

serve_logged() {
  start_service --signup open --log --log-seconds 1 "${custodial_options[@]}" "$@"
}
serve_custodial() {
  serve_logged --custodian "$custodian_url" --custodian-fingerprint "$custodian_pin"
}

# The service first, alone: its key and its log are what the custodian is told.
start_custody() {
  make_token
  serve_logged
  cp "$work/service/log/roots" "$work/roots"
  end_service
  start_custodian
  serve_custodial
}

# open_account DEVICE: at the standard level, with a recovery key
open_account() {
  expect 0 on "$1" init --account "$1" --device-name "$1" --recovery-key-file "$work/paper.$1"
}
# destroyed DEVICE: waits until its provider's key is known to be destroyed
destroyed() {
  for _ in $(seq 300); do
    on "$1" protection show --json > "$work/out" 2> "$work/err" || true
    [[ $(field destroyed former_custodian) != True ]] || return 0
    sleep 0.2
  done
  fail "no receipt came for $1: $(cat "$work/serve.err" "$work/custodian.err")"
}
# keys_in STATE: how many the custodian has in it; 2 live, 3 ending, 4 ended
keys_in() {
  python3 -c 'import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(db.execute("SELECT count(*) FROM account_key WHERE state = ?", (sys.argv[2],)).fetchone()[0])' \
    "$work/custodian/custody.db" "$1"
}
# Objects in the token: one for each account's key, and the mark.
objects() { find "$work/token/keys" -name '*.object' ! -name 'token.object' | wc -l; }
