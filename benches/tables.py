"""Measures what the tables of README.md say, and writes them there.

    python benches/tables.py [--rounds R] [--seconds S] [--table NAME ...]

Needs a Rust toolchain; PyTorch and JAX, where Python finds them, are measured beside it: `pip install torch jax`. In each round every program
runs all cases once, one after another, pinned to the same processors; a table has the least time of all rounds. Let nothing else run meanwhile.
A table stands in README.md between `<!-- table: NAME -->` and `<!-- end -->`.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
README = HERE / "README.md"
PEERS = {"torch": ("PyTorch", "torch"), "compile": ("torch.compile", "torch"), "jax": ("JAX", "jax")}


def output(*command, **environment):
    done = subprocess.run(command, cwd=HERE, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine():
    """Processor, what it can do, system and versions."""
    facts = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    names = re.findall(r"model name\s*: (.*)", facts)
    features = [f for f in ("avx2", "avx512f", "amx_bf16") if re.search(rf"\b{f}\b", facts)]
    found = [f"{name} {version(name)}" for name in ("torch", "jax") if version(name)]
    processor = f"{len(names)} × {names[0]} ({', '.join(features)})" if names else platform.processor()
    rust = " ".join(output("rustc", "--version").split()[:2])
    return f"{datetime.date.today()}, {processor}, {platform.system()}, {', '.join([rust, *found])}."


def times(command, threads, seconds, cases):
    """The least microseconds of each case in one run of a program."""
    text = output(*command, "--threads", str(threads), "--seconds", str(seconds), *cases)
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {row["case"]: row["min_us"] for row in rows}


def comparison(options):
    """Wengert beside the peers, for one thread and for two."""
    output("cargo", "build", "--release", "--locked", "-p", "wengert-benches", "--bin", "workloads")
    target = json.loads(output("cargo", "metadata", "--format-version", "1", "--no-deps"))["target_directory"]
    peers = {peer: name for peer, (name, package) in PEERS.items() if version(package)}
    for peer, (name, package) in PEERS.items():
        if peer not in peers:
            print(f"{name} is left out: there is no {package} here")
    programs = {"ours": [f"{target}/release/workloads"]}
    programs |= {peer: [sys.executable, str(HERE / "peers" / "peers.py"), peer] for peer in peers}
    tables = []
    for threads in (1, 2):
        best = {}
        for round in range(options.rounds):
            for program, command in programs.items():
                print(f"{threads} threads, round {round + 1} of {options.rounds}: {program}", flush=True)
                for case, time in times(command, threads, options.seconds, options.case).items():
                    best[case, program] = min(time, best.get((case, program), float("inf")))
        heads = ["case", "Wengert", *peers.values(), "Wengert / best"]
        lines = [" | ".join(heads), "|".join(["---"] + ["---:"] * (len(heads) - 1))]
        for case in [case for case, program in best if program == "ours"]:
            ours = best[case, "ours"]
            # What was recorded once is compared with the same work.
            theirs = [best.get((case.removesuffix("_compiled"), peer)) for peer in peers]
            known = [time for time in theirs if time]
            cells = [f"{time:,.0f}" if time and time >= 1000 else f"{time:.1f}" if time else "–" for time in [ours, *theirs]]
            lines.append(" | ".join([f"`{case}`", *cells, f"**{ours / min(known):.2f}**" if known else "–"]))
        name = {1: "One thread", 2: "Two threads"}[threads]
        tables.append(f"{name}:\n\n" + "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines))
    return "\n\n".join(tables)


def roofline(_):
    """The share of the roofline of each family of kernels."""
    text = [output("cargo", "bench", "-p", "wengert-benches", "--bench", "roofline", WENGERT_THREADS=n) for n in "12"]
    return "\n\n".join(part.strip() for part in text)


def plain(bench):
    """What a bench prints, as it stands."""
    return lambda _: "```text\n" + output("cargo", "bench", "-p", "wengert-benches", "--bench", bench).strip() + "\n```"


TABLES = {"comparison": comparison, "roofline": roofline, "growth": plain("growth"), "recurrent": plain("recurrent")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--table", action="append", choices=list(TABLES), help="only this one")
    parser.add_argument("--case", action="append", default=[], help="only this case of the comparison")
    options = parser.parse_args()
    for name in options.table or TABLES:
        table = f"{machine()}\n\n{TABLES[name](options)}"
        text = README.read_text()
        place = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.S)
        if not place.search(text):
            sys.exit(f"README.md has no place for the table {name}")
        README.write_text(place.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text))
        print(table)


if __name__ == "__main__":
    main()
