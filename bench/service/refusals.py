"""Does the time of a refusal tell a stranger which accounts exist?

  refusals.py BIN [ACCOUNTS]

Makes accounts at a holdfastd of BIN, starts it anew so that none of them is in memory, and asks for
each with a proof that does not hold, between names that nobody has. Prints, for accounts not yet and
already in memory, the median times and the probability that a refusal of an account took longer than
one of no account (0.5: it tells nothing).
"""
import hashlib, json, os, random, shutil, socket, ssl, statistics, subprocess, sys, tempfile, time


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    size = next(s for s in (1, 2, 4, 8) if n < 1 << 8 * s)
    return bytes([major << 5 | 24 + size.bit_length() - 1]) + n.to_bytes(size, "big")


def proof(account):
    """RequestProof of docs/formats/api.md, by nobody."""
    text = lambda s: head(3, len(s)) + s.encode()
    blob = lambda b: head(2, len(b)) + b
    return head(4, 7) + text("holdfast/v1/request-proof") + text(account) + blob(
        os.urandom(32)) + blob(hashlib.sha256(b"").digest()) + head(
            0, int(time.time() * 1000)) + blob(os.urandom(16)) + blob(os.urandom(64))


class Line:
    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def refused_after(self, account):
        request = ("GET /v1/usage HTTP/1.1\r\nHost: x\r\nAuthorization: Holdfast %s\r\n\r\n" %
                   proof(account).hex()).encode()
        began = time.perf_counter()
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        took = time.perf_counter() - began
        if not answer.startswith(b"HTTP/1.1 403"):
            sys.exit("not refused: " + repr(answer[:200]))
        return took * 1e6


def start(binary, data):
    process = subprocess.Popen(
        [binary + "/holdfastd", "serve", "--data", data, "--listen", "127.0.0.1:0", "--metrics-listen",
         "", "--signup", "open", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    told = json.loads(process.stdout.readline())
    return process, told


def longer(some, others):
    wins = sum((a > b) + 0.5 * (a == b) for a in some for b in others)
    return wins / len(some) / len(others)


def compare(line, names, what):
    there, absent = [], []
    for name in random.sample(names, len(names)):
        for kind in random.sample((0, 1), 2):
            (absent if kind else there).append(line.refused_after("nobody-" + name if kind else name))
    print("%s: account %.0f us, none %.0f us, %.2f" %
          (what, statistics.median(there), statistics.median(absent), longer(there, absent)))


def main():
    binary, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    work = tempfile.mkdtemp()
    try:
        process, told = start(binary, work + "/data")
        names = []
        for i in range(count):
            if i % 20 == 0:  # as many accounts as an address may open in a day
                process.terminate(), process.wait()
                process, told = start(binary, work + "/data")
            names.append("account%d" % i)
            subprocess.run(
                [binary + "/holdfast", "init", "--advanced", "--home", "%s/h%d" % (work, i), "--server",
                 told["url"], "--server-fingerprint", told["fingerprint"], "--unattended", "--account",
                 names[-1], "--device-name", "d", "--recovery-key-file", "%s/r%d" % (work, i)],
                check=True, stdout=subprocess.DEVNULL)
        process.terminate(), process.wait()
        process, told = start(binary, work + "/data")
        line = Line(int(told["url"].rsplit(":", 1)[1]))
        line.refused_after("somebody")
        compare(line, names, "not in memory")
        compare(line, names * 4, "in memory")
        process.terminate(), process.wait()
    finally:
        shutil.rmtree(work)


main()
