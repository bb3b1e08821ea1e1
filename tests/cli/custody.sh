#!/usr/bin/env bash
# A custodian with a real token, in its own process: an account at the standard level goes advanced, and
# the key is destroyed; also where the custodian is away when it happens.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
source "$(dirname "${BASH_SOURCE[0]}")/custody.bash"

start_custody
fleet=$(field fleet_key listening "$work/custodian.said")
[[ ${#fleet} == 64 ]] || fail "the custodian shows no fleet key"
is "$(objects)" 1

# --- an account at the standard level

open_account me
is "$(objects)" 2
expect 0 on me protection show --json
is "$(field level protection)" standard
is "$(field provider_can_read protection)" True

expect 0 on me protection advanced --yes
destroyed me
is "$(field level protection)" advanced
is "$(keys_in 4)" 1
is "$(objects)" 1
expect 0 on me protection show
says 'signed receipt is kept'
# The receipt went into the log; the account's next check finds both.
expect 0 on me log
is "$(od -An -tx1 -v "$work/service/log/fleet-key" | tr -d ' \n')" "$fleet"

# --- a custodian that is away

open_account away
end_custodian
expect 0 on away protection advanced --yes
expect 0 on away protection show
says 'destruction pending since'
is "$(objects)" 2
end_service KILL
serve_custodial
expect 0 on away protection show
says 'destruction pending since'
# Nobody becomes a standard account meanwhile, and nobody is told a lie about it.
expect 1 on late init --account late --device-name late --recovery-key-file "$work/paper.late"
start_custodian
destroyed away
is "$(objects)" 1
open_account late

# --- a token that is gone, wrong or full of others' things

end_custodian
# refused [OPTION VALUE]: with this one otherwise
refused() {
  local options i
  mapfile -t options < <(custodian_options)
  for i in "${!options[@]}"; do
    [[ ${options[i]} != "${1:-}" ]] || options[i + 1]=$2
  done
  expect 1 "$bin/holdfast-custodian" "${options[@]}"
}
echo 1111 > "$work/token/pin"
refused
says 'does not take the PIN'
echo 2468-for-tests > "$work/token/pin"
refused --token other
says 'no token with the label'
refused --module /nowhere.so
says 'cannot load the PKCS#11 module'
refused --service-fingerprint 12
says '64 hexadecimal digits'
mv "$work/token/keys" "$work/token/keys.away"
mkdir "$work/token/keys"
softhsm2-util --init-token --free --label custody --so-pin 1357 --pin 2468-for-tests > /dev/null
refused
says 'not the token that keeps this custodian'
expect 0 on late protection advanced --yes
expect 0 on late protection show
says 'destruction pending since'
rm -rf "$work/token/keys"
mv "$work/token/keys.away" "$work/token/keys"
start_custodian
destroyed late
is "$(objects)" 1

# --- who may come

# ask [CERTIFICATE KEY]: the fleet key, as the custodian tells it to whoever shows these
ask() {
  python3 - "$custodian_port" "$@" <<'PYTHON'
import http.client, ssl, sys
context = ssl._create_unverified_context()
if len(sys.argv) > 2:
    context.load_cert_chain(sys.argv[2], sys.argv[3])
line = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=10)
line.request("POST", "/v1/fleet-key", headers={"Content-Length": "0"})
print(line.getresponse().read().hex())
PYTHON
}
expect 1 ask
expect 1 ask "$work/custodian/tls.crt" "$work/custodian/tls.key"
expect 0 ask "$work/service/tls.crt" "$work/service/tls.key"
is "$(cat "$work/out")" "$fleet"

end_custodian
end_service
echo "ok"
