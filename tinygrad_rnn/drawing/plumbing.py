"""Which recorded ops only hand values on: pictures follow them and, where they can, omit them."""

SOURCES = ("input", "parameter", "literal")
PLUMBING = frozenset(
    "stack cat chunk split unbind item getitem transpose permute reshape flatten squeeze unsqueeze "
    "expand flip".split()
)
# Those that hand on one value whole, only in another shape.
THROUGH = frozenset("unbind item transpose permute reshape flatten squeeze unsqueeze expand".split())
