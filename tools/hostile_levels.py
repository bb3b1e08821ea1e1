"""What a provider may try against the level of an account, for tools/story_hostile. Where no lie is
named, the real programs serve what the provider did to their files, keys and clocks."""
import json
import os
import re
import shutil
import subprocess
import time

from hostile_provider import DAY, OFFERED, module
from hostile_stage import BIN, DATA, HERE, Broken, Run

LEVELS = "levels"  # this group's accounts have a custodian
LOST = "the custodian's database"
JURISDICTIONS = os.path.realpath(os.path.join(HERE, "../jurisdictions"))


def said(by, began, code, text):
    """What somebody else than a device said."""
    return Run(by, code, text, time.monotonic() - began)


# ---- scenes with a lie ----

def lying(device, *words):
    def play(stage, lie):
        with stage.serve(lie.replace("STAGE", stage.folder), log="before") as service:
            return stage.on(service, device, *words)
    return play


def look_then_send(device):
    """What the log contradicts is said first; nothing is sent any more."""
    def play(stage, lie):
        with stage.serve(lie, log="before") as service:
            look = stage.on(service, device, "snapshots")
            assert look.code == 0 and "contradicted itself" in look.text, look.text
            run = stage.on(service, device, "backup", stage.path(DATA))
            run.seconds = look.seconds
            return run
    return play


def new_account(stage, lie):
    with stage.serve(lie, log="before") as service:
        run = stage.init(service, "new")
    assert not os.path.exists(stage.path("paper.new")), "a recovery key was shown all the same"
    return run


def key_of_another(stage, lie):
    """Ed is given his own, Eve the same one."""
    keeper = stage.start_custodian()
    try:
        with stage.serve(lie, "service", "before", "--custodian", keeper.url, "--custodian-pin",
                         keeper.pin) as service:
            stage.init(service, "ed")
            return stage.init(service, "eve")
    finally:
        keeper.end()


def recover(stage, lie):
    with stage.serve(lie, log="before") as service:
        return stage.on(service, "bare", "recover", "--device-name", "bare",
                        "--recovery-key-file", stage.path("paper.ann"))


# ---- scenes with the real programs ----

def still_advanced(stage, service):
    """Whatever was tried: Ann's own device, and her list of readers."""
    text = stage.must(service, "ann", "readers", "--json").text
    summary = next(json.loads(line) for line in text.splitlines() if '"summary"' in line)
    assert summary["level"] == "advanced" and summary["provider_can_read"] is False, text


def two_custodians(stage, _):
    """A second one, with a token and keys of its own, answers for the first."""
    stage.make_token("token-2")
    with stage.real("custodian-2", "token-2") as service:
        still_advanced(stage, service)
        return stage.init(service, "new")


def one_memory_for_two(stage, _):
    first = stage.start_custodian()
    began = time.monotonic()
    second = subprocess.run(
        [os.path.join(BIN, "holdfast-custodian"), "serve", "--data", stage.path("custodian"),
         "--listen", "127.0.0.1:0", "--module", module(), "--token", "custody", "--pin-file",
         stage.path("token", "pin"), "--log-roots", stage.path("roots"),
         "--service-fingerprint", stage.read("service.pin")],
        env=stage.env(), text=True, capture_output=True)
    first.end()
    return said("custodian", began, second.returncode, second.stderr)


def one_token_for_two(stage, _):
    """Two that would share the objects: what one destroys, the other promised."""
    began = time.monotonic()
    keeper = stage.start_custodian()
    keeper.end()
    second = subprocess.run(
        [os.path.join(BIN, "holdfast-custodian"), "serve", "--data", stage.path("another"),
         "--listen", "127.0.0.1:0", "--module", module(), "--token", "custody", "--pin-file",
         stage.path("token", "pin"), "--log-roots", stage.path("roots"),
         "--service-fingerprint", stage.read("service.pin")],
        env=stage.env(), text=True, capture_output=True)
    return said("custodian", began, second.returncode, second.stderr)


def edited(edit, device, *words):
    """The provider edits its real database; then its real service runs on that."""
    def play(stage, _):
        edit(stage)
        with stage.real() as service:
            return stage.on(service, device, *words)
    return play


def statement_taken_out(stage):
    path, _ = stage.statements("ann")[-1]
    stage.edit("DELETE FROM objects WHERE path = ?", path)


def add_statement(stage, row):
    path, _ = stage.statements("ann")[-1]
    stage.edit("INSERT INTO objects(path, bytes, modified_ms) VALUES(?, ?, 0)",
               path[:-8] + f"{int(path[-8:]) + 1:08d}", row)


def statement_forged(stage):
    """Signed by its fleet key, in the name of Ann's own device."""
    with stage.serve("honest", log="before") as service:
        code, row = stage.hostile(
            "forge", "--home", stage.path("ann"), "--server", service.url, "--pin", service.pin,
            "--fleet", stage.path("custodian", "fleet.key"))
    assert code == 0 and re.fullmatch("[0-9a-f]+", row), row
    add_statement(stage, bytes.fromhex(row))


def statement_replayed(stage):
    """The statement by which Ann herself once took the provider in, as her newest."""
    add_statement(stage, stage.statements("ann")[-2][1])


def receipts_forged(stage):
    for reader, receipt in stage.rows("SELECT reader, receipt FROM custody_receipt"):
        stage.edit("UPDATE custody_receipt SET receipt = ? WHERE reader = ?",
                   receipt[:-1] + bytes([receipt[-1] ^ 1]), reader)


def fleet_replaced(stage):
    stage.edit("UPDATE custody_fleet SET fleet = ?", bytes(31) + b"\1")


def another_fleet(stage, _):
    fleet_replaced(stage)
    began = time.monotonic()
    try:
        with stage.real():
            return said("holdfastd", began, 0, "it runs")
    except Broken as broken:
        return said("holdfastd", began, 1, str(broken).split(": ", 1)[1])


def hidden_from_the_earlier(stage, _):
    """Who did not see that the level was raised is not told, nor of what came after; the log has it."""
    statement_taken_out(stage)
    stage.edit("DELETE FROM objects WHERE path = (SELECT max(path) FROM objects WHERE path LIKE ?)",
               f"accounts/{b'ann'.hex()}/vaults/%")
    with stage.serve("honest", log="before") as service:
        look = stage.on(service, "ann-before", "snapshots")
        assert look.code == 0 and "contradicted itself" in look.text, look.text
        run = stage.on(service, "ann-before", "backup", stage.path(DATA))
        run.seconds = look.seconds
        return run


def called_live_again(stage, _):
    """In the custodian's memory the key that was destroyed lives on; its token has no such object."""
    lives = ("SELECT seed FROM account_key WHERE circle = ? AND number = 2",
             stage.rows("SELECT circle FROM account_key WHERE number = 2",
                        database=("custodian", "custody.db"))[0][0])
    seed = stage.rows(*lives, database=("custodian-kept", "custody.db"))[0][0]
    stage.edit("UPDATE account_key SET state = 2, seed = ?, receipt = x'' WHERE number = 2", seed,
               database=("custodian", "custody.db"))
    with stage.real() as service:
        still_advanced(stage, service)
        began = time.monotonic()
        code, text = kept(stage, service, "custodian", "token")
        return said("its token", began, code, text)


# ---- what the operator may say to its own program ----

COMMANDS = [
    ["policy", "show"], ["policy", "key", "FOLDER/policy.key"], ["policy", "check", "FOLDER/none.toml"],
    ["policy", "publish", "FOLDER/none.toml", "--key", "FOLDER/policy.key"],
    ["operator", "key", "--new", "FOLDER/carl.key"], ["operator", "list", "--trail"],
    ["operator", "add", "carl", "--public-key", "KEY", "--as", "FOLDER/anna.key"],
    ["operator", "revoke", "carl", "--as", "FOLDER/anna.key"],
    ["help", "list"], ["help", "grant", "CODE", "--as", "FOLDER/anna.key"],
    ["help", "grant", "CODE", "--as", "FOLDER/ben.key"],
    ["help", "refuse", "CODE", "--as", "FOLDER/ben.key"],
    ["account", "list"], ["account", "quota", "ann", "none"], ["invite"],
    ["lawful", "receive", "FOLDER/demand.toml", "--as", "FOLDER/anna.key"],
    ["lawful", "check", "1", "--as", "FOLDER/anna.key"],
    ["lawful", "stage", "1", "given", "--as", "FOLDER/anna.key"],
    ["lawful", "preserve", "1", "--as", "FOLDER/anna.key"],
    ["lawful", "approve", "1", "--as", "FOLDER/ben.key"],
    ["lawful", "approve", "1", "--as", "FOLDER/carl.key"],
    ["lawful", "produce", "1", "--out", "FOLDER/given", "--as", "FOLDER/ben.key"],
    ["lawful", "challenge", "1", "--because", "no key", "--as", "FOLDER/ben.key"],
    ["lawful", "refuse", "1", "--because", "no key", "--as", "FOLDER/ben.key"],
    ["lawful", "close", "1", "--because", "no key", "--as", "FOLDER/ben.key"],
    ["lawful", "list"], ["lawful", "deadlines"], ["lawful", "verify"],
    ["report", "--period", "2026H2", "--out", "FOLDER/report", "--as", "FOLDER/anna.key"],
]
DEMAND = """instrument = "us-search-warrant"
reference = "1"
issuer = "A court"
role = "court"
issued = DATE
attests = ["probable-cause"]
classes = ["content"]

[target]
account = "ann"
region = "US"
"""
# serve runs all the time; config prints; an older state of everything is a row of its own (rollback).
APART = {"serve", "config", "policy sign", "backup", "restore", "check"}


def commands_of(stage, *group):
    text = stage.operate(*group, "--help").stdout
    listed = text.split("Subcommands:\n")[1] if "Subcommands:" in text else ""
    return re.findall(r"(?m)^  (\S+)", listed)


def every_command(stage, _):
    """All that holdfastd can be told, for the sake of Ann's account; nothing of it lowers it."""
    leaves = {" ".join(filter(None, (one, two))) for one in commands_of(stage)
              for two in commands_of(stage, one) or [""]}
    missed = leaves - APART - {" ".join(words[:2]) for words in COMMANDS} - {"invite", "report"}
    assert not missed, f"nobody tried {missed}"
    told = [stage.operate(*leaf.split(), "--help").stdout for leaf in {"", *leaves}] + [
        subprocess.run([os.path.join(BIN, name), "--help"], text=True, capture_output=True).stdout
        for name in ("holdfast-custodian", "holdfast-witness")]
    flags = set(re.findall("--[a-z-]+", "".join(told)))
    assert len(flags) > 40, flags
    assert not [flag for flag in flags if re.search("level|standard|advanced|lower|force", flag)], flags
    began = time.monotonic()
    stage.put("none.toml", 'in_effect_from = DATE\n[others]\nadvanced.enable = "withdrawn"\n'
              "advanced.existing = { leave_by = 2099-01-01 }\n".replace(
                  "DATE", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * DAY))))
    stage.put("demand.toml", DEMAND.replace("DATE", time.strftime("%Y-%m-%d", time.gmtime())))
    with stage.real() as service:
        asked = stage.must(service, "stranger", "help-request", "--account", "ann", "--device-name",
                           "stranger", "--json").text
        code = next(json.loads(line)["code"] for line in asked.splitlines() if '"code"' in line)
        for words in COMMANDS:
            spelled = [word.replace("FOLDER", stage.folder).replace("CODE", code).replace(
                "KEY", stage.read("ben.pub")) for word in words]
            own = [] if words[0] == "policy" and words[1] in ("key", "check") else [
                "--data", stage.path("service")]
            if words[:2] == ["operator", "key"]:
                own = []
            if words[0] in ("lawful", "report"):
                own += ["--jurisdictions", JURISDICTIONS]
            done = stage.operate(*spelled, *own)
            assert done.returncode in (0, 1), f"{spelled} was not understood: {done.stdout}"
        time.sleep(5)  # longer than its work for operators waits
        still_advanced(stage, service)
        run = stage.on(service, "ann", "protection", "show")
    run.seconds = time.monotonic() - began
    return run


# ---- policies ----

def policy_file_for_one(stage, _):
    """Everybody else was given the one that the log has; this person's file is another."""
    stage.sign_policy("policy-other", 'in_effect_from = 2025-01-15\n[others]\nadvanced.enable = '
                      '"withdrawn"\nnote = "For you alone."\n')
    shutil.copy(stage.path("policy-other"), stage.path("service", "log", "policy", "1"))
    stage.edit("UPDATE log_policy SET policy = ? WHERE version = 1",
               open(stage.path("policy-other"), "rb").read())
    with stage.serve("honest", log="before") as service:
        return stage.on(service, "bob", "log")


def policy_from(moment):
    day = time.strftime("%Y-%m-%d", time.gmtime(moment))
    return OFFERED.format("From then on.").replace("2025-01-15", day)


def policy_entry_for_one(stage, lie):
    """All others see the policy that was announced; in this person's log it is another one."""
    stage.sign_policy("policy-2", policy_from(time.time() + 9 * DAY), "--after",
                      stage.path("policy-1"))
    with stage.real() as service:
        stage.must_operate("policy", "publish", stage.path("policy-2"), "--data",
                           stage.path("service"))
        stage.until(service, "ann", "policy", said="From")
    return look_then_send("ann-before")(stage, lie)


def policy_without_notice(stage, _):
    """Put straight into the queue of the log: the program would refuse it."""
    stage.ahead = -9 * DAY  # where its own key signs, the clock says what it likes
    stage.sign_policy("policy-2", policy_from(time.time()), "--after", stage.path("policy-1"))
    stage.ahead = 0
    code, leaf = stage.hostile("leaf", "--policy", stage.path("policy-2"))
    assert code == 0, leaf
    with open(stage.path("policy-2"), "rb") as file:
        policy = file.read()
    stage.edit("INSERT INTO log_policy(version, policy) VALUES(2, ?)", policy)
    stage.edit("INSERT INTO log_queue(leaf) VALUES(?)", bytes.fromhex(leaf))
    shutil.copy(stage.path("policy-2"), stage.path("service", "log", "policy", "2"))
    with stage.real() as service:
        return stage.until(service, "ann", "log", said="seven days")


# ---- releases ----

def release_not_logged(stage, _):
    """The request that two granted, three days on; its batch never gets into the log."""
    for table in ("help_request", "help_grant"):
        stage.edit(f"INSERT INTO {table} SELECT * FROM kept_{table}")
    keeper = stage.start_custodian()
    began = time.monotonic()
    try:
        code, text = stage.hostile("demand", "--data", stage.path("service"), "--custodian",
                                   keeper.url, "--custodian-pin", keeper.pin)
    finally:
        keeper.end()
    told = json.loads(text.splitlines()[-1])
    assert code == 0 and told["given"] == 0, text
    return said("custodian", began, 1, told["message"])


def batches(stage, service, device):
    text = stage.must(service, device, "log", "--json").text
    return next(json.loads(line)["batches"] for line in text.splitlines() if '"log"' in line)


def batch_denied(stage, lie):
    """A batch came since Bob looked; at his position, he is told, there is nothing."""
    with stage.real() as service:
        first = batches(stage, service, "bob")
        for _ in range(300):
            if batches(stage, service, "bob") > first:
                break
            time.sleep(0.1)
        else:
            raise Broken("no release batch comes")
    return look_then_send("bob-before")(stage, lie)


def opening_overdue(stage, _):
    """The service keeps what its custodian opens to Bob; he looks again after a day and more."""
    stage.edit("CREATE TRIGGER never AFTER UPDATE OF opening ON log_position WHEN new.opening IS NOT "
               "NULL BEGIN UPDATE log_position SET opening = NULL WHERE batch = new.batch AND "
               "label = new.label; END")
    with stage.real() as service:
        for _ in range(100):
            text = stage.must(service, "bob", "log", "--json").text
            if any(json.loads(line).get("closed", 0) for line in text.splitlines()
                   if line.startswith("{")):
                break
            time.sleep(0.2)
        assert "should have been opened" not in text, text
    stage.ahead = 2 * DAY
    with stage.real() as service:
        stage.until(service, "bob", "log", "--json", said="should have been opened")
        return stage.on(service, "bob", "log")


# ---- a key that was kept ----

def kept(stage, service, custodian, token):
    return stage.hostile("kept", "--home", stage.path("ann"), "--server", service.url, "--pin",
                         service.pin, "--custodian", stage.path(custodian), "--module", module(),
                         "--pin-file", stage.path(token, "pin"), token=token)


def opened_by_kept(stage, service):
    code, text = kept(stage, service, "custodian-kept", "token-kept")
    assert code == 0, text
    return json.loads(text.splitlines()[-1])


def exposed(stage, service):
    text = stage.must(service, "ann", "protection", "show", "--json").text
    return next(json.loads(line)["exposed_packs"] for line in text.splitlines()
                if '"exposure"' in line)


def key_was_kept(stage, _):
    """A provider that lied in its receipt opens what it could before, and nothing new. Her device
    cannot see the copy; what it says could be opened is what such a copy does open."""
    with stage.real() as service:
        before = opened_by_kept(stage, service)
        assert before["opened"] == exposed(stage, service) > 0, before
        stage.write("d", b"written after the switch")
        stage.must(service, "ann", "backup", stage.path(DATA))
        after = opened_by_kept(stage, service)
        assert after["opened"] == before["opened"] and after["listed"] > before["listed"], after
        return stage.on(service, "ann", "protection", "show")


def key_was_kept_until_reseal(stage, _):
    with stage.real() as service:
        assert opened_by_kept(stage, service)["opened"] > 0
        stage.must(service, "ann", "protection", "reseal")
        left = opened_by_kept(stage, service)
        assert left["opened"] == 0 and left["listed"] > 0, left
        assert exposed(stage, service) == 0
        return stage.on(service, "ann", "protection", "show")


# ---- the table, as in story_hostile ----

SHOW = ("protection", "show")
FORGED = "signature is wrong"
ROWS = [
    ("a key of its own for its custodian", "custodian-of-its-own", new_account, 4, "not of the provider"),
    ("its custodian's key of another account", "custodian-of-another", key_of_another, 4, "not issued for"),
    ("two custodians: another one answers", "honest", two_custodians, 4, "not of the provider"),
    ("two custodians at one memory", "honest", one_memory_for_two, 1, "another custodian uses"),
    ("two custodians at one token", "honest", one_token_for_two, 1, "another custodian's keys"),
    ("a level statement that it forged", "level-forged", lying("ann", *SHOW), 4, FORGED),
    ("one that its own fleet key signed", "level-by-fleet:STAGE/custodian/fleet.key",
     lying("ann", *SHOW), 4, "its signer is not a member"),
    ("the person's old level statement, again", "level-replayed", lying("ann", *SHOW), 4,
     "do not follow one another"),
    ("raising shown as lowering", "level-altered", recover, 4, FORGED),
    ("its database: the statement taken out", "honest", edited(statement_taken_out, "ann", *SHOW),
     4, "older than"),
    ("the same, to who never saw it", "honest", hidden_from_the_earlier, 4, "kept from this device"),
    ("its database: its own statement added", "honest", edited(statement_forged, "ann", *SHOW), 4,
     FORGED),
    ("its database: the person's old one added", "honest", edited(statement_replayed, "ann", *SHOW),
     1, "the circle has changed"),
    ("its database: receipts that it forged", "honest",
     edited(receipts_forged, "ann-before", *SHOW), 0, "not known to be destroyed"),
    ("its database: another fleet key", "honest", another_fleet, 1, "seven days"),
    (LOST + ": the key lives on", "honest", called_live_again, 1,
     "no key object for this account"),
    ("every command and flag of its program", "honest", every_command, 0, "level advanced"),
    ("a policy for one person: its file", "honest", policy_file_for_one, 0,
     "not the one that the log has"),
    ("a policy for one person: its entry", "policy-for-one", policy_entry_for_one, 4,
     "does not follow from what this device saw"),
    ("a policy without notice", "honest", policy_without_notice, 0, "seven days"),
    ("a release whose batch is not logged", "honest", release_not_logged, 1,
     "must first stand in a release batch"),
    ("a release batch: nothing of yours in it", "batch-denied", batch_denied, 4,
     "at this account's position"),
    ("an opening that does not come", "honest", opening_overdue, 0, "should have been opened"),
    ("a kept copy of the key: what is new", "honest", key_was_kept, 0, "level advanced"),
    ("a kept copy of the key: after reseal", "honest", key_was_kept_until_reseal, 0,
     "level advanced"),
]
LEVEL_ATTACKS = [(LEVELS, *row) for row in ROWS]
MEGA = "Backendal, Haller, Paterson: MEGA, Malleable Encryption Goes Awry, S&P 2023"
EDITS = "Mazieres, Shasha: Building Secure File Systems out of Byzantine Storage, PODC 2002"
CONIKS = "Melara and others: CONIKS, USENIX Security 2015: equivocation"
DECRYPTION = "Ryan: Making Decryption Accountable, Security Protocols 2017"
DELETION = "Reardon, Basin, Capkun: SoK: Secure Data Deletion, S&P 2013"


def source_of(name):
    for words, source in (("database", EDITS), ("who never saw", EDITS), ("custodian", MEGA),
                          ("policy for one", CONIKS), ("release", DECRYPTION),
                          ("opening", DECRYPTION), ("kept copy", DELETION)):
        if words in name:
            return source
    return "the notice to Apple, 2025, as far as it is public: withdraw, or lower it unseen"


LEVEL_SOURCES = {row[0]: source_of(row[0]) for row in ROWS}
