"""What strangers do to a service, for strangers.sh. Each command prints what it saw, as JSON.

  proxy CERTIFICATE KEY HOST:PORT FOLDER [spoil]   a box that has the service's key: prints its port,
                                  writes what devices send into FOLDER; spoil: changes packs on their way
  replay HOST:PORT FOLDER         sends every request in FOLDER once more: how often each status came
  joins HOST:PORT COUNT [ACCOUNT] requests to join, of one account or of COUNT
  hold HOST:PORT COUNT            half-open and slow connections, until standard input ends
  odd HOST:PORT                   heads and lengths that no device sends
"""
import collections
import json
import os
import select
import socket
import ssl
import sys
import threading


def tls(checking=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = checking
    context.verify_mode = ssl.CERT_NONE
    return context


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def connect(to, source="127.0.0.2"):
    line = socket.create_connection(place(to), timeout=60, source_address=(source, 0))
    return tls().wrap_socket(line)


def status(line):
    """Of one answer, whose body is read too; 0: the connection broke."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            piece = line.recv(65536)
            if not piece:
                return 0
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = [int(row.split(b":")[1]) for row in head.lower().split(b"\r\n")
                  if row.startswith(b"content-length:")]
        while length and len(body) < length[0]:
            piece = line.recv(65536)
            if not piece:
                return 0
            body += piece
        return int(head.split(b" ")[1])
    except OSError:
        return 0


def tell(counts):
    print(json.dumps({str(name): count for name, count in sorted(counts.items())}), flush=True)


# --- a box in between

def split(data):
    """The requests in what a device sent; the last may be cut off."""
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = next((int(row.split(b":")[1]) for row in head.lower().split(b"\r\n")
                       if row.startswith(b"content-length:")), 0)
        yield head + b"\r\n\r\n" + rest[:length], length
        data = rest[length:]


def spoiled(data):
    if data.startswith(b"PUT /v1/packs/") and not data.endswith(b"\r\n\r\n"):
        return data[:-1] + bytes([data[-1] ^ 1])
    return data


def carry(device, to, folder, number, spoil):
    service = connect(to, "127.0.0.1")
    sent = b""
    pending = b""
    lines = [device, service]
    while lines:
        ready = [line for line in lines if line.pending()] or select.select(lines, [], [], 120)[0]
        for line in ready or [None]:
            data = line.recv(65536) if line else b""
            if not data:
                device.close()
                service.close()
                return
            if line is service:
                device.sendall(data)
                continue
            sent += data
            with open(os.path.join(folder, str(number)), "wb") as out:
                out.write(sent)
            if not spoil:
                service.sendall(data)
                continue
            pending += data
            whole = [(one, size) for one, size in split(pending)
                     if len(one.partition(b"\r\n\r\n")[2]) == size]
            for one, _ in whole:
                service.sendall(spoiled(one))
                pending = pending[len(one):]


def proxy(certificate, key, to, folder, spoil=""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    number = 0

    def serve(line, mine):
        try:
            carry(context.wrap_socket(line, server_side=True), to, folder, mine, spoil)
        except OSError:
            line.close()

    while True:
        line, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(line, number), daemon=True).start()


def replay(to, folder):
    counts = collections.Counter()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as recorded:
            for request, _ in split(recorded.read()):
                if b"\r\nauthorization:" not in request.lower():
                    continue
                with connect(to) as line:
                    try:
                        line.sendall(request)
                    except OSError:
                        pass  # it may be refused before its body was sent
                    counts[status(line)] += 1
    tell(counts)


# --- many of them

def joins(to, count, account=""):
    counts = collections.Counter()
    line = connect(to)
    for number in range(int(count)):
        name = (account or f"somebody{number}").encode().hex()
        head = f"PUT /v1/accounts/{name}/joins/{os.urandom(16).hex()}/request HTTP/1.1\r\n"
        line.sendall(f"{head}Host: x\r\nContent-Length: 8000\r\n\r\n".encode() + os.urandom(8000))
        answer = status(line)
        counts[answer] += 1
        if answer in (0, 429):
            line = connect(to)
    tell(counts)


def hold(to, count):
    """A third each: a bare connection, one that greets slowly, a request that never ends."""
    lines = []
    for number in range(int(count)):
        source = f"127.0.1.{1 + number % 100}"
        line = socket.create_connection(place(to), timeout=60, source_address=(source, 0))
        if number % 3 == 1:
            line.sendall(b"\x16\x03\x01")
        if number % 3 == 2:
            line = tls().wrap_socket(line)
            line.sendall(b"GET /v1/circle HTTP/1.1\r\nHost: x\r\nSlow: ")
        lines.append(line)
    print("held", flush=True)
    sys.stdin.read()


def odd(to):
    """What each odd request was answered; 0: the connection was closed."""
    name = b"me".hex().encode()
    path = b"PUT /v1/accounts/" + name + b"/joins/" + b"00" * 16 + b"/request HTTP/1.1\r\nHost: x\r\n"
    requests = {
        "head of 1 MiB": b"GET / HTTP/1.1\r\nHost: x\r\nBig: " + b"a" * (1 << 20) + b"\r\n\r\n",
        "10000 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10000 + b"\r\n",
        "no length": path + b"\r\n" + b"a" * 10,
        "two lengths": path + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "negative length": path + b"Content-Length: -1\r\n\r\n",
        "length of 2^64": path + b"Content-Length: 18446744073709551616\r\n\r\n",
        "length above the limit": path + b"Content-Length: 1000000000\r\n\r\n",
        "chunked": path + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "no HTTP": b"\x00" * 1000 + b"\r\n\r\n",
    }
    answers = {}
    for what, request in requests.items():
        with connect(to) as line:
            try:
                line.sendall(request)
            except OSError:
                pass
            answers[what] = status(line)
    with connect(to) as line:  # announces more than it sends, and goes
        line.sendall(path + b"Content-Length: 8000\r\n\r\n" + b"a" * 100)
    print(json.dumps(answers), flush=True)


{"proxy": proxy, "replay": replay, "joins": joins, "hold": hold, "odd": odd}[sys.argv[1]](*sys.argv[2:])
