"""instructions.py: what one request costs barq-server in user space, counted by callgrind.

A request on a keep-alive connection, one after the other (or 16, pipelined), of a warm server.
Figures do not depend on the machine's pace; the kernel's part is not in them. What Lua compiled is
counted like everything else. The collector runs once in some hundred requests, and its share is in
the figures: hence many.

    ./dev bench instructions [ROUTE…]     counts
    ./dev bench instructions --check      fails where a route costs over 5 % more than is written down
    ./dev bench instructions --update     writes the counts down, in bench/instructions.txt
"""
import argparse
import glob
import hashlib
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import load
import servers

BASELINE = os.path.join(servers.ROOT, "bench", "instructions.txt")
WARM, COUNTED = 2000, 4000
GROWTH_MAX = 0.05


class Browser(load.Route):
    """What a browser sends, behind a proxy that names requests; no two of its heads are alike, so
    that nothing is won here by remembering one."""

    def __init__(self):
        super().__init__("browser", "/items/42", lambda item: item == {
            "id": item["id"], "name": f"Item {item['id']}", "price": item["id"] * 1.5})

    def message(self, number):
        mark = hashlib.sha256(str(number).encode()).hexdigest()
        return "\r\n".join([
            f"GET /items/{1 + number % 997} HTTP/1.1",
            "Host: shop.example.com",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Safari/537.36",
            "Accept: application/json, text/plain, */*",
            "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Referer: https://shop.example.com/items?page=2&sort=price",
            'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
            "sec-ch-ua-mobile: ?0",
            'sec-ch-ua-platform: "Linux"',
            "Sec-Fetch-Dest: empty",
            "Sec-Fetch-Mode: cors",
            "Sec-Fetch-Site: same-origin",
            "Connection: keep-alive",
            f"Cookie: session={mark[:40]}; theme=dark; seen={number}",
            f"X-Request-Id: {mark[-32:]}",
            "", ""]).encode()


ROUTES = [route for route in load.ROUTES if route.name != "cpu"] + [Browser()]


# libc picks its memcpy and the like by the processor; without these it takes what all of x86-64 have,
# so that counts of different machines can be compared.
COMMON_LIBC = "glibc.cpu.hwcaps=-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI1,-BMI2,-ERMS,-FSRM"


class Callgrind(servers.Server):
    """barq-server under callgrind, which counts when it is told to. Without address space
    randomisation, so that the same is counted each time."""

    def __init__(self, folder):
        self.folder = folder
        port = servers.free_port()
        binary = os.path.join(servers.ROOT, "build", "release", "barq-server")
        super().__init__("callgrind", [
            "setarch", "--addr-no-randomize", "valgrind", "--tool=callgrind",
            f"--callgrind-out-file={folder}/out", binary, "apps/bench/app.lua", "--workers", "1",
            "--no-adoption", "--port", str(port)], port, cwd=servers.ROOT,
            env={"GLIBC_TUNABLES": COMMON_LIBC})

    def control(self, what):
        subprocess.run(["callgrind_control", what, str(self.process.pid)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def counted(self):
        """Since the last time that it was told to begin."""
        self.control("--dump")
        dump = max(glob.glob(f"{self.folder}/out.*"), key=lambda p: int(p.rsplit(".", 1)[1]))
        with open(dump) as f:
            return int(re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M).group(1))


def ask(connection, route, first, count):
    """So many requests from that number on, in groups of so many as the route says."""
    for number in range(first, first + count, route.pipelined):
        group = range(number, number + route.pipelined)
        connection.sendall(b"".join(route.message(n) for n in group))
        rest = b""
        for _ in group:
            head, body, rest = servers.read_answer(connection, rest)
            route.look_at(int(head.split()[1]), body, "callgrind")


def count(server, route):
    route.check(server.port, server.name)
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        ask(connection, route, 0, WARM)
        server.control("--zero")
        ask(connection, route, WARM, COUNTED)
    return round(server.counted() / COUNTED)


def count_all(routes):
    os.makedirs(servers.BUILD, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="barq-callgrind-")
    try:
        server = Callgrind(folder)
        try:
            return {route.name: count(server, route) for route in routes}
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_baseline():
    with open(BASELINE) as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("#")]
    return {name: int(number) for name, number in lines}


def write_baseline(counts):
    with open(BASELINE, "w") as f:
        f.write("# Instructions per request: ./dev bench instructions --update\n")
        for name, number in counts.items():
            f.write(f"{name} {number}\n")


def check(counts):
    """TAP: a test for each route."""
    baseline = read_baseline()
    print(f"1..{len(counts)}")
    for i, (name, number) in enumerate(counts.items(), 1):
        before = baseline.get(name)
        fine = before is not None and number <= before * (1 + GROWTH_MAX)
        print(f"{'ok' if fine else 'not ok'} {i} - {name} takes {number:,} instructions")
        if not fine:
            print(f"# {before:,} are written down in bench/instructions.txt, and 5 % more are "
                  "allowed.\n# If it has to be: ./dev bench instructions --update" if before else
                  "# Nothing is written down for it: ./dev bench instructions --update")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench instructions",
                                     description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("routes", nargs="*", metavar="ROUTE")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    known = {route.name: route for route in ROUTES}
    if options.check and platform.machine() != "x86_64":
        print("1..1\nok 1 - instructions are counted for x86-64 # SKIP")
        return
    if set(options.routes) - set(known):
        parser.error(f"the routes are {', '.join(known)}")
    counts = count_all([known[name] for name in options.routes] or ROUTES)
    if options.check:
        check(counts)
        return
    for name, number in counts.items():
        print(f"{name:10} {number:10,}")
    if options.update:
        write_baseline({**(read_baseline() if os.path.exists(BASELINE) else {}), **counts})


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
