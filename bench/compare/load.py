"""load.py: what is asked of every server, whether the answers are right, and how fast they come."""
import json
import math
import os
import re
import resource
import socket
import subprocess

from servers import BUILD, ROOT, format_request, read_answer, request

ITEM = json.dumps({"name": "Widget", "price": 9.99, "quantity": 3, "tags": ["a", "b", "c"],
                   "dimensions": {"w": 1.5, "h": 2.5}}, separators=(",", ":"))

NESTED = {"message": "Hello, World!", "items": [{"id": i, "value": i * 10} for i in range(1, 21)],
          "nested": {"level1": {"level2": {"level3": "deep"}}}}


def is_users(answer):
    """Ten users in a row."""
    first = answer[0]["id"]
    return answer == [{"id": i, "name": f"User {i}", "email": f"user{i}@example.com"}
                      for i in range(first, first + 10)]


LEARNERS = 32  # connections: the kernel spreads them over a server's workers at random


class Route:
    """A request, and what is right as its answer: a value, or a function that tells."""

    def __init__(self, name, path, right, body=None, status=200, connections=64, pipelined=1,
                 bodies=1):
        self.name, self.path, self.right, self.body, self.status = name, path, right, body, status
        self.connections, self.pipelined = connections, pipelined
        self.bodies = bodies  # different ones that are right
        self.has_ceiling = name not in ("db", "cpu")  # one answer, and little work for it

    def message(self, _number):
        """The bytes of the so-manieth request."""
        return format_request(self.path, self.body)

    def look_at(self, status, body, who):
        answer = body.decode() if self.path == "/plaintext" else json.loads(body)
        right = self.right(answer) if callable(self.right) else answer == self.right
        if status != self.status or not right:
            raise SystemExit(f"bench: {who} answers {self.path} with {status}: {body[:300]}")

    def check(self, port, who):
        """Gives the answer's bytes."""
        status, body, whole = request(port, self.path, self.body)
        self.look_at(status, body, who)
        return whole

    def learn(self, port, who):
        """Asks until every body has come that the server may send, looks at each, and writes them
        to a file for the client, which compares every answer with them. Workers may each have an
        order of their own for an object's names. Gives the file's path."""
        # At random it takes n * ln n questions until all of n have come, on average.
        questions = 1 if self.bodies == 1 else math.ceil(self.bodies * 40 / LEARNERS)
        found = set()
        for _ in range(LEARNERS):
            with socket.create_connection(("127.0.0.1", port), 10) as s:
                for _ in range(questions):
                    s.sendall(format_request(self.path, self.body))
                    head, body, _ = read_answer(s)
                    if body not in found:
                        self.look_at(int(head.split()[1]), body, who)
                    found.add(body)
        path = os.path.join(BUILD, f"{re.sub('[^a-z]+', '-', who)}-{self.name}.bodies")
        with open(path, "wb") as f:
            f.write(b"".join(body + b"\n" for body in sorted(found)))
        return path


def check_refusal(port, who):
    """Validation is measured too: an item that the schema does not allow is not taken."""
    status, body, _ = request(port, "/items", '{"name":"Widget","price":-1}')
    if not 400 <= status <= 499:
        raise SystemExit(f"bench: {who} answers a wrong item with {status}: {body[:300]}")


ROUTES = [
    Route("plaintext", "/plaintext", "Hello, World!"),
    Route("hello", "/hello", {"message": "Hello, World!"}),
    Route("json", "/json", NESTED),
    Route("item", "/items/42", {"id": 42, "name": "Item 42", "price": 63}),
    Route("create", "/items", json.loads(ITEM), ITEM, 201),
    Route("db", "/db", is_users, bodies=91),
    Route("cpu", "/cpu", {"total": 333338333350000}, connections=4),
    Route("pipelined", "/plaintext", "Hello, World!", pipelined=16),
]


def measure(server, route, bodies, seconds, workers):
    """Asks one server for one route: a dictionary of figures. With one worker the client has core 1
    for itself; with two everybody shares both."""
    one = workers == 1
    client = [os.path.join(ROOT, "build", "release", "bench-load"), server.port,
              route.connections * (1 if one else 4), route.pipelined, 1 if one else 2,
              int(seconds * 1000), bodies]
    if one:
        client = ["taskset", "-c", "1"] + client
    before = server.cpu()
    done = subprocess.run([str(word) for word in client], capture_output=True, check=False,
                          input=format_request(route.path, route.body))
    after = server.cpu()
    if done.returncode != 0:
        raise SystemExit(f"bench: {server.name} {route.path}: {done.stderr.decode()}")
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout.decode())}
    answers, ns = found["answers"], found["ns"]
    user, system, exact = (b - a for a, b in zip(before, after))
    share = user / (user + system) if user + system else 0
    return {"rps": answers / ns * 1e9, "p50_us": found["p50"] / 1000, "p99_us": found["p99"] / 1000,
            "max_us": found["max"] / 1000, "user_us": exact / answers * 1e6 * share,
            "system_us": exact / answers * 1e6 * (1 - share), "memory_kib": server.memory(),
            "server_busy": exact / ns * 1e9, "client_busy": found["client"] / ns / (1 if one else 2)}


def raise_files_limit(count):
    """For this client and for the servers that it starts from here on."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise SystemExit(f"bench: {count} open files are needed, and {most} allowed: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


def idle_memory(server, count):
    """KiB that so many idle connections, each of which has asked once, add to a server."""
    before = server.memory()
    connections = []
    try:
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", server.port), 10)
            connections.append(s)
            s.sendall(format_request("/plaintext"))
            read_answer(s)
        return server.memory() - before
    finally:
        for s in connections:
            s.close()
