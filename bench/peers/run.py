#!/usr/bin/env python3
"""./dev bench peers, ./dev bench smoke: measures backups beside other tools, in one run, as ratios.

Prints a table, and writes what was measured as peers.tsv and peers.svg. Nothing here fails because
something is slow, only where a restore differs or Holdfast fails. bench/README.md says how to read it."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import corpora
import machine
import report
import tools

OPERATIONS = ("full", "nochange", "change1", "restore", "prune", "check")
BACKUPS = {"full": 1, "nochange": 2, "change1": 3}
COMPARE = os.path.join(os.path.dirname(__file__), "../../tools/compare_trees")
SMOKE_SECONDS = 60  # after so many no other set is begun
SMOKE = {"tree": 30_000_000, "big": 32 << 20}


def stored_bytes(folder):
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(top, name)).st_size
            except FileNotFoundError:  # the service at its own work
                continue
    return total


class Bench:
    def __init__(self, options):
        self.options = options
        self.work = tempfile.mkdtemp(prefix="holdfast-peers-", dir=options.dir)
        self.log = open(os.path.join(self.work, "log"), "w+")
        # The sets are kept for the next time, but small ones.
        self.corpus = os.path.join(self.work if options.smoke else options.dir, "holdfast-corpus")
        os.makedirs(self.corpus, exist_ok=True)
        self.rows = []
        self.wrong = []
        self.images = machine.images_work(self.work)
        self.tools = [tools.TOOLS[name] for name in options.tools if self.has(tools.TOOLS[name])]
        self.versions = {tool: tool.version(options) for tool in self.tools}
        self.tsv = open(os.path.join(options.out, "peers.tsv"), "w")
        print("\t".join(report.COLUMNS), file=self.tsv, flush=True)

    def has(self, tool):
        found = tool.found(self.options)
        if not found:
            print(f"{tool.name}: not here, left out", flush=True)
        return found

    def record(self, tool, kind, operation, run, measured, synced, files, size):
        row = dict(zip(report.COLUMNS, (
            tool.name, self.versions[type(tool)].replace("\t", " "), kind.name, operation, run,
            round(measured.wall, 3), round(synced, 3), round(measured.cpu, 3), round(measured.peak / 1e6, 1),
            round(measured.service_peak / 1e6, 1), files, size, stored_bytes(tool.repo), measured.rc,
            round(os.getloadavg()[0], 2))))
        self.rows.append(row)
        print("\t".join(str(value) for value in row.values()), file=self.tsv, flush=True)
        print(f"  {operation:<9}{tool.name:<17}{measured.wall + synced:8.2f} s   cpu {measured.cpu:7.2f} s   "
              f"peak {measured.peak / 1e6:5.0f} MB" + (f"   FAILED, {measured.rc}" if measured.rc else ""), flush=True)

    def command(self, tool, kind, operation):
        if operation in BACKUPS:
            return tool.backup(kind.path, BACKUPS[operation])
        if operation == "restore":
            return tool.restore(kind.path, tool.place.folder("out"))
        return getattr(tool, operation)()

    def measure(self, tool, kind, operation, run, files, size):
        command = self.command(tool, kind, operation)
        if command is None:
            return
        machine.sync_folder(tool.place.path)
        print(f"--- {tool.name} {kind.name} {operation} {run}", file=self.log, flush=True)
        began = self.log.tell()
        measured = machine.measure(command, self.log, tool.environment, service=tool.service)
        synced = machine.sync_folder(tool.place.path)
        self.record(tool, kind, operation, run, measured, synced, files, size)
        if measured.rc != 0:
            self.log.seek(began)
            print("    " + "\n    ".join(self.log.read().strip().splitlines()[-5:]), flush=True)
            self.log.seek(0, os.SEEK_END)
            if tool.name.startswith("holdfast"):
                self.wrong.append(f"{tool.name} {kind.name} {operation} ended with {measured.rc}")
        if operation == "restore":
            self.compare(tool, kind)

    def compare(self, tool, kind):
        out = tool.place.folder("out")
        contents = ["--contents"] if tool.compares == "contents" else []
        run = subprocess.run([sys.executable, COMPARE, *contents, kind.path, out], stdout=subprocess.PIPE, text=True)
        if run.returncode != 0:
            print("    " + "\n    ".join(run.stdout.splitlines()[-5:]), flush=True)
            self.wrong.append(f"{tool.name} {kind.name}: what was restored differs")
        shutil.rmtree(out)

    def run_set(self, kind, run):
        """Each operation by every tool before the next one, so that what is compared lies close in time."""
        made = []
        try:
            for each in self.tools:
                made.append(each(machine.Place(self.work, each.name, self.images), self.options))
                made[-1].prepare()
            for operation in self.options.ops:
                if operation == "change1":
                    kind.change()
                    machine.sync_folder(kind.path)
                files, size = kind.measure()
                turn = run % len(made)
                for tool in made[turn:] + made[:turn]:
                    self.measure(tool, kind, operation, run, files, size)
            if "change1" in self.options.ops:
                kind.undo()
        finally:
            for tool in made:
                tool.close()
                tool.place.close()

    def run(self):
        places = "a new ext4 image for each tool" if self.images else "plain folders: no image could be mounted"
        print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {places}; " +
              ", ".join(f"{tool.name} {version}" for tool, version in self.versions.items()), flush=True)
        began = time.monotonic()
        for name in self.options.sets:
            if self.options.smoke and time.monotonic() - began > SMOKE_SECONDS:
                print(f"{name}: left out, the machine is too busy")
                break
            size = SMOKE[name] if self.options.smoke else int(corpora.CORPORA[name].full_size * self.options.scale)
            kind = corpora.CORPORA[name](self.corpus, size)
            print(f"making {name}, {size / 1e6:.0f} MB ...", flush=True)
            kind.make()
            for run in range(1, self.options.runs + 1):
                print(f"{name}, run {run} of {self.options.runs}", flush=True)
                self.run_set(kind, run)


def names(known):
    def check(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name}: one of {', '.join(known)}")
        return chosen
    return check


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where all of it is done")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1, help="of the sets' sizes (1: 2.2, 2.1 and 1.1 GB)")
    parser.add_argument("--sets", type=names(corpora.CORPORA), default=list(corpora.CORPORA))
    parser.add_argument("--tools", type=names(tools.TOOLS), default=list(tools.TOOLS))
    parser.add_argument("--ops", type=names(OPERATIONS), default=list(OPERATIONS))
    parser.add_argument("--restic", default="restic", help="another binary of it")
    parser.add_argument("--out", default="build/bench", help="for peers.tsv and peers.svg")
    parser.add_argument("--smoke", action="store_true", help="small and short: whether all of it still works")
    parser.add_argument("--report", metavar="TSV", help="measure nothing, report that")
    options = parser.parse_args()
    if options.smoke:
        options.runs, options.sets = 1, list(SMOKE)
        options.tools = ["holdfast", "holdfast-service", "restic", "tar", "find"]
    return options


def main():
    options = arguments()
    if options.report:
        report.show(report.read(options.report), options.out)
        return
    options.dir = os.path.realpath(options.dir)
    for folder in (options.dir, options.out):
        os.makedirs(folder, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    try:
        bench.run()
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)
    report.show(bench.rows, options.out)
    for line in bench.wrong:
        print("WRONG: " + line)
    sys.exit(1 if bench.wrong else 0)


if __name__ == "__main__":
    main()
