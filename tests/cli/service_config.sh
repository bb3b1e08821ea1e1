#!/usr/bin/env bash
# holdfastd's configuration file: each option in it is as good as the flag, a flag wins, and what
# cannot be is refused.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
packaging=$(realpath "$tools/../packaging")
config() { "$bin/holdfastd" config "$@"; }
file=$work/holdfastd.toml

# Another value than the default, for each option there is.
declare -A other=(
  [data]="\"$work/elsewhere\"" [listen]='"0.0.0.0:9001"' [metrics-listen]='""' [signup]='"closed"'
  [tls-certificate]='"a.crt"' [tls-key]='"a.key"' [quota]='"7G"' [connection-log-days]=3
  [grace-days]=4 [deletion-days]=5 [max-connections]=6 [connections-per-address]=7
  [requests-per-address]=8 [signups-per-address]=10 [log]=true [log-policy]='"policy"' [policy-key]='"key"' [log-name]='"example"' [log-seconds]=9
  [custodian]='"https://127.0.0.1:9"' [custodian-fingerprint]="\"$(printf '%064d' 7)\"" [release-hours]=12
  [log-requests]=true [json]=true)
expect 0 config
cp "$work/out" "$work/defaults"
mapfile -t names < <(sed -n 's/^\([a-z-]*\)=.*/\1/p' "$work/defaults")

# --- the file knows what the flags are, no more and no less
"$bin/holdfastd" --help | sed -n '/^Options:/,/^$/p' | grep -oE -e '--[a-z-]+' | sed 's/^--//' |
  grep -vxE 'help|version|config' | sort -u > "$work/flags"
printf '%s\n' "${names[@]}" | sort | diff - "$work/flags" || fail "the file and the flags differ"
for name in "${names[@]}"; do
  [[ -n ${other[$name]:-} ]] || fail "this test knows no other value of $name"
  grep -q "Li.* \(\|.*, \)$name\b" "$packaging/man/holdfastd.toml.5" || fail "the page lacks $name"
done

# --- each is the same in the file as given as a flag, and differs from the default
make_flag() { # NAME: in ${flag[@]}
  flag=("--$1")
  [[ ${other[$1]} == true ]] || flag+=("${other[$1]//\"/}")
}
: > "$file.all"
flags=()
for name in "${names[@]}"; do
  echo "$name = ${other[$name]}" >> "$file.all"
  make_flag "$name"
  flags+=("${flag[@]}")
  case $name in tls-* | custodian*) continue ;; esac # both or none
  echo "$name = ${other[$name]}" > "$file"
  expect 0 config "${flag[@]}"
  cp "$work/out" "$work/by-flag"
  expect 0 config --config "$file"
  cmp "$work/by-flag" "$work/out" || fail "$name in the file is not as the flag"
  ! cmp -s "$work/defaults" "$work/out" || fail "$name in the file changes nothing"
done
expect 0 config "${flags[@]}"
cp "$work/out" "$work/by-flag"
expect 0 config --config "$file.all"
cmp "$work/by-flag" "$work/out" || fail "all options in the file are not as the flags"
is "$(diff "$work/defaults" "$work/out" | grep -c '^>')" "${#names[@]}"
# What is printed is a file that says the same.
cp "$work/out" "$file"
expect 0 config --config "$file"
cmp "$work/by-flag" "$work/out" || fail "what config prints says something else"
# A flag wins.
expect 0 config --config "$file" --grace-days 99
says "^grace-days=99"
# The packaged file says the defaults, except where the data are.
expect 0 config --config "$packaging/conf/holdfastd.toml"
diff <(grep -v '^data=\|^quota=' "$work/defaults") <(grep -v '^data=\|^quota=' "$work/out") ||
  fail "the packaged file differs from the defaults"
says '^quota="none"'

# --- refused, with exit 2 and the name of what is wrong
refused() { # LINE WORDS
  echo "$1" > "$file"
  expect 2 config --config "$file"
  says "$2"
  expect 2 "$bin/holdfastd" serve --data "$work/refused" --config "$file"
  [[ ! -e $work/refused ]] || fail "served with $1"
}
refused 'grace-dais = 3' '"grace-dais" is no option'
refused 'days = 3' '"days" is no option'
refused 'grace-days 3' '"grace-days 3" is no option'
refused 'config = "x"' 'config'
refused 'help = true' 'help'
refused 'grace-days = "soon"' 'grace-days'
refused 'grace-days = -1' 'grace-days'
refused 'signup = "perhaps"' 'signup'
refused 'tls-key = "a.key"' 'tls-certificate'
refused "$(printf '[invite]\ndays = 3')" 'invite.days'
expect 2 config --config "$work/absent"
says "absent"
for line in 'quota = "7X"' 'listen = "nowhere"' 'metrics-listen = "9464"'; do
  echo "$line" > "$file"
  expect 1 config --config "$file"
  says "it looks like"
done

# --- and it is what is served by
cat > "$file" << TOML
data = "$work/service"   # a comment
listen = "127.0.0.1:0"
metrics-listen = "127.0.0.1:0"
signup = "closed"
json = true
TOML
"$bin/holdfastd" serve --config "$file" > "$work/serve" 2> "$work/serve.err" &
service=$!
for _ in $(seq 600); do
  grep -q '"event":"listening"' "$work/serve" && break
  kill -0 "$service" 2> /dev/null || fail "holdfastd ended: $(cat "$work/serve" "$work/serve.err")"
  sleep 0.05
done
server=$(field url listening "$work/serve")
pin=(--server-fingerprint "$(field fingerprint listening "$work/serve")")
expect 1 on laptop init --advanced --account me --recovery-key-file "$work/paper"
says "takes no new accounts"
expect 0 "$bin/holdfastd" account list --config "$file"
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
echo "the file says what the flags say"
