"""Every checkpoint that a log served must be a beginning of the log that it has in the end.

  log_kill.py collect URL FILE     asks for /log/checkpoint again and again; each new answer, a line
  log_kill.py judge FOLDER FILE    reads the entries anew and makes each tree (RFC 9162 section 2.1.1)"""
import base64
import hashlib
import json
import os
import ssl
import sys
import time
import urllib.request


def collect(url, path):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    seen = set()
    with open(path, "a", encoding="utf-8") as file:
        while True:
            try:
                with urllib.request.urlopen(url + "/log/checkpoint", context=context,
                                            timeout=5) as answer:
                    text = answer.read().decode().split("\n\n")[0]
                if text not in seen:
                    seen.add(text)
                    file.write(json.dumps(text) + "\n")
                    file.flush()
            except OSError:
                pass
            except Exception:  # an answer that was cut off by the kill
                pass
            time.sleep(0.02)


def entries_of(folder):
    """tlog-tiles: bundles of 256 entries, each behind its length in two bytes; the widest partial
    one counts."""
    below = os.path.join(folder, "tile/entries")
    full, partial = [], []
    for where, _, names in os.walk(below):
        for name in names:
            path = os.path.join(where, name)
            (partial if where.endswith(".p") else full).append(path)
    paths = sorted(full)
    newest = [p for p in partial if os.path.dirname(p)[:-2] not in full]
    if newest:
        paths.append(max(newest, key=lambda p: (os.path.dirname(p), int(os.path.basename(p)))))
    entries = []
    for path in paths:
        with open(path, "rb") as file:
            bundle = file.read()
        while bundle:
            size = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2:2 + size])
            bundle = bundle[2 + size:]
    return entries


def root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def judge(folder, path):
    entries = entries_of(folder)
    sizes = set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            _, size, shown = json.loads(line).splitlines()
            sizes.add(int(size))
            if int(size) > len(entries):
                sys.exit(f"a checkpoint of {size} entries was served; the log has {len(entries)}")
            if base64.b64encode(root(entries[:int(size)])).decode() != shown:
                sys.exit(f"a checkpoint of {size} entries was served with another tree: a fork")
    if len(sizes) < 3:
        sys.exit("too few checkpoints were seen: nothing is proven")
    print(f"{len(sizes)} checkpoints were served, all of one log of {len(entries)} entries")


collect(sys.argv[2], sys.argv[3]) if sys.argv[1] == "collect" else judge(sys.argv[2], sys.argv[3])
