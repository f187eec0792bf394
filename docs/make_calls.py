"""Write docs/pytorch_calls.md: which everyday calls of PyTorch's were run, and which raise an error here.

    python docs/make_calls.py

The lines are ``tests/one_liners.txt``; what PyTorch makes of them is stored beside the tests.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PAGE = HERE / "pytorch_calls.md"
sys.path.insert(0, str(HERE.parent / "tests"))

NOT_HERE = "Not here: an error says so"
TOP = """# PyTorch's calls, a line each

<!-- python docs/make_calls.py -->

{right} calls were run with PyTorch {made_with} as `t` and with `import tinygrad_rnn as t`: shapes,
dtypes, values and the gradients of all tensors agree (float32, to 3e-5). {missing} others raise an error
here. None gave other values.

`x` is (2, 3), `v` (3,), `m` and `w` (3, 3), `y` (2, 3, 5), `z` (2, 4), `q` (2, 4, 3), `p` (3, 3, 4) and
`img` (2, 3, 4, 4), all with gradients; `i` is `tensor([0, 2])`; `nn` is `t.nn`, `F` is `t.nn.functional`.
"""


def agrees(line: str) -> bool:
    """Whether this line's values and gradients are the stored ones."""
    import one_liners

    import tinygrad_rnn as tg

    stored = _STORED[line]
    found = one_liners.ran(tg, line)
    return set(found) == set(stored) and all(
        np.allclose(a, stored[k], 3e-5, 3e-6, equal_nan=True) for k, a in found.items()
    )


_STORED: dict[str, dict[str, np.ndarray]] = {}


def refusal(line: str) -> str:
    """What a line raises, in a few words."""
    import one_liners

    import tinygrad_rnn as tg

    try:
        one_liners.ran(tg, line)
    except Exception as error:
        words = str(error).splitlines()[0].replace("|", "\\|")
        return words if len(words) <= 90 else words[:87] + "..."
    raise AssertionError(f"{line} raises nothing")


def page() -> str:
    """The text of the page, every line of it run."""
    import one_liners
    from golden.store import HERE as GOLDEN
    from golden.store import read

    import tinygrad_rnn.utils.data

    assert tinygrad_rnn.utils.data
    _STORED.update(read("one_liners"))
    with np.load(GOLDEN / "one_liners.npz", allow_pickle=False) as stored:
        made_with = str(stored["made_with"]).removeprefix("torch ").split(",")[0]
    groups = one_liners.groups()
    missing = groups.pop(NOT_HERE)
    right = sum(map(len, groups.values()))
    parts = [TOP.format(right=f"{right:,}", made_with=made_with, missing=len(missing))]
    for title, lines in groups.items():
        wrong = [line for line in lines if not agrees(line)]
        assert not wrong, wrong
        parts.append(f"## {title}\n\n```text\n" + "\n".join(lines) + "\n```\n")
    rows = [f"| `{line.replace('|', chr(92) + '|')}` | {refusal(line)} |" for line in missing]
    parts.append("## Not here\n\n| call | the error |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
