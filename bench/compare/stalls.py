"""stalls.py: what handlers that do not wait do to everybody else.

Some clients keep asking for a handler that holds its worker, one request after the other. Meanwhile
another asks for /json on 64 keep-alive connections, a request a millisecond, whether the earlier ones
have been answered or not: what is stuck is seen as what it is, and does not slow the asking down.
"""
import select
import socket
import threading
import time

from servers import format_request, read_answer

CONNECTIONS = 64
INTERVAL = 0.001
PATIENCE = 10


def hold(port, path, until):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        while time.monotonic() < until:
            s.sendall(format_request(path))
            read_answer(s)


class Asker:
    """The 64 connections: which are free, and how long the others have been waiting."""

    def __init__(self, port):
        self.poll = select.epoll()
        self.sockets, self.sent = {}, {}
        self.latencies = []
        for _ in range(CONNECTIONS):
            s = socket.create_connection(("127.0.0.1", port), PATIENCE)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[s.fileno()] = s
            self.poll.register(s.fileno(), select.EPOLLIN)
        self.free = list(self.sockets)
        self.request = format_request("/json")

    def ask(self, now):
        fd = self.free.pop(0)
        self.sent[fd] = now
        self.sockets[fd].sendall(self.request)

    def receive(self, timeout):
        for fd, _ in self.poll.poll(timeout):
            head, _, _ = read_answer(self.sockets[fd])
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"bench: /json is answered with {head[:40]}")
            self.latencies.append(time.monotonic() - self.sent.pop(fd))
            self.free.append(fd)

    def run(self, until):
        due = time.monotonic()
        while (now := time.monotonic()) < until:
            if now >= due and self.free:
                self.ask(now)
                due += INTERVAL
                if due < now:
                    due = now # it is the server's turn, not ours to catch up
            self.receive(max(0, min(due - time.monotonic(), INTERVAL)) if self.free else INTERVAL)
        while self.sent and time.monotonic() < until + PATIENCE:
            self.receive(0.1)
        return sorted(self.latencies + [PATIENCE] * len(self.sent))


def quantile(sorted_values, q):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * q))]


def measure(server, path, holders, seconds):
    """Milliseconds: p50, p99 and the longest; and the answers."""
    # Those who hold come first: what they hold has its place when the others come.
    until = time.monotonic() + seconds + 1
    threads = [threading.Thread(target=hold, args=(server.port, path, until)) for _ in range(holders)]
    asker = Asker(server.port)
    for thread in threads:
        thread.start()
    time.sleep(1) # the first moments are the start-up's: standby workers, compiled code
    latencies = asker.run(until)
    for thread in threads:
        thread.join()
    return {"p50_ms": quantile(latencies, 0.5) * 1000, "p99_ms": quantile(latencies, 0.99) * 1000,
            "max_ms": latencies[-1] * 1000, "answers": len(latencies)}
