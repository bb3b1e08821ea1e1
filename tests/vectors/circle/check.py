#!/usr/bin/env python3
"""A second reader of the circle's formats, made from docs/formats/circle.md and nothing else of the
project: decodes, hashes and verifies the examples here with hashlib and plain integers. It prints
expected.txt, or with --check compares it. Not a whole implementation of the rules."""
import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STATEMENTS = ["00-genesis", "01-admit", "02-set_vault", "03-set_region", "04-set_recovery",
              "05-rotate", "06-set_recovery-again", "07-set_vault-always_e2e", "08-remove",
              "09-recover"]
RECORDS = ["home-1", "home-2", "home-3-forget", "home-4-prune", "home-5-undo"]


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- deterministic CBOR: what the formats use of it ----

def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    size = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    return bytes([major << 5 | 24 + size.bit_length() - 1]) + value.to_bytes(size, "big")


def encode(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(4, len(value)) + b"".join(encode(item) for item in value)


def read(data, at):
    first = data[at]
    if first in (0xf4, 0xf5, 0xf6):
        return {0xf4: False, 0xf5: True, 0xf6: None}[first], at + 1
    major, value, at = first >> 5, first & 31, at + 1
    if value >= 24:
        size = 1 << value - 24
        value, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major == 0:
        return value, at
    if major == 1:
        return -1 - value, at
    if major in (2, 3):
        part = data[at:at + value]
        return (part if major == 2 else part.decode()), at + value
    assert major == 4
    items = []
    for _ in range(value):
        item, at = read(data, at)
        items.append(item)
    return items, at


def decode(data):
    value, end = read(data, 0)
    assert end == len(data) and encode(value) == data, "not the one spelling"
    return value


# ---- ECDSA P-256, from FIPS 186-5 ----

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    out = None
    while k:
        if k & 1:
            out = add(out, point)
        point, k = add(point, point), k >> 1
    return out


def verify(key, label, message, signature):
    assert len(key) == 65 and key[0] == 4
    point = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    assert (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - B) % P == 0
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert 0 < r < N and 0 < s <= N // 2, "s is high"
    digest = int.from_bytes(sha(label, sha(message)), "big")
    w = pow(s, -1, N)
    at = add(times(digest * w % N, G), times(r * w % N, point))
    assert at is not None and at[0] % N == r, "the signature is wrong"


# ---- the formats ----

def reader_id(info):
    """From [name, verify key, wrap key] or [verify key, wrap key, locate, capsule]."""
    keys = info[1:3] if isinstance(info[0], str) else info[0:2]
    return sha(b"holdfast/v1/reader-id", encode(keys))


def load(name):
    with open(os.path.join(HERE, name + ".hex"), encoding="ascii") as file:
        return bytes.fromhex(file.read().replace("\n", ""))


def admitted(label, fields, info, signature):
    verify(info[1], label, encode(fields + [reader_id(info)]), signature)


def main():
    out, heads, keys, members, recovery = [], [], {}, set(), None
    circle, prev, epoch = None, bytes(32), 0
    for seq, name in enumerate(STATEMENTS):
        data = load(name)
        statement, signature, cosignatures = decode(data)
        label, suite, of, number, before, _, kind, signer, body = decode(statement)
        body = decode(body)
        assert (label, suite, number, before) == ("holdfast/v1/statement", 1, seq, prev)
        if kind == 1:
            device = body[0]
            circle = sha(b"holdfast/v1/circle-id", encode([device, body[1]]))
            keys[reader_id(device)] = device[1]
            members.add(reader_id(device))
        assert of == circle
        assert (signer == recovery) if kind == 12 else (signer in members)
        verify(keys[signer], b"holdfast/v1/statement/sig", statement, signature)
        for who, second in cosignatures:
            assert who != signer and (who in members or who == recovery)
            verify(keys[who], b"holdfast/v1/statement/cosig", statement, second)
        if kind == 2:
            admitted(b"holdfast/v1/admission/countersign", [circle, body[1]], body[0], body[2])
            keys[reader_id(body[0])] = body[0][1]
            members.add(reader_id(body[0]))
        if kind == 3:
            members -= set(body[0])
        if kind == 8:
            recovery = reader_id(body[0])
            keys[recovery] = body[0][0]
        if kind == 12:
            admitted(b"holdfast/v1/recovery/countersign", [circle, prev], body[0], body[1])
            keys[reader_id(body[0])] = body[0][1]
            members = set(body[2]) | {reader_id(body[0])}
        if kind != 7:
            epoch, _, blobs, _ = body[-1]
        prev = sha(b"holdfast/v1/statement/head", data)
        heads.append(prev)
        readers = sorted(members | ({recovery} if recovery else set()))
        out += [(name, "circle", circle.hex()), (name, "head", prev.hex()),
                (name, "epoch", str(epoch)),
                (name, "readers", ",".join(reader.hex() for reader in readers))]
        if kind != 7:
            out.append((name, "blobs", ",".join(blob.hex() for blob in blobs)))
    before = bytes(32)
    forgotten, dropped = set(), set()
    for number, name in enumerate(RECORDS, 1):
        data = load(name)
        record, signature = decode(data)
        fields = decode(record)
        assert fields[:3] == ["holdfast/v1/record", 1, circle]
        assert fields[4] == number and fields[5] == before
        assert fields[7] == heads[fields[6]]
        verify(keys[fields[11]], b"holdfast/v1/record/sig", record, signature)
        before = sha(b"holdfast/v1/record/head", data)
        out += [(name, "n", str(number)), (name, "head", before.hex())]
        kind, snapshot, forgets, drops, keeps = fields[10], fields[12], *fields[15:18]
        assert (kind == 1) == (snapshot is not None)
        assert all(part == sorted(set(part)) for part in (forgets, drops, keeps))
        assert (not forgets or kind in (2, 5)) and (not drops or kind == 4) and (not keeps or kind == 5)
        assert all(0 < n < number for n in forgets)
        forgotten = forgotten - set(forgets) if kind == 5 else forgotten | set(forgets)
        dropped = (dropped | set(drops)) - set(keeps)
    out.append((RECORDS[-1], "dropped", "".join(pack.hex() for pack in sorted(dropped))))
    assert not forgotten
    text = "".join(" ".join(line) + "\n" for line in out)
    if sys.argv[1:] == ["--check"]:
        with open(os.path.join(HERE, "expected.txt"), encoding="ascii") as file:
            if file.read() != text:
                sys.exit("expected.txt says otherwise")
    else:
        sys.stdout.write(text)


main()
