"""How do recurrent layers become fast? One step is traced once and run T times.

``tracing`` records one application of a cell, ``program`` turns the record and its derivative into
two straight programs (``rewrites`` into shorter ones), ``schedule`` decides what leaves the loop and
what is kept for backward, ``numpy_loops`` and ``numba_loops`` run them, ``backends`` chooses between
the two, and ``running`` puts the result in place of the recorded loop, as one node that ``folding`` leads
back from. ``purity`` says for whose Python a program may stand (``bytecode`` and ``opcodes`` follow it),
and ``call_cache`` makes later calls short. ``nn.compiling`` says what layers ask of it, and does not know it.
"""
