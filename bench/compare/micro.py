"""micro.py: the parts of barq that a request passes, each alone: bench/micro.c.

    ./dev bench micro

Nanoseconds are the fastest of some batches; instructions are callgrind's, from the difference of two
runs of different lengths; MB/s are of JSON text, read or written.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import report
import servers

PROGRAM = os.path.join(servers.ROOT, "build", "release", "bench-micro")
FEW, MANY = 100, 400
SECONDS_MAX = 120


def measured():
    """A list of name, nanoseconds and bytes of a call."""
    done = subprocess.run([PROGRAM], capture_output=True, text=True, check=True,
                          timeout=SECONDS_MAX)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(name, float(ns), int(size)) for name, ns, size in rows]


def counted(name, calls):
    """Instructions of a whole run of that many calls."""
    with tempfile.TemporaryDirectory(prefix="barq-callgrind-") as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", PROGRAM, name,
             str(calls)], capture_output=True, text=True, check=True, timeout=SECONDS_MAX)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def main():
    parser = argparse.ArgumentParser(prog="./dev bench micro", description=__doc__.split("\n")[0])
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    rows = [["part", "ns", "instructions", "MB/s"]]
    for name, ns, size in measured():
        print(name, file=sys.stderr, flush=True)
        instructions = (counted(name, MANY) - counted(name, FEW)) / (MANY - FEW)
        rows.append([name, f"{ns:,.1f}", f"{instructions:,.0f}",
                     f"{size * 1000 / ns:,.0f}" if size else "–"])
    print((report.as_markdown if options.markdown else report.as_text)(rows))


if __name__ == "__main__":
    main()
