"""Write down what PyTorch makes of the lines of ``one_liners.txt``, values and gradients, in float32.

python tests/golden/make_one_liners.py        (needs PyTorch)
"""

import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
import one_liners
from golden.store import write


def cases():
    for lines in one_liners.groups().values():
        for line in lines:
            yield line, one_liners.ran(torch, line)


warnings.simplefilter("ignore")
torch.set_num_threads(1)
found = dict(cases())
dtypes = {line: {k: str(a.dtype) for k, a in arrays.items()} for line, arrays in found.items()}
made_with = f"torch {torch.__version__.split('+')[0]}, float32"
write("one_liners", found.items(), made_with, dtypes=dtypes)
