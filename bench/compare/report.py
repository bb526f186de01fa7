"""report.py: medians over the rounds, and the tables that they make."""
import statistics

NAMES = {"barq": "barq", "ceiling": "bare epoll", "llhttp": "the same, llhttp",
         "uring": "bare io_uring", "barq--loop=epoll": "barq, epoll",
         "nginx": "nginx + Lua", "elysia": "Elysia", "fastify": "Fastify", "fastapi": "FastAPI"}


def medians(samples):
    """Of a list of dictionaries."""
    return {key: statistics.median(s[key] for s in samples) for key in samples[0]}


def cpu_us(figures):
    return figures["user_us"] + figures["system_us"]


def ratio(ours, theirs, key):
    """The median of the rounds' own ratios."""
    return statistics.median(key(a) / key(b) for a, b in zip(ours, theirs))


def limited(figures):
    """A mark where the client had no time left and the server had."""
    return " *" if figures["client_busy"] > 0.95 > figures["server_busy"] else ""


def speed_rows(results):
    """results: route → server → the samples. Rows of text, the head first."""
    rows = [["route", "server", "req/s", "p50 µs", "p99 µs", "user µs", "sys µs", "MiB",
             "barq is ×", "by CPU"]]
    for route, by_server in results.items():
        for server, samples in by_server.items():
            m = medians(samples)
            row = [route, NAMES.get(server, server), f"{m['rps']:,.0f}{limited(m)}",
                   f"{m['p50_us']:,.0f}", f"{m['p99_us']:,.0f}", f"{m['user_us']:.2f}",
                   f"{m['system_us']:.2f}", f"{samples[-1]['memory_kib'] / 1024:.1f}"]
            if server == "barq" or "barq" not in by_server:
                row += ["", ""]
            else:
                ours = by_server["barq"]
                row += [f"{ratio(ours, samples, lambda s: s['rps']):.2f}",
                        f"{1 / ratio(ours, samples, cpu_us):.2f}"]
            rows.append(row)
    return rows


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) if i < 2 else cell.rjust(w)
                  for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows)


def as_markdown(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])
