"""compare: barq, the bare epoll loop, and the peers: the same routes, in the same run.

    ./dev bench                           barq and the bare epoll loop, one worker
    ./dev bench --routes json,db --rounds 1 --seconds 1
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
import sys

import load
import plot
import report
import servers
import stalls

RESULTS = os.path.join(servers.BUILD, "results")


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n")[0])
    parser.add_argument("which", nargs="?", choices=["peers"])
    parser.add_argument("--servers", help="of " + ", ".join([*servers.STARTERS, "ceiling"]))
    parser.add_argument("--routes", default=",".join(r.name for r in load.ROUTES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--workers", help="1, 2, or 1,2")
    parser.add_argument("--stalls", action="store_true")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="tables for bench/README.md")
    options = parser.parse_args()
    peers = options.which == "peers"
    every = [*servers.STARTERS, "ceiling"]
    named = (options.servers or ",".join(every if peers else ["barq", "ceiling"])).split(",")
    if set(named) - set(every):
        parser.error(f"the servers are {', '.join(every)}")
    options.ceiling = "ceiling" in named
    options.servers = [name for name in named if name != "ceiling"]
    options.routes = choose_routes(options.routes.split(","), parser)
    options.workers = [int(w) for w in (options.workers or ("1,2" if peers else "1")).split(",")]
    return options


def choose_routes(names, parser):
    known = {route.name: route for route in load.ROUTES}
    if set(names) - set(known):
        parser.error(f"the routes are {', '.join(known)}")
    return [known[name] for name in names]


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":")[1].strip() for l in f if l.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"


def say(text):
    print(text, file=sys.stderr, flush=True)


def show(rows, options):
    print((report.as_markdown if options.markdown else report.as_text)(rows), flush=True)


def speed(workers, options):
    """Interleaved: each round asks every server for every route once."""
    one = workers == 1
    running = [servers.STARTERS[name](workers, "0" if one else None) for name in options.servers]
    ceilings = {}
    try:
        for route in options.routes:
            for server in running:
                answer = route.check(server.port, server.name)
                if one and options.ceiling and server.name == "barq" and route.has_ceiling:
                    ceilings[route.name] = [servers.start_ceiling(route.name, answer, "0")]
        asked = {route: running + ceilings.get(route.name, []) for route in options.routes}
        results = {route.name: {s.name: [] for s in asked[route]} for route in options.routes}
        for number in range(options.rounds):
            say(f"{workers} worker(s), round {number + 1} of {options.rounds}")
            for route in options.routes:
                connections = None if one or route.connections < 64 else 256
                for server in asked[route]:
                    results[route.name][server.name].append(load.measure(
                        server, route, options.seconds, connections, "1" if one else None))
        memory = {s.name: s.memory() for s in running}
    finally:
        for server in running + [s for several in ceilings.values() for s in several]:
            server.stop()
    return results, memory


def compare_speed(options):
    found = {"machine": machine(), "versions": {}, "workers": {}}
    for workers in options.workers:
        results, memory = speed(workers, options)
        found["workers"][workers] = {"routes": results, "memory_kib": memory}
        print(f"\n{workers} worker{'s' if workers > 1 else ''}; {machine()}")
        show(report.speed_rows(results), options)
        show([["server", "memory after load"]] +
             [[report.NAMES.get(n, n), f"{kib / 1024:.1f} MiB"] for n, kib in memory.items()],
             options)
    if len(options.workers) == 2:
        show_scaling(found["workers"], options)
    found["versions"] = {name: servers.version_of(name) for name in options.servers}
    print("\n" + "; ".join(found["versions"].values()))
    with open(RESULTS + ".json", "w") as f:
        json.dump(found, f, indent=1)
    if 1 in options.workers:
        with open(RESULTS + ".svg", "w") as f:
            f.write(plot.draw(found["workers"][1]["routes"],
                              f"Requests per second, one worker; {machine()}"))
        say(f"results are in {RESULTS}.json and .svg")


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
    rows = [["others", "server", "p50 ms", "p99 ms", "longest ms", "answers"]]
    for what, path, holders in STALLS:
        for name, start in starts.items():
            say(f"{what}: {name}")
            server = start()
            try:
                m = stalls.measure(server, path, holders, options.seconds * options.rounds)
            finally:
                server.stop()
            rows.append([what, report.NAMES.get(name, name), f"{m['p50_ms']:.2f}",
                         f"{m['p99_ms']:.2f}", f"{m['max_ms']:.1f}", f"{m['answers']:,}"])
    print(f"/json on 64 connections, 2 workers; {machine()}")
    show(rows, options)


def compare_idle(options):
    rows = [["server", "first answer ms", "memory", "10,000 idle connections add"]]
    for name in options.servers:
        server = servers.STARTERS[name](1, "0")
        try:
            at_rest = server.memory()
            idle = load.idle_memory(server, 9000) * 10 / 9
        finally:
            server.stop()
        rows.append([report.NAMES[name], f"{server.ready * 1000:.0f}", f"{at_rest / 1024:.1f} MiB",
                     f"{idle / 1024:.1f} MiB"])
    print(machine())
    show(rows, options)


def main():
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
