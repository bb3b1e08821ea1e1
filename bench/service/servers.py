"""The servers that are measured: holdfastd, the service without TLS, and nginx."""
import glob
import json
import os
import subprocess
import time


class Server:
    """A process, where it listens and whose CPU time counts."""

    def __init__(self, name, process, port, tls):
        self.name, self.process, self.port, self.tls = name, process, str(port), tls

    def pids(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path) as children:
            return [str(self.process.pid)] + children.read().split()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def quiet_start(arguments, log):
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True)


def json_line(process, name):
    """The first line that is an object; the start-up has ended then."""
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise SystemExit(f"{name} did not start; see the log in the work folder")


def start_holdfastd(bench, data, metrics=""):
    """With a key of its own in `data`, for whoever comes."""
    arguments = [bench.holdfastd, "serve", "--data", data, "--listen", "127.0.0.1:0",
                 "--metrics-listen", metrics, "--signup", "open", "--signups-per-address", "1000000", "--json"]
    process = quiet_start(arguments, bench.log)
    told = json_line(process, "holdfastd")
    server = Server("holdfastd", process, told["url"].rsplit(":", 1)[1], True)
    server.pin = told["fingerprint"]
    return server


def start_plain(bench, data):
    process = quiet_start([bench.program, "serve-plain", "--data", data], bench.log)
    told = json_line(process, "the plain service")
    server = Server("plain", process, told["port"], False)
    server.pin = told["fingerprint"]
    return server


NGINX = """
daemon off;
worker_processes {cores};
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_max_body_size 64m;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/t1; uwsgi_temp_path {folder}/t2; scgi_temp_path {folder}/t3;
  proxy_temp_path {folder}/t4;
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate {key}/tls.crt;
    ssl_certificate_key {key}/tls.key;
    root {folder}/root;
    location / {{ dav_methods PUT; }}
  }}
}}
"""


def start_nginx(bench, folder, key, port, tls_port):
    """`key`: a folder with the very key and certificate that holdfastd uses."""
    os.makedirs(f"{folder}/root/v1/packs")
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write("user root;\n" if os.geteuid() == 0 else "")
        file.write(NGINX.format(cores=os.cpu_count(), folder=folder, key=key, port=port,
                                tls_port=tls_port))
    process = quiet_start([bench.nginx, "-p", folder, "-e", f"{folder}/error.log", "-c",
                           f"{folder}/nginx.conf"], bench.log)
    time.sleep(1)
    if process.poll() is not None:
        raise SystemExit(f"nginx did not start; see {folder}/error.log")
    return Server("nginx", process, port, False), Server("nginx", process, tls_port, True)


def drop_bodies(*folders):
    """What was stored, so that the disk stays small. Rows stay: the service heals a lost pack."""
    for folder in folders:
        for path in glob.glob(f"{folder}/**/*", recursive=True):
            if os.path.isfile(path):
                os.unlink(path)
