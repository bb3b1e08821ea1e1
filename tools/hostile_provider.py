"""A provider with everything real, for tools/story_hostile: holdfastd with its public log, a witness,
a custodian on a SoftHSM2 token, operators and a policy; and accounts with a past of nine days."""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time

from hostile_stage import BIN, DATA, HOSTILE, Broken, Stage, all_in, noise

DAY = 24 * 60 * 60
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
PIN = "2468-for-tests"
OFFERED = 'in_effect_from = 2025-01-15\n[others]\nadvanced.enable = "offered"\nnote = "{}"\n'


def module():
    return next((path for path in MODULES if os.path.exists(path)), MODULES[0])


def faketime_library():
    """Empty where clocks cannot be moved: with sanitizers, for one."""
    if not shutil.which("faketime"):
        return ""
    trial = subprocess.run(["faketime", "-f", "+1h", os.path.join(BIN, "holdfast"), "--version"],
                           capture_output=True)
    library = subprocess.run(["faketime", "-f", "+1h", "printenv", "LD_PRELOAD"], text=True,
                             capture_output=True).stdout.strip()
    return library if trial.returncode == 0 else ""


class Program:
    """One of the provider's; it listens somewhere and says where."""

    def __init__(self, name, arguments, env, said):
        with open(said, "a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [os.path.join(BIN, name), "serve", "--json", *arguments], env=env, text=True,
                stdout=subprocess.PIPE, stderr=errors)
        line = self.process.stdout.readline()
        if '"listening"' not in line:
            self.process.wait()
            with open(said, encoding="utf-8") as errors:
                why = json.loads(line)["error"] if line else errors.read()
            raise Broken(f"{name} does not start: {why}")
        self.told = json.loads(line)
        self.url, self.pin = self.told["url"], self.told["fingerprint"]

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class LevelStage(Stage):
    """As a Stage; also starts what the provider runs. `ahead`: seconds that everyone's clock is."""

    def __init__(self, folder, saved=None):
        super().__init__(folder, saved)
        self.ahead = 0
        self.library = ""

    def copy(self, to):
        made = super().copy(to)
        made.library = self.library
        for name in ("token", "token-kept"):
            if os.path.isdir(made.path(name)):
                made.configure(name)
        return made

    # ---- tokens ----

    def configure(self, token):
        with open(self.path(token, "softhsm2.conf"), "w", encoding="utf-8") as file:
            file.write(f"directories.tokendir = {self.path(token, 'keys')}\n"
                       "objectstore.backend = file\nlog.level = ERROR\n")

    def make_token(self, token):
        os.makedirs(self.path(token, "keys"))
        self.configure(token)
        with open(self.path(token, "pin"), "w", encoding="utf-8") as file:
            file.write(PIN + "\n")
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "custody", "--so-pin",
                        "1357-for-tests", "--pin", PIN], env=self.env(token), check=True,
                       capture_output=True)

    def env(self, token="token"):
        env = dict(os.environ, SOFTHSM2_CONF=self.path(token, "softhsm2.conf"))
        if self.ahead:
            env.update(LD_PRELOAD=self.library, FAKETIME=f"{self.ahead:+d}",
                       FAKETIME_DONT_FAKE_MONOTONIC="1")
        return env

    # ---- programs ----

    def start(self, name, *arguments, token="token"):
        return Program(name, arguments, self.env(token), self.path(name + ".err"))

    def start_service(self, *more):
        return self.start("holdfastd", "--data", self.path("service"), "--listen", "127.0.0.1:0",
                          "--metrics-listen", "127.0.0.1:0", "--signup", "open", "--log",
                          "--log-seconds", "1", "--policy-key", self.read("policy.pub"), *more)

    def start_witness(self):
        """Also writes the service's file of witnesses."""
        witness = self.start("holdfast-witness", "--data", self.path("witness"), "--name", "w1",
                             "--log", self.read("log.pub"), "--listen", "127.0.0.1:0")
        self.put("watchers", f"witness {witness.told['key']} {witness.url} {witness.pin}\nquorum 1\n")
        return witness

    def start_custodian(self, name="custodian", token="token"):
        operators = [word for one in ("anna", "ben") for word in
                     ("--operator", self.read(one + ".pub"))]
        return self.start("holdfast-custodian", "--data", self.path(name), "--listen",
                          "127.0.0.1:0", "--module", module(), "--token", "custody", "--pin-file",
                          self.path(token, "pin"), "--log-roots", self.path("roots"),
                          "--service-fingerprint", self.read("service.pin"), *operators,
                          token=token)

    @contextlib.contextmanager
    def real(self, custodian="custodian", token="token"):
        """The service as it stands on its data, with its witness and a custodian."""
        running = []
        try:
            running.append(self.start_witness())
            running.append(self.start_custodian(custodian, token))
            keeper = running[-1]
            running.append(self.start_service(
                "--log-policy", self.path("watchers"), "--custodian", keeper.url,
                "--custodian-fingerprint", keeper.pin, "--release-hours", "0.001"))
            yield running[-1]
        finally:
            for program in reversed(running):
                program.end()

    def operate(self, *words):
        """A command of the operator's."""
        return subprocess.run([os.path.join(BIN, "holdfastd"), *words], env=self.env(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def must_operate(self, *words):
        done = self.operate(*words)
        if done.returncode != 0:
            raise Broken(f"holdfastd {' '.join(words)}: {done.stdout}")
        return done.stdout

    # ---- its database ----

    def edit(self, sql, *values, database=("service", "service.db")):
        """One row or more of a database that no program has open now."""
        db = sqlite3.connect(self.path(*database))
        with db:
            changed = db.execute(sql, values).rowcount
        db.close()
        assert changed != 0, "nothing was edited: " + sql

    def rows(self, sql, *values, database=("service", "service.db")):
        db = sqlite3.connect(self.path(*database))
        found = db.execute(sql, values).fetchall()
        db.close()
        return found

    def statements(self, account):
        """(path, bytes) of each, in order."""
        return self.rows("SELECT path, bytes FROM objects WHERE path LIKE ? ORDER BY path",
                         f"accounts/{account.encode().hex()}/circle/%")

    def hostile(self, *words, token="token"):
        done = subprocess.run([HOSTILE, *words], env=self.env(token), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.strip()

    # ---- small ----

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().strip()

    def put(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def until(self, service, device, *words, said=""):
        """Again until it succeeds, and says that."""
        for _ in range(600):
            run = self.on(service, device, *words)
            if run.code == 0 and said in run.text:
                return run
            time.sleep(0.1)
        raise Broken(f"{device}: {' '.join(words)} never came: {run.text}")

    def init(self, service, device, *more):
        return self.on(service, device, "init", "--account", device, "--device-name", device,
                       "--recovery-key-file", self.path("paper." + device), *more)

    def must_init(self, service, device):
        run = self.init(service, device)
        if run.code != 0:
            raise Broken(f"{device} cannot begin: {run.text}")

    def sign_policy(self, name, text, *more):
        self.put(name + ".toml", text)
        self.must_operate("policy", "sign", self.path(name + ".toml"), "--key",
                          self.path("policy.key"), "--out", self.path(name), *more)


def begin(stage):
    """Keys, a token, a log whose roots name its witness."""
    stage.make_token("token")
    for one in ("anna", "ben"):
        told = stage.must_operate("operator", "key", "--new", stage.path(one + ".key"), "--json")
        stage.put(one + ".pub", json.loads(told)["public_key"])
    told = stage.must_operate("policy", "key", stage.path("policy.key"), "--new", "--json")
    stage.put("policy.pub", json.loads(told)["public_key"])
    first = stage.start_service()
    stage.put("log.pub", first.told["log"])
    stage.put("service.pin", first.pin)
    first.end()
    witness = stage.start_witness()
    second = stage.start_service("--log-policy", stage.path("watchers"))
    shutil.copy(stage.path("service", "log", "roots"), stage.path("roots"))
    second.end()
    witness.end()


def ask_for_help(stage, service):
    """Carl lost his devices, says someone; two operators grant it, and it is proposed."""
    told = stage.must(service, "found", "help-request", "--account", "carl", "--device-name",
                      "found", "--json").text
    code = next(json.loads(line)["code"] for line in told.splitlines() if '"code"' in line)
    for one in ("anna", "ben"):
        stage.must_operate("help", "grant", code, "--as", stage.path(one + ".key"), "--data",
                           stage.path("service"))
    stage.until(service, "carl", "protection", "show", "--json", said="help_waits")


def nine_days_ago(stage):
    stage.ahead = -9 * DAY
    begin(stage)
    with stage.real() as service:
        data = ("--data", stage.path("service"))
        stage.must_operate("operator", "add", "anna", "--as", stage.path("anna.key"), *data)
        stage.must_operate("operator", "add", "ben", "--public-key", stage.read("ben.pub"), "--as",
                           stage.path("anna.key"), *data)
        stage.sign_policy("policy-1", OFFERED.format("Offered to everybody."))
        stage.must_operate("policy", "publish", stage.path("policy-1"), *data)
        for one in ("ann", "carl"):
            stage.must_init(service, one)
            stage.must(service, one, "backup", stage.path(DATA))
        ask_for_help(stage, service)
        for one in ("ann", "carl"):
            size = all_in(stage, service, one)
            # Since when it stands there, the service keeps with its next step.
            stage.must(service, one, "backup", stage.path(DATA))
            all_in(stage, service, one, size + 1)
    # Three days later the honest programs would give it. A service that waits keeps the request.
    for table in ("help_request", "help_grant"):
        stage.edit(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
        stage.edit(f"DELETE FROM {table}")


def now(stage):
    """Ann left the standard level, came back with her recovery key, and left it again."""
    stage.ahead = 0
    with stage.real() as service:
        stage.must_init(service, "bob")
        stage.must(service, "bob", "backup", stage.path(DATA))
        stage.until(service, "ann", "log")
        stage.must(service, "ann", "protection", "advanced", "--yes")
        stage.until(service, "ann", "protection", "show", said="signed receipt is kept")
        stage.until(service, "ann", "protection", "standard", "--yes", "--recovery-key-file",
                    stage.path("paper.ann"))
        stage.write("c", noise(200 * 1024, 5))
        stage.must(service, "ann", "backup", stage.path(DATA))
        for one in ("ann", "bob", "carl"):
            all_in(stage, service, one)
        for one in ("ann", "bob"):
            shutil.copytree(stage.path(one), stage.path(one + "-before"))
    shutil.copytree(stage.path("custodian"), stage.path("custodian-kept"))
    shutil.copytree(stage.path("token"), stage.path("token-kept"))
    with stage.real() as service:
        stage.until(service, "ann", "protection", "advanced", "--yes")
        stage.until(service, "ann", "protection", "show", "--json", said='"destroyed":true')
        for _ in range(600):
            text = stage.must(service, "ann", "protection", "show", "--json").text
            if '"destroyed":false' not in text:
                break
            time.sleep(0.1)
        all_in(stage, service, "ann")


def set_levels(folder, library):
    os.makedirs(folder)
    stage = LevelStage(folder)
    stage.library = library
    stage.write("a", b"first")
    stage.write("b", noise(300 * 1024, 1))
    nine_days_ago(stage)
    now(stage)
    return stage
