#!/usr/bin/env python3
"""./dev bench service: measures the service beside others, in one run, as ratios.

Prints a table, and writes it as service.json and service.png into the folder given with --out.
Never a test: nothing here fails because something is slow. bench/README.md says how to read it."""
import argparse
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import tempfile
import time

import measures
import plot

PARTS = {"nginx": measures.beside_nginx, "sqlite": measures.beside_sqlite,
         "waiting": measures.waiting, "load": measures.under_load, "start": measures.starting}


class Bench:
    """Where things are, and how much is measured."""

    def __init__(self, options):
        programs = os.environ["HOLDFAST_BIN"]
        self.program = os.path.join(os.path.dirname(programs), "bench_service")
        self.holdfastd = os.path.join(programs, "holdfastd")
        self.nginx = os.environ.get("NGINX", "nginx")
        self.work = tempfile.mkdtemp(prefix="holdfast-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.log = open(os.path.join(self.work, "log"), "w")
        self.seeds = 0
        quick = not options.full
        self.pairs = 3 if quick else 9
        self.sizes_mib = (32,) if quick else (16, 64)
        self.transfer_mib = 512 if quick else 1024
        self.insert_ms = 700 if quick else 3000
        self.idle_devices = min(10_000, allow_files() - 1000)
        self.load_devices = 2000
        self.load_seconds = 20 if quick else 60
        self.think_ms = 10_000
        self.start_packs = 1_000_000
        self.starts = 20

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        return path

    def seed(self):
        """Another one each time: bodies and accounts that were never there before."""
        self.seeds += 1
        return self.seeds

    def free_ports(self, count):
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return ports


def allow_files():
    """As many open files as we may have, for us and for whom we start."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def version_of(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.stdout.strip().splitlines()[0] if run.stdout else ""


def environment(bench):
    system = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    return {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(),
            "machine": platform.machine(), "system": system.get("PRETTY_NAME", "").strip('"'),
            "holdfastd": version_of(bench.holdfastd, "--version"),
            "nginx": version_of(bench.nginx, "-v"), "openssl": version_of("openssl", "version"),
            "load_before": os.getloadavg()[0]}


def number_text(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def print_table(rows):
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            print(f"\n{group}")
        goal = f"   goal {row['goal']}" if row["goal"] else ""
        if "ratio" not in row:
            print(f"  {row['name']:<52} {number_text(row['value']):>9} {row['unit']}{goal}")
            continue
        spread = f"{row['low']:.2f}-{row['high']:.2f}" if "low" in row else ""
        print(f"  {row['name']:<52} {row['ratio']:>9.2f} {spread:>11}   "
              f"({number_text(row['ours'])} / {number_text(row['theirs'])} {row['unit']}){goal}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--full", action="store_true", help="longer: for numbers to write down")
    parser.add_argument("--out", default="build/bench", help="for service.json and service.png")
    options = parser.parse_args()
    bench = Bench(options)
    rows = []
    try:
        about = environment(bench)
        for name in options.parts or PARTS:
            print(f"measuring {name} ...", flush=True)
            rows += PARTS[name](bench)
    except BaseException:
        print(f"what the servers said: {bench.work}/log")
        raise
    shutil.rmtree(bench.work)
    print_table(rows)
    os.makedirs(options.out, exist_ok=True)
    with open(f"{options.out}/service.json", "w") as file:
        json.dump({"about": about, "rows": rows}, file, indent=1)
    plot.draw(rows, options.out)
    print(f"\n{options.out}/service.json, {options.out}/service.png")


if __name__ == "__main__":
    main()
