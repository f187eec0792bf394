"""Which recorded ops only hand values on: pictures follow them and, where they can, omit them."""

SOURCES = ("input", "parameter", "literal")
# Those that hand on one value whole, only in another shape or dtype, or take one of several apart.
THROUGH = frozenset(
    ("unbind", "item", "transpose", "permute", "reshape", "flatten", "squeeze", "unsqueeze")
    + ("expand", "cast")
)
PLUMBING = THROUGH | {"stack", "cat", "chunk", "split", "getitem", "flip"}
