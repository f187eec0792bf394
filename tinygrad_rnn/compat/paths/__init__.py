"""By which further paths do scripts import? ``tinygrad_rnn.onnx`` is ``onnx.py`` in this folder, and so on.

The package looks for its modules here too (``__path__`` in its ``__init__``): they are imported as parts of
``tinygrad_rnn`` itself, and write absolute names.
"""
