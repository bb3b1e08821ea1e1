"""What is measured, and against what. Each function gives rows for the table."""
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import time

from servers import drop_bodies, start_holdfastd, start_nginx, start_plain


def measure(bench, name, **options):
    arguments = [bench.program, name]
    for option, value in options.items():
        arguments += ["--" + option.replace("_", "-"), str(value)]
    run = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=bench.log, text=True)
    if run.returncode != 0:
        raise SystemExit(f"bench_service {name} failed; see the log in the work folder")
    return json.loads(run.stdout)


def pairs(count):
    """True: the first of a pair goes first. AB BA AB ..."""
    return [i % 2 == 0 for i in range(count)]


def ratio_row(group, name, ours, theirs, goal, unit):
    """Pair by pair: two measurements right after one another, whatever else the machine does."""
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    return {"group": group, "name": name, "ratio": statistics.median(ratios), "low": ratios[0],
            "high": ratios[-1], "pairs": len(ratios), "goal": goal, "unit": unit,
            "ours": statistics.median(ours), "theirs": statistics.median(theirs)}


def value_row(group, name, value, goal, unit):
    return {"group": group, "name": name, "value": value, "goal": goal, "unit": unit}


# ---- 1. bodies, beside nginx ----

def transfer_pair(bench, ours, nginx, mib, method, first, seed):
    """CPU seconds a GiB of both, one after the other."""
    cost = {}
    bodies = max(2, bench.transfer_mib // mib)
    for server in (ours, nginx) if first else (nginx, ours):
        if method == "GET":  # the same packs at both, and warm
            measure(bench, "transfer", port=server.port, tls="yes" if server.tls else "no",
                    method="PUT", mib=mib, bodies=2, seed=seed, pin=ours.pin,
                    pids=",".join(server.pids()))
        counts = {"bodies": bodies, "repeats": 1}
        if method == "GET":
            counts = {"bodies": 2, "repeats": bodies}
        told = measure(bench, "transfer", port=server.port, tls="yes" if server.tls else "no",
                       method=method, mib=mib, seed=seed, pin=ours.pin,
                       pids=",".join(server.pids()), **counts)
        cost[server.name] = told["cpu_per_gib"]
    return cost[ours.name], cost[nginx.name]


def transfer_rows(bench, ours, nginx, stored):
    rows = []
    measure(bench, "transfer", port=ours.port, tls="yes" if ours.tls else "no", method="PUT",
            mib=1, bodies=1, seed=0, pin=ours.pin, sign_up="yes")
    for method in ("PUT", "GET"):
        for mib in bench.sizes_mib:
            both = []
            for i, first in enumerate(pairs(bench.pairs)):
                both.append(transfer_pair(bench, ours, nginx, mib, method, first, bench.seed()))
                drop_bodies(*stored)
            name = f"{method} {mib} MiB, {'TLS 1.3' if ours.tls else 'plain'}"
            rows.append(ratio_row("CPU beside nginx", name, [a for a, _ in both],
                                  [b for _, b in both], "<= 1", "CPU s/GiB"))
    return rows


def without_hash(bench, rows):
    """What nginx does not do at all is measured alone and taken off."""
    cost = statistics.median(measure(bench, "hash")["cpu_per_gib"] for _ in range(5))
    more = [value_row("CPU beside nginx", "SHA-256 alone", cost, "", "CPU s/GiB")]
    for row in rows:
        if row["name"].startswith("PUT"):
            more.append({**row, "name": row["name"] + ", less its SHA-256", "goal": "",
                         "ratio": (row["ours"] - cost) / row["theirs"],
                         "ours": row["ours"] - cost})
            del more[-1]["low"], more[-1]["high"]
    return more


def beside_nginx(bench):
    data, plain_data, folder = (bench.folder(n) for n in ("tls-data", "plain-data", "nginx"))
    ours, plain = start_holdfastd(bench, data), start_plain(bench, plain_data)
    port = bench.free_ports(2)
    nginx_plain, nginx_tls = start_nginx(bench, folder, data, *port)
    stored = [data + "/packs", plain_data + "/packs", folder + "/root"]
    try:
        rows = transfer_rows(bench, ours, nginx_tls, stored)
        rows += transfer_rows(bench, plain, nginx_plain, stored)
        return rows + without_hash(bench, rows)
    finally:
        for server in (ours, plain, nginx_tls):
            server.stop()


# ---- 2. small durable writes, beside SQLite ----

def inserts(bench, by, group, size):
    file = bench.folder("inserts") + "/small.db"
    told = measure(bench, "inserts", by=by, group=group, file=file, size=size,
                   ms=bench.insert_ms)
    for end in ("", "-wal", "-shm"):
        if os.path.exists(file + end):
            os.unlink(file + end)
    return told


def append_rows(bench, server, clients):
    """SQLite, the writer, and the whole service: the three in turns."""
    group = "Durable writes beside SQLite"
    each = max(40, 400 // clients)
    loop, writer, service, size = [], [], [], 500
    for first in pairs(bench.pairs):
        def whole():
            told = measure(bench, "appends", port=server.port, clients=clients, each=each,
                           prefix=f"a{bench.seed()}-", pids=",".join(server.pids()))
            service.append(told)
        if first:
            whole()
        loop.append(inserts(bench, "loop", clients, size))
        writer.append(inserts(bench, "writer", clients, size))
        if not first:
            whole()
    goal = ">= 0.8" if clients == 64 else ""
    plain = f"SQLite with {clients} in a commit"
    def ratio(name, ours, theirs, key, unit, goal=""):
        return ratio_row(group, name, [t[key] for t in ours], [t[key] for t in theirs], goal, unit)
    rows = [ratio(f"Writer, {clients} callers / {plain}", writer, loop, "per_second", "/s", goal),
            ratio("  CPU of the same", writer, loop, "cpu_us_each", "us each"),
            ratio(f"HTTPS, {clients} devices / {plain}", service, loop, "per_second", "/s", goal)]
    rows.append(value_row(group, f"HTTPS, {clients} devices: server CPU",
                          statistics.median(t["server_ms_each"] for t in service), "", "ms each"))
    return rows


def beside_sqlite(bench):
    server = start_holdfastd(bench, bench.folder("append-data"))
    try:
        measure(bench, "appends", port=server.port, clients=64, each=40, prefix="warm-",
                pids=",".join(server.pids()))
        return [row for clients in (1, 8, 64) for row in append_rows(bench, server, clients)]
    finally:
        server.stop()


# ---- 3. devices that wait ----

def waiting(bench):
    server = start_holdfastd(bench, bench.folder("idle-data"))
    try:
        told = measure(bench, "idle", port=server.port, pid=server.process.pid,
                       devices=bench.idle_devices, accounts=bench.idle_devices // 10)
    finally:
        server.stop()
    group = f"{bench.idle_devices} devices that wait, TLS"
    right = told["woken_of_the_account"]
    return [value_row(group, "memory each", told["kib_each"], "<= 32", "KiB"),
            value_row(group, f"woken by a change in an account of {told['expected']:.0f}", right,
                      f"= {told['expected']:.0f}", "devices"),
            value_row(group, "woken of other accounts", told["woken_of_others"], "= 0", "devices"),
            value_row(group, "answered before any change", told["answered_early"], "= 0",
                      "devices"),
            value_row(group, "until all had connected", told["connect_seconds"], "", "s")]


# ---- 4. many devices that back up ----

def under_load(bench):
    server = start_holdfastd(bench, bench.folder("load-data"))
    try:
        told = measure(bench, "load", port=server.port, pids=server.process.pid,
                       devices=bench.load_devices, seconds=bench.load_seconds,
                       think_ms=bench.think_ms)
    finally:
        server.stop()
    group = (f"{bench.load_devices} devices, a small backup every "
             f"{bench.think_ms / 1000:.0f} s each")
    rows = []
    for name, words in (("put", "PUT of 16 KiB"), ("append", "append of a record"),
                        ("poll", "look for changes")):
        for part in ("p50", "p99", "max"):
            rows.append(value_row(group, f"{words}, {part}", told[f"{name}_{part}"], "", "ms"))
    rows.append(value_row(group, "requests", told["requests_per_second"], "", "/s"))
    rows.append(value_row(group, "server CPU", told["server_cores"], "", "cores"))
    rows.append(value_row(group, "devices that failed", told["devices_that_failed"], "= 0", ""))
    return rows


# ---- 5. starting with many packs ----

ACCOUNTS = 1000


def fill(data, packs):
    """Rows alone: the service looks at no pack file when it starts."""
    database = sqlite3.connect(data + "/service.db")
    database.execute("PRAGMA synchronous = OFF")
    each = packs // ACCOUNTS
    for name in (f"start-{a}" for a in range(ACCOUNTS)):
        database.execute("INSERT INTO account(name, created_ms) VALUES(?, 0)", (name,))
        database.execute("INSERT INTO usage(account, packs, bytes) VALUES(?, ?, ?)",
                         (name, each, each * 1000))
        database.executemany(
            "INSERT INTO packs(account, pack, size, received_ms) VALUES(?, ?, 1000, 0)",
            ((name, os.urandom(32)) for _ in range(each)))
    database.commit()
    database.close()


def start_seconds(bench, data):
    begun = time.monotonic()
    server = start_holdfastd(bench, data)
    took = time.monotonic() - begun
    server.stop()
    return took


def starting(bench):
    empty, full = bench.folder("start-empty"), bench.folder("start-full")
    for data in (empty, full):
        start_seconds(bench, data)  # makes the tables and the key
    for data, packs in ((empty, 0), (full, bench.start_packs)):
        fill(data, packs)
        start_seconds(bench, data)
    times = {empty: [], full: []}
    for first in pairs(bench.starts):
        for data in (full, empty) if first else (empty, full):
            times[data].append(start_seconds(bench, data))
    shutil.rmtree(full)
    return [ratio_row("Start-up", f"{bench.start_packs} packs / none; {ACCOUNTS} accounts", times[full], times[empty],
                      "~ 1", "s")]
