#!/usr/bin/env bash
# numpy 2.4.6 with Python 3.11: an array that comes out of pickle, by every protocol, has a dtype that is equal to
# numpy's own but is another object: a.dtype == np.dtype("f4"), and yet a.dtype is not np.dtype("f4").
#
# The twin goes on: results of ufuncs, slices, reshapes and copies of such an array have it too, so that a model that
# was unpickled, or a batch from another process, never leaves it. copy.deepcopy, np.save with np.load, and a view by
# the name of the dtype give numpy's own object. Code that compares dtypes by identity, as one does in C or where
# every microsecond of a call counts (PyArray_DESCR(a) == descr), takes such an array for one of another kind.
#
# Seen: each line of the table below.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check numpy==2.4.6
cat > run.py <<'PY'
import copy
import io
import pickle

import numpy as np

for name in ("f4", "f8", "i8", "?"):
    own = np.dtype(name)
    a = np.ones((2, 3), own)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(a, protocol))
        assert twin.dtype == own and twin.dtype is not own, protocol
    results = {
        "ufunc": np.maximum(twin, twin), "slice": twin[:1], "reshape": twin.reshape(-1), "copy": twin.copy(),
    }
    for what, result in results.items():
        assert result.dtype is not own, what
    file = io.BytesIO()
    np.save(file, a)
    file.seek(0)
    for what, result in {"load": np.load(file), "deepcopy": copy.deepcopy(a), "view": twin.view(name)}.items():
        assert result.dtype is own, what
    print(name, "unpickled: another object; so are", ", ".join(results), "of it; not np.load, deepcopy, view")
PY
env/bin/python run.py
