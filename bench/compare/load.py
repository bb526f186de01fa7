"""load.py: what is asked of every server, whether the answers are right, and how fast they come."""
import json
import os
import socket
import subprocess

from servers import ROOT, format_request, read_answer, request

ITEM = json.dumps({"name": "Widget", "price": 9.99, "quantity": 3, "tags": ["a", "b", "c"],
                   "dimensions": {"w": 1.5, "h": 2.5}}, separators=(",", ":"))

NESTED = {"message": "Hello, World!", "items": [{"id": i, "value": i * 10} for i in range(1, 21)],
          "nested": {"level1": {"level2": {"level3": "deep"}}}}


def is_users(answer):
    """Ten users in a row."""
    first = answer[0]["id"]
    return answer == [{"id": i, "name": f"User {i}", "email": f"user{i}@example.com"}
                      for i in range(first, first + 10)]


class Route:
    """A request, and what is right as its answer: a value, or a function that tells."""

    def __init__(self, name, path, right, body=None, status=200, connections=64, pipelined=1):
        self.name, self.path, self.right, self.body, self.status = name, path, right, body, status
        self.connections, self.pipelined = connections, pipelined
        self.has_ceiling = name not in ("db", "cpu")  # one answer, and little work for it

    def check(self, port, who):
        """Gives the answer's bytes."""
        status, body, whole = request(port, self.path, self.body)
        answer = body.decode() if self.path == "/plaintext" else json.loads(body)
        right = self.right(answer) if callable(self.right) else answer == self.right
        if status != self.status or not right:
            raise SystemExit(f"bench: {who} answers {self.path} with {status}: {body[:300]}")
        return whole


ROUTES = [
    Route("plaintext", "/plaintext", "Hello, World!"),
    Route("hello", "/hello", {"message": "Hello, World!"}),
    Route("json", "/json", NESTED),
    Route("item", "/items/42", {"id": 42, "name": "Item 42", "price": 63}),
    Route("create", "/items", json.loads(ITEM), ITEM, 201),
    Route("db", "/db", is_users),
    Route("cpu", "/cpu", {"total": 333338333350000}, connections=4),
    Route("pipelined", "/plaintext", "Hello, World!", pipelined=16),
]


def measure(server, route, seconds, connections=None, core="1"):
    """Asks one server for one route: a dictionary of figures."""
    wrk = ["wrk", "-t", "1", "-c", str(connections or route.connections), "-d", f"{seconds}s", "-s",
           os.path.join(ROOT, "bench", "wrk.lua"), f"http://127.0.0.1:{server.port}{route.path}"]
    if route.body or route.pipelined > 1:
        wrk += ["--", route.body or "", str(route.pipelined)]
    if core:
        wrk = ["taskset", "-c", core] + wrk
    before = server.cpu()
    done = subprocess.run(wrk, capture_output=True, text=True, check=False)
    after = server.cpu()
    result = next((l for l in done.stdout.splitlines() if l.startswith("result ")), None)
    if not result:
        raise SystemExit(f"bench: wrk failed on {server.name}: {done.stdout}{done.stderr}")
    requests, duration_us, p50, p99, errors = (int(x) for x in result.split()[1:])
    if errors or requests == 0:
        raise SystemExit(f"bench: {server.name} {route.path}: {errors} errors, {requests} answers")
    user, system, exact = (b - a for a, b in zip(before, after))
    share = user / (user + system) if user + system else 0
    return {"rps": requests / duration_us * 1e6, "p50_us": p50, "p99_us": p99,
            "user_us": exact / requests * 1e6 * share,
            "system_us": exact / requests * 1e6 * (1 - share)}


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
