"""compare: barq, the bare epoll loop, and the peers: the same routes, in the same run.

    ./dev bench                           barq and the bare epoll loop, one worker
    ./dev bench --routes json,db --rounds 1 --seconds 1
    ./dev bench --servers barq,barq-epoll,ceiling,uring
                                          with io_uring and without
    ./dev bench peers                     all of them, one worker and two
    ./dev bench peers --servers barq,nginx
    ./dev bench peers --stalls            what handlers that do not wait do to the others
    ./dev bench peers --idle              memory of 10,000 idle connections, and the start

Results go to the terminal, as a table, to build/bench/results.json, and as a plot to
build/bench/results.svg.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import sys

import load
import plot
import report
import servers
import stalls

IDLE = 10000
FILES = 20000
STARTS = 5
BARE = ["barq", "ceiling", "llhttp"]
RESULTS = os.path.join(servers.BUILD, "results")


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("which", nargs="?", choices=["peers"])
    parser.add_argument("--servers", help="of " + ", ".join([*servers.STARTERS, *servers.CEILINGS]))
    parser.add_argument("--routes", default=",".join(r.name for r in load.ROUTES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--workers", help="1, 2, or 1,2")
    parser.add_argument("--stalls", action="store_true")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="tables for bench/README.md")
    options = parser.parse_args()
    if options.rounds < 1 or not 0.01 <= options.seconds <= 3600:
        parser.error("at least one round, and 0.01 to 3600 seconds")
    peers = options.which == "peers"
    every = [*servers.STARTERS, *servers.CEILINGS]
    usual = [name for name in every if name not in servers.ASKED_FOR] if peers else BARE
    named = options.servers.split(",") if options.servers else usual
    if set(named) - set(every):
        parser.error(f"the servers are {', '.join(every)}")
    options.ceilings = [name for name in named if name in servers.CEILINGS]
    options.servers = [name for name in named if name in servers.STARTERS]
    options.routes = choose_routes(options.routes.split(","), parser)
    workers = options.workers or ("1,2" if peers else "1")
    if workers not in ("1", "2", "1,2"):
        parser.error("the workers are 1, 2 or 1,2")
    options.workers = [int(w) for w in workers.split(",")]
    return options


def choose_routes(names, parser):
    known = {route.name: route for route in load.ROUTES}
    if set(names) - set(known):
        parser.error(f"the routes are {', '.join(known)}")
    return [known[name] for name in names]


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), "?")
    linux = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} × {model}, Linux {linux}"


def say(text):
    print(text, file=sys.stderr, flush=True)


def save(results):
    """Into the file, beside what other runs have found."""
    path = RESULTS + ".json"
    found = {}
    if os.path.exists(path):
        with open(path) as f:
            found = json.load(f)
    with open(path, "w") as f:
        json.dump({**found, "machine": machine(), **results}, f, indent=1)
    say(f"written: {path}")


def show(rows, options):
    print((report.as_markdown if options.markdown else report.as_text)(rows), flush=True)


def line_up(route, running, workers, options):
    """Who is asked for a route, each with the bodies that are right from it. The ceilings send the
    very bytes that barq sends."""
    asked = list(running)
    barq = next((s for s in running if s.name == "barq"), None)
    if barq and route.has_ceiling:
        answer = route.check(barq.port, barq.name)
        asked += [servers.start_ceiling(name, route.name, answer, workers,
                                        "0" if workers == 1 else None)
                  for name in options.ceilings]
    return [(server, route.learn(server.port, server.name)) for server in asked]


def speed_of(route, running, workers, options):
    """Interleaved: each round asks every server once. The first is to warm up."""
    asked = line_up(route, running, workers, options)
    results = {server.name: [] for server, _ in asked}
    try:
        for server, bodies in asked:
            load.measure(server, route, bodies, min(options.seconds, 1), workers)
        for _ in range(options.rounds):
            for server, bodies in asked:
                results[server.name].append(
                    load.measure(server, route, bodies, options.seconds, workers))
    finally:
        for server, _ in asked:
            if server not in running:
                server.stop()
    return results


def speed(workers, options):
    running, results = [], {}
    try:
        for name in options.servers:
            running.append(servers.STARTERS[name](workers, "0" if workers == 1 else None))
            load.check_refusal(running[-1].port, name)
        for route in options.routes:
            say(f"{route.name}, {workers} worker{'s' if workers > 1 else ''}")
            results[route.name] = speed_of(route, running, workers, options)
    finally:
        for server in running:
            server.stop()
    return results


def compare_speed(options):
    found = {"versions": {}, "workers": {}}
    for workers in options.workers:
        results = speed(workers, options)
        found["workers"][workers] = {"routes": results}
        print(f"\n{workers} worker{'s' if workers > 1 else ''}; {machine()}")
        show(report.speed_rows(results), options)
    if len(options.workers) == 2:
        show_scaling(found["workers"], options)
    found["versions"] = {name: servers.version_of(name) for name in options.servers}
    print("\n* the client was the limit\n" + "; ".join(found["versions"].values()))
    save(found)
    if 1 in options.workers:
        with open(RESULTS + ".svg", "w") as f:
            f.write(plot.draw(found["workers"][1]["routes"],
                              f"Requests per second, one worker; {machine()}"))
        say(f"written: {RESULTS}.svg")


def show_scaling(by_workers, options):
    """The client shares the two cores: what is left for a second worker is not a whole one."""
    rows = [["route", "server", "one worker", "two workers", "factor"]]
    for route, by_server in by_workers[options.workers[0]]["routes"].items():
        for server, samples in by_server.items():
            one = report.medians(samples)["rps"]
            two = report.medians(by_workers[options.workers[1]]["routes"][route][server])["rps"]
            rows.append([route, report.NAMES.get(server, server), f"{one:,.0f}", f"{two:,.0f}",
                         f"{two / one:.2f}"])
    print()
    show(rows, options)


STALLS = [("one computes", "/spin?ms=500", 1), ("one is blocked in C", "/block?ms=500", 1),
          ("eight are blocked in C", "/block?ms=500", 8)]


def compare_stalls(options):
    starts = {name: (lambda start=servers.STARTERS[name]: start(2, None))
              for name in options.servers}
    if "barq" in starts:
        starts["barq --no-adoption"] = lambda: servers.start_barq(2, None, "--no-adoption")
    rows, found = [["others", "server", "p50 ms", "p99 ms", "longest ms", "answers"]], []
    for what, path, holders in STALLS:
        for name, start in starts.items():
            say(f"{what}: {name}")
            server = start()
            try:
                m = stalls.measure(server, path, holders, options.seconds * options.rounds)
            finally:
                server.stop()
            found.append({"others": what, "server": name, **m})
            rows.append([what, report.NAMES.get(name, name), f"{m['p50_ms']:.2f}",
                         f"{m['p99_ms']:.2f}", f"{m['max_ms']:.1f}", f"{m['answers']:,}"])
    print(f"/json on 64 connections, 2 workers; {machine()}")
    show(rows, options)
    save({"stalls": found})


def start_often(start):
    """The last of some starts, which runs, and the median of the seconds until their first answer."""
    times = []
    for _ in range(STARTS):
        server = start(1, "0")
        times.append(server.ready)
        if len(times) < STARTS:
            server.stop()
    return server, statistics.median(times)


def compare_idle(options):
    rows, found = [["server", "first answer ms", "memory", "10,000 idle connections add"]], {}
    load.raise_files_limit(FILES)
    for name in options.servers:
        say(f"idle: {name}")
        server, ready = start_often(servers.STARTERS[name])
        try:
            at_rest = server.memory()
            idle = load.idle_memory(server, IDLE)
        finally:
            server.stop()
        found[name] = {"first_answer_ms": ready * 1000, "memory_kib": at_rest,
                       "idle_kib": idle}
        rows.append([report.NAMES[name], f"{ready * 1000:.0f}", f"{at_rest / 1024:.1f} MiB",
                     f"{idle / 1024:.1f} MiB"])
    print(machine())
    show(rows, options)
    save({"idle": found})


def main():
    # Ended politely, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    options = parse()
    os.makedirs(servers.BUILD, exist_ok=True)
    os.chdir(servers.ROOT)
    if options.stalls:
        compare_stalls(options)
    elif options.idle:
        compare_idle(options)
    else:
        compare_speed(options)


main()
