"""The tools that are measured, a class each: to add one, write its class and name it in TOOLS.

A method returns the command that does the operation, or None where the tool has no such thing."""
import json
import os
import re
import shutil
import subprocess

PASSWORD = "benchmark"


def shell(text, *arguments):
    return ["bash", "-c", "set -euo pipefail; " + text, "bash", *arguments]


def first_line(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.stdout.strip().split("\n")[0]


class Tool:
    program = ""       # what must be there
    compares = "all"   # what must be the same after a restore: all, or contents
    service = None     # the process whose time counts too

    def __init__(self, place, options):
        self.place, self.options = place, options
        self.repo = place.folder("repo")  # its bytes are what is stored
        self.environment = dict(os.environ, HOME=place.folder("home"), TMPDIR=place.folder("tmp"), LC_ALL="C.UTF-8")

    @classmethod
    def found(cls, options):
        return shutil.which(cls.program)

    @classmethod
    def version(cls, options):
        return first_line(cls.program, "--version").split()[-1]

    def run(self, *command):
        """Before what is measured."""
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment)
        if run.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {run.returncode}: {run.stdout}")

    def prepare(self): pass
    def backup(self, source, number): return None
    def restore(self, source, target): return None
    def prune(self): return None
    def check(self): return None
    def close(self): pass


class Holdfast(Tool):
    """The engine with a folder as its store, in one process."""
    name = "holdfast"

    @classmethod
    def binary(cls, name="holdfast"):
        return os.path.join(os.environ["HOLDFAST_BIN"], name)

    @classmethod
    def found(cls, options):
        return os.access(cls.binary(), os.X_OK)

    @classmethod
    def version(cls, options):
        return first_line(cls.binary(), "--version").split()[-1]

    def server(self):
        return ["--server", "dir:" + self.repo]

    def on(self, *arguments):
        return [self.binary(), "--home", self.place.path + "/home/holdfast", "--quiet", *arguments]

    def prepare(self):
        self.run(*self.on("init", *self.server(), "--advanced", "--account", "bench", "--device-name", "bench",
                          "--unattended", "--recovery-key-file", self.place.path + "/key"))

    def backup(self, source, number):
        return self.on("backup", source)

    def restore(self, source, target):
        return self.on("restore", "latest:" + source, "--target", target)

    def prune(self):
        commands = subprocess.run([self.binary(), "--help"], stdout=subprocess.PIPE, text=True).stdout
        known = re.search(r"^\s*prune\b", commands, re.M)
        return shell('"$@" forget --keep-last 1; "$@" prune', *self.on()) if known else None

    def check(self):
        return self.on("check", "--read-data")


class HoldfastService(Holdfast):
    """The same through holdfastd and TLS on the same cores: what people use."""
    name = "holdfast-service"

    def server(self):
        self.log = open(self.place.path + "/service.log", "w")
        self.process = subprocess.Popen(
            [self.binary("holdfastd"), "serve", "--data", self.repo, "--listen", "127.0.0.1:0",
             "--metrics-listen", "", "--signup", "open", "--json"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.service = self.process.pid
        for line in self.process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                return ["--server", told["url"], "--server-fingerprint", told["fingerprint"]]
        raise SystemExit(f"holdfastd did not start; see {self.log.name}")

    def close(self):
        if self.service:
            self.process.terminate()
            self.process.wait(60)
            self.log.close()


class Restic(Tool):
    name = "restic"

    @classmethod
    def found(cls, options):
        return shutil.which(options.restic)

    @classmethod
    def version(cls, options):
        return first_line(options.restic, "version").split()[1]

    def on(self, *arguments):
        return [self.options.restic, "-q", "-r", self.repo, *arguments]

    def prepare(self):
        self.environment["RESTIC_PASSWORD"] = PASSWORD
        self.run(*self.on("init"))

    def backup(self, source, number):
        return shell('cd "$1"; shift; exec "$@" backup .', source, *self.on())

    def restore(self, source, target):
        return self.on("restore", "latest", "--target", target)

    def prune(self):
        return self.on("forget", "--keep-last", "1", "--prune")

    def check(self):
        return self.on("check", "--read-data")


class Borg(Tool):
    name = program = "borg"

    def prepare(self):
        self.environment.update(BORG_PASSPHRASE=PASSWORD, BORG_BASE_DIR=self.environment["HOME"])
        self.run("borg", "init", "-e", "repokey-blake2", self.repo)

    def backup(self, source, number):
        self.newest = f"{self.repo}::{number}"
        return shell('cd "$1"; exec borg create -C zstd,3 "$2" .', source, self.newest)

    def restore(self, source, target):
        return shell('cd "$1"; exec borg extract "$2"', target, self.newest)

    def prune(self):
        return shell('borg prune --keep-last 1 "$1"; borg compact --threshold 0 "$1"', self.repo)

    def check(self):
        return ["borg", "check", "--verify-data", self.repo]


class TarZstdAes(Tool):
    """All of it each time, compressed on every core and encrypted, not authenticated."""
    name, program = "tar-zstd-aes", "zstd"
    compares = "contents"  # times to the second, as tar keeps them by default

    @classmethod
    def found(cls, options):
        return shutil.which("zstd") and shutil.which("openssl")

    @classmethod
    def version(cls, options):
        return first_line("tar", "--version").split()[-1]

    def prepare(self):
        self.environment["PASSWORD"] = PASSWORD

    def backup(self, source, number):
        if number == 2:
            return None
        return shell('tar -C "$1" -cf - . | zstd -q -3 -T0 | openssl enc -aes-256-ctr -pbkdf2 -pass env:PASSWORD > "$2"',
                     source, self.repo + "/archive")

    def restore(self, source, target):
        return shell('openssl enc -d -aes-256-ctr -pbkdf2 -pass env:PASSWORD -in "$1" | zstd -dqc | tar -C "$2" -xf -',
                     self.repo + "/archive", target)


class Tar(Tool):
    """Nothing but the archive: the floor of a restore."""
    name = program = "tar"
    compares = "contents"

    def backup(self, source, number):
        return None if number == 2 else ["tar", "-C", source, "-cf", self.repo + "/archive", "."]

    def restore(self, source, target):
        return ["tar", "-C", target, "-xf", self.repo + "/archive"]


class Find(Tool):
    """The floor of a backup that finds nothing changed: names, sizes and times, nothing saved."""
    name = program = "find"

    @classmethod
    def version(cls, options):
        return first_line("find", "--version").split()[-1]

    def backup(self, source, number):
        return shell('exec find "$1" -printf "%s %T@ %p\\n" > "$2"', source, "/dev/null") if number == 2 else None


class Zpaq(Tool):
    """A journaling archive. It keeps no links and no owners."""
    name = program = "zpaq"
    compares = "contents"

    @classmethod
    def version(cls, options):
        return first_line("zpaq").split()[1]

    def backup(self, source, number):
        return shell('cd "$1"; exec zpaq add "$2" . -m1 -t2 -key "$3"', source, self.repo + "/archive.zpaq", PASSWORD)

    def restore(self, source, target):
        return shell('cd "$1"; exec zpaq extract "$2" -t2 -key "$3"', target, self.repo + "/archive.zpaq", PASSWORD)


TOOLS = {tool.name: tool for tool in (Holdfast, HoldfastService, Restic, Borg, TarZstdAes, Tar, Find, Zpaq)}
