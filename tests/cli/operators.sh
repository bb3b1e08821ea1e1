#!/usr/bin/env bash
# Operators: added, listed and revoked, whether the service runs or not; what is refused; and a trail
# that was changed is found.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
data=$work/service
operator() { "$bin/holdfastd" operator "$@" --data "$data"; }
key_of() {
  "$bin/holdfastd" operator key "$work/$2.key" --json > "$work/key"
  field "$1" key "$work/key"
}
fingerprint_of() { key_of fingerprint "$1"; }
public_of() { key_of public_key "$1"; }

# --- keys: made once, private, shown without a service
expect 1 "$bin/holdfastd" operator key "$work/anna.key"
says "--new"
for name in anna ben carl dora; do
  expect 0 "$bin/holdfastd" operator key --new "$work/$name.key"
  says "public key   04"
done
expect 1 "$bin/holdfastd" operator key --new "$work/anna.key"
is "$(stat -c %a "$work/anna.key")" 600
[[ $(fingerprint_of anna) != "$(fingerprint_of ben)" ]] || fail "two keys are one"

# --- nothing there yet
expect 1 operator list
says "there is no service"
start_service
expect 0 operator list
says "no operators yet"

# --- through the service that runs: the first adds itself, the others are added
expect 1 operator add ben --public-key "$(public_of ben)" --as "$work/anna.key"
says "adds itself"
expect 0 operator add anna --as "$work/anna.key"
expect 0 operator add ben --public-key "$(public_of ben)" --as "$work/anna.key" --json
is "$(field fingerprint added)" "$(fingerprint_of ben)"
is "$(field by added)" anna
expect 0 operator list
says "^anna  $(fingerprint_of anna)  added 20.* UTC by anna"
expect 0 operator list
grep -q "^ben  .* by anna" "$work/out" || fail "ben is not in the list"
says "whole: 2 acts"

# --- what is refused, and changes nothing
expect 1 operator add carl --public-key "$(public_of carl)" --as "$work/carl.key"
says "not an operator's"
expect 1 operator add anna --public-key "$(public_of carl)" --as "$work/anna.key"
says 'operator named "anna"'
expect 1 operator add carl --public-key "$(public_of ben)" --as "$work/anna.key"
says "is or was"
expect 1 operator add carl --public-key "$(public_of carl | tr '0-9' '1-90')" --as "$work/anna.key"
expect 1 operator add carl --public-key 04ab --as "$work/anna.key"
says "130 hexadecimal digits"
expect 1 operator add "two words" --public-key "$(public_of carl)" --as "$work/anna.key"
expect 1 operator revoke nobody --as "$work/anna.key"
chmod 640 "$work/anna.key"
expect 1 operator revoke ben --as "$work/anna.key"
says "chmod 600"
chmod 600 "$work/anna.key"
expect 2 operator add carl --as "$work/anna.key" --key-file x --public-key y
expect 2 operator add carl
expect 2 operator revoke carl
expect 2 "$bin/holdfastd" operator list
says "data is required"
expect 0 operator add dora --key-file "$work/dora.key" --as "$work/anna.key"
expect 0 operator list --json
is "$(field operators summary)" 3
is "$(field acts summary)" 3
head_running=$(field head summary)

# --- whatever answers at the socket, no private key is sent to it
cat > "$work/listen.py" << 'PYTHON'
import json, os, socket, sys
folder = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(folder + "/control")
server.listen()
print("ready", flush=True)
with open(folder + "/asked", "w") as asked:
    for _ in range(3):
        peer, _ = server.accept()
        line = peer.makefile("r").readline()
        asked.write(line)
        answer = {"ok": True, "entries": []}
        if json.loads(line)["act"] == "accounts":
            answer["accounts"] = [{"account": f"account{i}", "created_ms": i} for i in range(5000)]
        peer.sendall((json.dumps(answer) + "\n").encode())
        peer.close()
PYTHON
mkdir "$work/other"
coproc LISTENER { python3 "$work/listen.py" "$work/other"; }
waiting=$LISTENER_PID
read -r _ <&"${LISTENER[0]}"
expect 0 "$bin/holdfastd" operator add anna --key-file "$work/anna.key" --as "$work/anna.key" \
  --data "$work/other"
# (And an answer may be long.)
expect 0 "$bin/holdfastd" account list --data "$work/other"
is "$(wc -l < "$work/out")" 5000
wait "$waiting"
waiting=''
is "$(grep -c '"trail_append"' "$work/other/asked")" 1
! grep -q "$(cat "$work/anna.key")" "$work/other/asked" || fail "a private key was sent"

# --- without a service
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
expect 0 operator list --json
is "$(field head summary)" "$head_running"
expect 0 operator add carl --key-file "$work/carl.key" --as "$work/ben.key"
expect 0 operator revoke ben --as "$work/anna.key"
expect 1 operator revoke anna --as "$work/ben.key"
says "revoked"
expect 1 operator add ben --public-key "$(public_of ben)" --as "$work/anna.key"
says "is or was"
expect 0 operator list --json
is "$(field operators summary)" 3
expect 0 operator list --trail --json
is "$(grep -c '"event":"act"' "$work/out")" 5
is "$(field act act)" revoke
is "$(field name act)" ben
is "$(field by act)" anna
is "$(field head act)" "$(field head summary)"
expect 0 operator list --trail
says "revoke ben $(fingerprint_of ben) by anna"
expect 0 operator list --trail
says "head $head_running"
for name in dora carl; do expect 0 operator revoke "$name" --as "$work/anna.key"; done
expect 1 operator revoke anna --as "$work/anna.key"
says "last operator"

# --- a trail that was changed: said, exit 1, nothing is added to it
sql() {
  python3 -c 'import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for name in ("trail_update", "trail_delete"):
    database.execute(f"DROP TRIGGER IF EXISTS {name}")
database.execute(sys.argv[2])
database.commit()' "$data/service.db" "$1"
}
cp -a "$data" "$work/good"
broken() {
  expect 1 operator list
  says "trail of operators was changed"
  expect 1 operator list --json
  is "$(field code error)" unsafe
  expect 1 operator add eve --key-file "$work/dora.key" --as "$work/anna.key"
  says "trail of operators was changed"
  start_service
  expect 1 operator list
  says "trail of operators was changed"
  kill -TERM "$service"
  wait "$service" || fail "holdfastd did not stop well"
  service=''
  rm -rf "$data"
  cp -a "$work/good" "$data"
  expect 0 operator list
}
sql "DELETE FROM trail WHERE n = 2"
broken
sql "UPDATE trail SET entry = (SELECT entry FROM trail WHERE n = 2) WHERE n = 3"
broken
sql "DELETE FROM trail"
broken
rm "$data/operators.anchor"
broken
echo "operators are who the trail says"
