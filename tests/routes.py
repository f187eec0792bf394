"""Every route to a gradient agrees: cells drawn at random, run in every way there is.

    python tests/routes.py --cases 100000 --seed 7 --routes numpy,recorded,numba --minutes 20
    python tests/routes.py --seed 7 --only 123           one cell again

A cell is data (``drawn_cells.py``). It runs as a recorded loop, by loops of numpy calls, as machine code, in
pieces, one op at a time forward, twice differentiated, through the ledger; and in plain numpy with
forward-mode derivatives of its own (``duals.py``). Where two differ by more than rounding can do, the cell
is made smaller as long as it shows the difference, and printed with its seed as Python.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from drawn_cells import draw_call, draw_cell, numbers_for, packed, smaller, source, valid
from drawn_routes import NAMES, whole

# ---- making smaller, printing --------------------------------------------------------------------


def shrunk(cell, call, found, seconds=60.0):
    """The smallest cell and call found that still show a difference of the same kind by the route."""
    end, kind = time.monotonic() + seconds, _kind(found)
    routes = [r for r, named in NAMES.items() if found[0] in (r, *named)]
    again = True
    while again and time.monotonic() < end:
        again = False
        for c, k in smaller(cell, call):
            if time.monotonic() > end:
                break
            if not valid(c):
                continue
            _, differences = whole(c, k, routes)
            same = [d for d in differences if _kind(d) == kind]
            if same:
                cell, call, found, again = c, k, same[0], True
                break
    return cell, call, found


def _kind(found):
    """What stays the same while a case is made smaller."""
    route, what, words = found
    if what == "raises":
        return route, what, words.split(":")[0]
    return route, what.split()[0] in ("y", "last"), "None" in words, "not finite" in words


def script(cell, call, found, seed):
    """Python that shows the difference: the cell, its arrays, the recorded loop beside the compiled."""
    arrays = numbers_for(cell, call)

    def written(a):
        with np.printoptions(precision=17, threshold=10**6):
            words = np.array2string(a, separator=", ", max_line_width=100)
        return f"np.array({words}, np.{a.dtype}).reshape({a.shape})"

    lines = [
        f"# {seed}: {': '.join(found)}",
        f"# {call}",
        "import numpy as np",
        "from numpy import inf, nan",
        "import tinygrad_rnn as tg",
        "from tinygrad_rnn import nn",
        "from tinygrad_rnn.nn import functional as F",
        "from tinygrad_rnn.ops import curves",
        "",
        source(cell, call),
        "cell = Cell()",
    ]
    for name, a in arrays.items():
        if name[0] == "w" or (name[0] == "s" and call.start == "learned"):
            lines.append(f"cell.{name} = nn.Parameter({written(a)})")
    given = [f"s{k}" for k in range(len(cell.states))] if call.start == "given" else []
    leaves = ["x", *given, *(f"c{k}" for k in range(len(cell.constants)))]
    for name in leaves:
        lines.append(
            f"{name} = tg.tensor({written(arrays[name])}, requires_grad={name in call.asks})"
        )
    state = packed(cell, given) if given else "None"
    constants = "".join(f", c{k}=c{k}" for k in range(len(cell.constants)))
    lines += [
        "for compiled in (False, True):",
        "    layer = nn.Recurrent(cell)",
        "    layer.compiled = compiled",
        f"    y, last = layer(x, {state}, lengths={call.lengths}{constants})",
        "    print(layer.explain(), y, last)",
        "    loss = sum(t.sum() for t in (y, *[t for _, t in nn.stepping.parts(last)]))",
        f"    leaves = [t for t in [*cell.parameters(), {', '.join(leaves)}] if t.requires_grad]",
        "    print(tg.grad(loss, leaves, allow_unused=True) if loss.requires_grad else None)",
    ]
    return "\n".join(lines)


# ---- many ----------------------------------------------------------------------------------------


def program(seed, number, inputs, routes, special=True):
    """One cell with several calls: yields (call number, what each route said, differences)."""
    rng = np.random.default_rng([seed, number])
    with np.errstate(all="ignore"):
        cell = draw_cell(rng)
        calls = [draw_call(rng, cell, special) for _ in range(inputs)]
    for k, call in enumerate(calls):
        said, differences = whole(cell, call, routes)
        yield k, cell, call, said, differences


def worker(options):
    """Run cells from a number on, and say what happened to each in a line of JSON."""
    routes = [r for r in options.routes.split(",") if r != "recorded"]
    number, end = options.start, time.monotonic() + 60 * options.minutes
    seen = Counter()
    while time.monotonic() < end and number < options.stop:
        mine = [r for r in routes if r != "numba" or number % options.numba_every == 0]
        print(json.dumps({"begins": number}), flush=True)
        for k, cell, call, said, differences in program(
            options.seed, number, options.inputs, mine, not options.tame
        ):
            line = {"number": number, "call": k, "said": said, "special": call.special}
            if differences:
                line["found"] = [list(d) for d in differences]
                new = [d for d in differences if seen[_kind(d)] < options.each]
                seen.update(map(_kind, differences))
                if new:
                    small = shrunk(cell, call, new[0], options.shrink)
                    line["script"] = script(*small, f"seed {options.seed}, cell {number}, call {k}")
            print(json.dumps(line), flush=True)
        number += 1
    return 0


def main():
    """Run cells in a process of their own (they may end it), count, print what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--routes", default="plain,numpy,pieces,ledger,jvp,second,jvp_compiled,second_compiled"
    )
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--inputs", type=int, default=5, help="calls of each cell")
    parser.add_argument("--only", type=int, help="the number of one cell")
    parser.add_argument(
        "--numba-every", type=int, default=1, help="machine code for each n-th cell"
    )
    parser.add_argument("--shrink", type=float, default=20.0, help="seconds to make a case smaller")
    parser.add_argument("--tame", action="store_true", help="no NaN, ties, huge or tiny inputs")
    parser.add_argument(
        "--each", type=int, default=2, help="how many differences of a kind to print"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--stop", type=int, default=2**60, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only is not None:
        options.start, options.stop = options.only, options.only + 1
    if options.worker:
        return worker(options)
    return supervise(options)


def supervise(options):
    """Start workers, one after another where one ends too soon; the table at the end."""
    began, number = time.monotonic(), options.start
    counts, found, cases, cells = Counter(), Counter(), 0, 0
    last_word = began
    with tempfile.TemporaryDirectory() as code:
        env = {**os.environ, "TINYGRAD_RNN_CACHE": code}
        while cases < options.cases and number < options.stop:
            left = options.minutes - (time.monotonic() - began) / 60
            if left <= 0:
                break
            arguments = [sys.executable, str(Path(__file__).resolve()), "--worker"]
            for name in ("seed", "routes", "inputs", "numba_every", "shrink", "each"):
                arguments += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
            arguments += ["--start", str(number), "--minutes", str(left)]
            arguments += ["--stop", str(min(options.stop, number + 2000))]
            arguments += ["--tame"] if options.tame else []
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=env)
            for text in process.stdout:
                line = json.loads(text)
                if "begins" in line:
                    number, cells = line["begins"], cells + 1
                    if cases >= options.cases:
                        break
                    continue
                cases += 1
                for route, word in line["said"].items():
                    if word is not None:
                        counts[route, word] += 1
                for route, what, words in line.get("found", []):
                    found[route, _short(what, words)] += 1
                if "script" in line:
                    print(f"\n{line['script']}\n# also: {line['found']}", flush=True)
                if time.monotonic() - last_word > 30:
                    last_word = time.monotonic()
                    print(
                        f"# {cases} cases, {last_word - began:.0f} s", file=sys.stderr, flush=True
                    )
            done = process.poll() is None
            if done:
                process.terminate()
            code_of = process.wait()
            if not done and code_of:
                found["process", f"ended with {code_of}"] += 1
                print(f"\n# seed {options.seed}, cell {number}: the process ended with {code_of}")
            number += 1
    print(
        f"\n{cells} cells, {cases} cases in {time.monotonic() - began:.0f} s, seed {options.seed}"
    )
    for (route, word), n in sorted(counts.items()):
        print(f"  {route:12} {word:32} {n}")
    print(f"{sum(found.values())} differences" + (", of these kinds:" if found else ""))
    for (route, what), n in found.most_common():
        print(f"  {n:5} {route}: {what}")
    return int(bool(found))


def _short(what, words):
    if what == "raises":
        return f"raises {words[:90]}"
    if "None" in words:
        return f"{what.split()[0]}: {'None' if words.startswith('None') else 'no None'} (expected the other)"
    return f"{what.split()[0]} {'not finite elsewhere' if 'not finite' in words else 'differs'}"


if __name__ == "__main__":
    sys.exit(main())
