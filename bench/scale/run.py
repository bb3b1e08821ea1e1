#!/usr/bin/env python3
"""./dev bench scale: one vault with millions of files and chunks, and what its commands cost.

The vault is made without its files (make_vault.cpp): the manifest, the keys and the indexes are
whole, of contents there is one file. Never a test: nothing here fails because something is slow."""
import argparse
import os
import shutil
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../peers"))
import machine  # noqa: E402
import tools  # noqa: E402

FILES_OF_FOLDER = 1000


class Scale:
    def __init__(self, options):
        self.files = options.files
        self.work = tempfile.mkdtemp(prefix="holdfast-scale-", dir=options.dir)
        self.place = machine.Place(self.work, "vault", machine.images_work(self.work))
        self.vault = tools.Holdfast(self.place, options)
        self.log = open(os.path.join(self.work, "log"), "w+")
        self.failed = False

    def run(self, command):
        """A command measured; the last lines that it printed."""
        self.log.seek(0, os.SEEK_END)
        began = self.log.tell()
        machine.sync_folder(self.place.path)
        measured = machine.measure(command, self.log, self.vault.environment)
        self.log.seek(began)
        lines = 0
        last = ""
        for last in self.log:
            lines += 1
        if measured.rc != 0:
            print(f"FAILED with {measured.rc}: {' '.join(command)}: {last.strip()}", flush=True)
            self.failed = True
        return measured, lines

    def make(self):
        self.vault.prepare()
        program = os.path.join(os.path.dirname(os.environ["HOLDFAST_BIN"]), "bench_scale")
        measured, _ = self.run([program, self.place.path + "/home/holdfast", self.vault.repo, str(self.files)])
        print(f"made a vault with {self.files} files and chunks in {measured.wall:.0f} s, "
              f"{measured.peak / 1e6:.0f} MB", flush=True)

    def measure(self, name, command, goal, runs, count=None):
        """`count`: the names it went through, where that is the rate to be judged."""
        measured = [self.run(command) for _ in range(runs)]
        walls = [one.wall for one, _ in measured]
        peak = max(one.peak for one, _ in measured) / 1e6
        wall = statistics.median(walls)
        rate = f"{count / wall / 1e6:8.2f} million/s" if count else " " * 18
        print(f"{name:<34}{wall:8.2f} s ({min(walls):.2f}-{max(walls):.2f}){rate}   cpu "
              f"{statistics.median(one.cpu for one, _ in measured):6.2f} s   peak {peak:5.0f} MB   "
              f"{measured[-1][1]} lines   goal {goal}", flush=True)

    def all(self, runs):
        on = self.vault.on
        folder = f"/scale/folder-{self.files // 2 // FILES_OF_FOLDER:06}"
        name = f"{folder}/file-{self.files // 2:09}.dat"
        self.measure("ls DIR (1000 names)", on("ls", "latest:" + folder), "1 s, 200 MB", runs)
        self.measure("find, no match", on("find", "no-such-name-*"), "2 million/s, 200 MB", runs, self.files)
        self.measure("find, every name", on("find", "file-*"), "2 million/s, 200 MB", 1, self.files)
        out = self.place.path + "/out"
        for _ in range(runs):
            shutil.rmtree(out, ignore_errors=True)
            self.measure("restore of one file", on("restore", "latest:" + folder, "--include", os.path.basename(name),
                                                   "--target", out), "1 s, 200 MB", 1)
        restored = os.path.join(out, os.path.basename(name))
        if not os.path.exists(restored) or open(restored, "rb").read() != b"\7" * (1 << 20):
            print(f"{name} was not restored right")
            self.failed = True
        few = self.place.folder("few")
        with open(few + "/note", "w") as file:
            file.write("something new\n")
        self.measure("backup of one small file", on("backup", few), "200 MB", runs)
        self.measure("snapshots", on("snapshots"), "", 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where all of it is done")
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    scale = Scale(options)
    try:
        scale.make()
        if not scale.failed:
            scale.all(options.runs)
    finally:
        scale.place.close()
        shutil.rmtree(scale.work, ignore_errors=True)
    sys.exit(1 if scale.failed else 0)


if __name__ == "__main__":
    main()
