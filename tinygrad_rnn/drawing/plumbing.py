"""Which recorded ops only hand values on: pictures follow them and, where they can, omit them."""

SOURCES = ("input", "parameter", "literal")
# Those that hand on one value whole, only in another shape or dtype, or take one of several apart.
SHAPES = {"transpose", "permute", "reshape", "flatten", "squeeze", "unsqueeze", "expand"}
THROUGH = frozenset(SHAPES | {"cast", "item", "unbind"})
PLUMBING = THROUGH | {"stack", "cat", "chunk", "split", "getitem", "flip"}
