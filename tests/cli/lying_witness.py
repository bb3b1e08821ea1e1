#!/usr/bin/env python3
"""A witness that answers a log wrongly, over TLS with the key of an honest one beside it.

  lying_witness.py HONEST-FOLDER HONEST-URL NAME LIE     prints its policy line, then serves

LIE: garbage   a line that is no signature
     relay     the honest witness's cosignature, as its own
     stale     the first cosignature that the honest witness ever gave, for every checkpoint
     huge      "I have seen 2^63 - 1 entries"
     other     a status that the text does not know
     drip      a byte a second, without end
     silent    takes the connection, and says nothing, not even of TLS"""
import base64
import hashlib
import http.server
import json
import os
import socket
import ssl
import sys
import time
import urllib.request

folder, honest, name, lie = sys.argv[1:]
first = []
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ask_honest(body):
    request = urllib.request.Request(honest + "/add-checkpoint", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers["Content-Type"], answer.read()


class Liar(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, kind, answer = 200, "text/plain", b""
        if lie == "garbage":
            answer = f"\u2014 {name} AAAA\n".encode()
        elif lie == "huge":
            status, kind, answer = 409, "text/x.tlog.size", b"9223372036854775807\n"
        elif lie == "other":
            status, answer = 451, b"no\n"
        elif lie == "drip":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                time.sleep(1)
        else:
            status, kind, answer = ask_honest(body)
            if lie == "stale" and status == 200:
                first.append(answer)
                answer = first[0]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


# A verifier key of its own name (tlog-cosignature); "relay" and "stale" answer under another's.
key = hashlib.sha256(name.encode()).digest()
if lie in ("relay", "stale"):
    with open(os.path.join(folder, "announced"), encoding="utf-8") as file:
        key = base64.b64decode(json.loads(file.readline())["key"].split("+", 2)[2])[1:]
    if lie == "relay":
        key = hashlib.sha256(name.encode()).digest()
key_id = hashlib.sha256(name.encode() + b"\n\x04" + key).digest()[:4].hex()
verifier = f"{name}+{key_id}+{base64.b64encode(bytes([4]) + key).decode()}"

with open(os.path.join(folder, "announced"), encoding="utf-8") as file:
    pin = json.loads(file.readline())["fingerprint"]
if lie == "silent":
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
else:
    server = Server(("127.0.0.1", 0), Liar)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key"))
    server.socket = own.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    port = server.server_port
print(f"witness {verifier} https://127.0.0.1:{port} {pin}", flush=True)
if lie == "silent":
    kept = []
    while True:
        kept.append(listener.accept())
server.serve_forever()
