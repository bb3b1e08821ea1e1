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
              "09-recover", "10-policy_ack"]
LEVELS = ["level-0-genesis", "level-1-set_vault", "level-2-set_recovery", "level-3-set_level",
          "level-4-propose", "level-5-cancel", "level-6-set_level-back", "level-7-assist"]
RECORDS = ["home-1", "home-2", "home-3-forget", "home-4-prune", "home-5-undo",
           "home-6-rekey"]


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


# ---- Ed25519, from RFC 8032 section 5.1 ----

EP = 2**255 - 19
EL = 2**252 + 27742317777372353535851937790883648493
ED = -121665 * pow(121666, -1, EP) % EP


def edwards_add(a, b):
    product = ED * a[0] * b[0] * a[1] * b[1] % EP
    return ((a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, EP) % EP,
            (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, EP) % EP)


def edwards_times(k, point):
    out = (0, 1)
    while k:
        if k & 1:
            out = edwards_add(out, point)
        point, k = edwards_add(point, point), k >> 1
    return out


def edwards_point(data):
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(ED * y * y + 1, -1, EP) % EP
    x = pow(square, (EP + 3) // 8, EP)
    if (x * x - square) % EP:
        x = x * pow(2, (EP - 1) // 4, EP) % EP
    assert y < EP and (x * x - square) % EP == 0, "not a point"
    return (EP - x if x & 1 != data[31] >> 7 else x), y


EB = edwards_point((4 * pow(5, -1, EP) % EP).to_bytes(32, "little"))


def verify_fleet(key, label, message, signature):
    signed = label + sha(message)
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + signed).digest(), "little") % EL
    want = edwards_add(edwards_point(signature[:32]), edwards_times(k, edwards_point(key)))
    assert s < EL and edwards_times(s, EB) == want, "the fleet's signature is wrong"


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


def custodian_id(info, circle):
    """Of [wrap key, fleet key, signature]."""
    verify_fleet(info[1], b"holdfast/v1/custodian-key", encode([circle, info[0]]), info[2])
    return sha(b"holdfast/v1/reader-id", encode([info[1], info[0]]))


class Circle:
    """One history, statement by statement; `out` gets what is expected of each."""

    def __init__(self, names):
        self.out, self.heads, self.keys, self.members = [], [], {}, set()
        self.recovery, self.custodian, self.fleet = None, None, None
        self.circle, self.prev, self.epoch = None, bytes(32), 0
        for seq, name in enumerate(names):
            self.read(seq, name)

    def signed(self, kind, signer, statement, signature):
        if kind == 13:
            assert signer == self.custodian
            verify_fleet(self.fleet, b"holdfast/v1/statement/fleet-sig", statement, signature)
            return
        assert (signer == self.recovery) if kind == 12 else (signer in self.members)
        verify(self.keys[signer], b"holdfast/v1/statement/sig", statement, signature)

    def admit(self, info):
        self.keys[reader_id(info)] = info[1]
        self.members.add(reader_id(info))

    def take(self, kind, body):
        if kind == 2:
            admitted(b"holdfast/v1/admission/countersign", [self.circle, body[1]], body[0], body[2])
            self.admit(body[0])
        if kind == 3:
            self.members -= set(body[0])
        if kind == 8:
            self.recovery = reader_id(body[0])
            self.keys[self.recovery] = body[0][0]
        if kind == 12:
            admitted(b"holdfast/v1/recovery/countersign", [self.circle, self.prev], body[0], body[1])
            self.members = set(body[2])
            self.admit(body[0])
        if kind in (1, 5):
            info = body[4] if kind == 1 else body[1]
            level = body[3] if kind == 1 else body[0]
            assert (level == 1) == (info is not None)
            self.custodian = custodian_id(info, self.circle) if info else None
            self.fleet = info[1] if info else None
        if kind == 9:
            assert (body[0] is None) != (body[1] is None)

    def read(self, seq, name):
        data = load(name)
        statement, signature, cosignatures = decode(data)
        label, suite, of, number, before, _, kind, signer, body = decode(statement)
        body = decode(body)
        assert (label, suite, number, before) == ("holdfast/v1/statement", 1, seq, self.prev)
        if kind == 1:
            self.circle = sha(b"holdfast/v1/circle-id", encode([body[0], body[1]]))
            self.admit(body[0])
        assert of == self.circle
        self.signed(kind, signer, statement, signature)
        for who, second in cosignatures:
            assert who != signer and (who in self.members or who == self.recovery)
            verify(self.keys[who], b"holdfast/v1/statement/cosig", statement, second)
        self.take(kind, body)
        with_keys = kind not in (7, 9, 11, 13, 14)
        if with_keys:
            self.epoch, _, blobs, _ = body[-1]
        self.prev = sha(b"holdfast/v1/statement/head", data)
        self.heads.append(self.prev)
        readers = sorted(self.members | ({self.recovery} if self.recovery else set()))
        self.out += [(name, "circle", self.circle.hex()), (name, "head", self.prev.hex()),
                     (name, "epoch", str(self.epoch)),
                     (name, "readers", ",".join(reader.hex() for reader in readers))]
        if self.fleet or name in LEVELS:
            self.out.append((name, "custodian", self.custodian.hex() if self.custodian else "-"))
        if with_keys:
            self.out.append((name, "blobs", ",".join(blob.hex() for blob in blobs)))


def main():
    history = Circle(STATEMENTS)
    out, circle, heads, keys = history.out, history.circle, history.heads, history.keys
    out += Circle(LEVELS).out
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
        assert (not forgets or kind in (2, 5)) and (not drops or kind in (3, 4)) and (not keeps or kind == 5)
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
