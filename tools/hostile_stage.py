"""What the story of the hostile service is played on: real programs, a folder with homes, keys and a
service's data, and copies of it. For tools/story_hostile."""
import json
import os
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.realpath(__file__))
BIN = os.path.realpath(os.environ.get("HOLDFAST_BIN", os.path.join(HERE, "../build/bin")))
HOLDFAST = os.path.join(BIN, "holdfast")
HOSTILE = os.path.join(BIN, "../tests/hostile")
PATIENCE = 120  # seconds for one command, on a machine that is busy
DATA = "data"  # what is saved, below the folder of the story


class Broken(Exception):
    """The story itself cannot go on; no attack is to blame."""


class Service:
    """The hostile service on a copy of the data, telling one lie."""

    def __init__(self, data, lie, log, *more):
        self.process = subprocess.Popen([HOSTILE, "serve", "--data", data, "--attack", lie,
                                         *(["--log", log] if log else []), *more],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Broken(f"the service does not start with {lie}")
        listening = json.loads(line)
        self.url, self.pin = listening["url"], listening["fingerprint"]

    def turn(self):
        """From now on it lies."""
        self.process.send_signal(signal.SIGUSR1)
        time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()


class Run:
    """What one command of a device came to."""

    def __init__(self, command, code, text, seconds):
        self.command, self.code, self.text, self.seconds = command, code, text, seconds


class Stage:
    """A folder with homes, keys and the service's data; each attack gets a copy."""

    def __init__(self, folder, saved=None):
        self.folder = folder
        self.saved = saved or os.path.join(folder, DATA)  # as the snapshots name it

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def copy(self, to):
        shutil.copytree(self.folder, to, symlinks=True)
        for name in os.listdir(to):
            # A device that begins anew has nothing in its cache.
            shutil.rmtree(os.path.join(to, name, "cache"), ignore_errors=True)
        return type(self)(to, self.saved)

    def env(self):
        """Of what a device runs; None: this program's own."""
        return None

    def serve(self, lie="honest", data="service", log="", *more):
        return Service(self.path(data), lie, log, *more)

    def arguments(self, service, device, words):
        return [HOLDFAST, "--home", self.path(device), "--server", service.url,
                "--server-fingerprint", service.pin, "--unattended", *words]

    def on(self, service, device, *words, typed=""):
        began = time.monotonic()
        done = subprocess.run(self.arguments(service, device, words), input=typed, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                              timeout=PATIENCE, env=self.env())
        grouped = words[0] in ("devices", "recovery", "protection")
        return Run(" ".join(words[:2]) if grouped else words[0],
                   done.returncode, done.stdout, time.monotonic() - began)

    def must(self, service, device, *words, typed=""):
        run = self.on(service, device, *words, typed=typed)
        if run.code != 0:
            raise Broken(f"{device}: holdfast {' '.join(words)}: exit {run.code}: {run.text}")
        return run

    def ask_to_join(self, service, device):
        """A process that waits, and the code that it shows."""
        words = ("join", "--account", "me", "--device-name", device, "--json")
        waiting = subprocess.Popen(self.arguments(service, device, words), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        line = waiting.stdout.readline()
        if '"event":"code"' not in line:
            raise Broken(f"join showed no code: {line}")
        return waiting, json.loads(line)["code"]

    def write(self, name, content):
        os.makedirs(self.path(DATA), exist_ok=True)
        with open(self.path(DATA, name), "wb") as file:
            file.write(content)

    def plant(self, service, what):
        """A snapshot that a member in the hands of someone else writes."""
        os.makedirs(self.path("outside"), exist_ok=True)
        with open(self.path("outside", "secret"), "w", encoding="utf-8") as file:
            file.write("untouched")
        subprocess.run([HOSTILE, "write", "--home", self.path("nas"), "--server", service.url,
                        "--pin", service.pin, "--what", what, "--outside", self.path("outside")],
                       check=True)


def noise(size, seed):
    """Nothing that compresses, the same each time."""
    state = seed
    words = []
    for _ in range(size // 8):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        words.append((state ^ state >> 29).to_bytes(8, "little"))
    return b"".join(words)


def set_stage(folder, log=""):
    """One account with a past: a laptop; nas, which saw everything; early, which saw less; a
    recovery key; and the service as it was a while ago."""
    os.makedirs(folder)
    stage = Stage(folder)
    stage.write("b", noise(300 * 1024, 1))
    with stage.serve(log=log) as service:
        stage.must(service, "laptop", "init", "--advanced", "--account", "me", "--device-name",
                   "laptop", "--recovery-key-file", stage.path("paper-1"))
        stage.must(service, "laptop", "vault", "create", "photos")
        stage.write("a", b"first")
        stage.must(service, "laptop", "backup", stage.path(DATA))
        stage.must(service, "laptop", "backup", stage.path(DATA), "--vault", "photos")
        waiting, code = stage.ask_to_join(service, "nas")
        stage.must(service, "laptop", "devices", "approve", typed=code)
        waiting.communicate()
        shutil.copytree(stage.path("nas"), stage.path("early"))
        shutil.copytree(stage.path("service"), stage.path("older"))
        stage.write("a", b"second")
        stage.must(service, "laptop", "backup", stage.path(DATA))
        stage.must(service, "laptop", "recovery", "key", "--old-recovery-key-file",
                   stage.path("paper-1"), "--recovery-key-file", stage.path("paper"))
        stage.write("a", b"third")
        stage.must(service, "laptop", "backup", stage.path(DATA))
        stage.must(service, "laptop", "region", "set", "CH")
        stage.must(service, "nas", "snapshots")
        if log:
            all_in(stage, service, "nas")
        planted = stage.must(service, "nas", "devices")
        if "laptop" not in planted.text:
            raise Broken("nas does not see laptop")
    return stage


def all_in(stage, service, device, size=0):
    """Waits until the log has all that the device knows, and so many entries."""
    for _ in range(600):
        run = stage.on(service, device, "log", "--json")
        for line in run.text.splitlines():
            told = json.loads(line) if line.startswith("{") else {}
            if told.get("circle") and told.get("data") and told["size"] >= size:
                return told["size"]
        time.sleep(0.05)
    raise Broken(f"the log does not come: {run.text}")
