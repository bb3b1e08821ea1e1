#!/usr/bin/env bash
# What an operator watches: the metrics that dashboard, alerts and the page about them name are ones
# that a running service shows; the log has one event for each request, and no name in it.
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
packaging=$(realpath "$tools/../packaging")
operations=$(realpath "$tools/../docs/operations.md")

mkdir "$work/tree"
head -c 300000 /dev/urandom > "$work/tree/very-private-name"
start_service --signup open --log --log-requests
expect 0 on laptop init --advanced --account very-private-account --device-name very-private-device \
  --recovery-key-file "$work/paper"
expect 0 on laptop backup "$work/tree"
expect 0 on laptop account show

fetch() {
  python3 -c 'import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())' "$1"
}
metrics=$(field metrics listening "$work/serve")
is "$(fetch "${metrics%/metrics}/healthz")" ok
is "$(fetch "${metrics%/metrics}/readyz")" ready

# --- something to count for each metric: a peer that speaks no TLS is refused
exec 3<> "/dev/tcp/127.0.0.1/$port"
printf 'this is no handshake' >&3 2> /dev/null || true
cat <&3 > /dev/null 2>&1 || true # until the service has closed it
exec 3>&-
for _ in $(seq 600); do
  fetch "$metrics" > "$work/metrics"
  grep -q '^holdfast_connections_refused_total' "$work/metrics" && break
  sleep 0.05
done

# --- every name and label that is used exists
cat > "$work/names.py" << 'PYTHON'
import json, re, sys

metrics, operations = open(sys.argv[1]).read(), open(sys.argv[2]).read()
dashboard, rules = json.load(open(sys.argv[3])), open(sys.argv[4]).read()
shown = {}  # the labels of each metric
for line in metrics.splitlines():
    if line.startswith("#"):
        continue
    name, labels = re.match(r"(\w+)(\{.*\})? ", line).groups()
    shown.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))

def strings(value, key):
    if isinstance(value, dict):
        for k, v in value.items():
            if k == key and isinstance(v, str):
                yield v
            yield from strings(v, key)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v, key)

# What Prometheus adds to each sample.
scraped = {"instance", "job"}
shown["up"] = {"job"}
# Shown once they have happened, which a test cannot make happen.
shown["holdfast_loop_failures_total"] = set()
failures = []

def judge(where, text):
    used = re.findall(r"(holdfast_\w+|\bup\b)(\{[^}]*\})?", text)
    for name, labels in used:
        if name not in shown:
            failures.append(f"{where}: no metric {name}")
            continue
        for label in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', labels):
            if label not in shown[name] | scraped:
                failures.append(f"{where}: {name} has no label {label}")
    return len(used)

expressions = list(strings(dashboard, "expr"))
queries = [v for v in strings(dashboard, "definition")]
panels = [p for p in dashboard["panels"] if p["type"] != "row"]
for panel in panels:
    if sum(judge(f"panel {panel['title']}", e) for e in strings(panel, "expr")) == 0:
        failures.append(f"panel {panel['title']} asks for nothing")
for query in queries:
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()
    if name not in shown or label not in shown[name] | scraped:
        failures.append(f"variable: {query}")
alerts = [line for line in rules.splitlines() if not line.lstrip().startswith(("#", "summary:"))]
used = judge("alerts", "\n".join(alerts))
for names in re.findall(r"^\| (`holdfast_.*?) \|", operations, re.M):
    used += judge("operations.md", names.replace("`", " ").replace("{", ' {').replace(",le", ""))
documented = set(re.findall(r"`(holdfast_\w+)", operations))
for name in shown.keys() - {"up"}:
    if re.sub("_(sum|count)$", "_bucket", name) not in documented:
        failures.append(f"operations.md does not explain {name}")
if len(panels) < 10 or len(expressions) < 10 or len(queries) < 2 or used < 20:
    failures.append("this test has read too little")
print("\n".join(failures))
sys.exit(bool(failures))
PYTHON
expect 0 python3 "$work/names.py" "$work/metrics" "$operations" "$packaging/grafana/holdfast.json" \
  "$packaging/prometheus/holdfast.rules.yml"
if command -v promtool > /dev/null; then
  status=0 # 3: it would like help texts
  promtool check metrics < "$work/metrics" > "$work/out" 2> "$work/err" || status=$?
  [[ $status -eq 0 || $status -eq 3 ]] || fail "promtool cannot read the metrics"
  expect 0 promtool check rules "$packaging/prometheus/holdfast.rules.yml"
  expect 0 promtool test rules "$packaging/prometheus/holdfast.rules.test.yml"
fi

# --- the log: an event for each request, by route, with nobody's name
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
cat > "$work/log.py" << 'PYTHON'
import json, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
requests = [row for row in rows if row["event"] == "request"]
assert {"started", "stopping"} <= {row["event"] for row in rows}, rows
routes = {row["route"] for row in requests}
assert {"POST /v1/circle", "PUT /v1/packs/*", "POST /v1/vaults/*", "GET /v1/usage"} <= routes, routes
assert len({row["request"] for row in requests}) == len(requests), "an id came twice"
fields = {"time", "level", "event", "request", "method", "route", "status", "bytes_in", "bytes_out",
          "ms", "complete"}
for row in requests:
    assert set(row) == fields, row
    assert row["status"] >= 500 or row["level"] == "info", row
packs = [row for row in requests if row["route"] == "PUT /v1/packs/*" and row["status"] == 200]
assert sum(row["bytes_in"] for row in packs) > 300000, packs
PYTHON
expect 0 python3 "$work/log.py" "$work/serve.err"
pack=$(find "$work/service/packs" -type f | head -n 1)
for word in very-private "${pack##*/}" 127.0.0.1:4 '"address":"127.0.0.1"'; do
  ! grep -q -e "$word" "$work/serve.err" || fail "the log holds $word"
done

# --- without being asked, no event of a request that went well
start_service --signup open
expect 0 on laptop backup "$work/tree"
kill -TERM "$service"
wait "$service" || fail "holdfastd did not stop well: $(cat "$work/serve.err")"
service=''
grep -q '"event":"started"' "$work/serve.err" || fail "no log"
! grep -q '"event":"request"' "$work/serve.err" || fail "requests are logged unasked"
echo "what is watched is there"
