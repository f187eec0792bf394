"""Which recorded ops only hand values on? Pictures follow them and, where they can, omit them."""

from __future__ import annotations

SOURCES = ("input", "parameter", "literal")
# Those that hand on one value whole, only in another shape or dtype, or take one of several apart.
SHAPES = {
    "transpose",
    "permute",
    "reshape",
    "flatten",
    "squeeze",
    "unsqueeze",
    "expand",
    "broadcast",
}
# Of these, those whose result has the same elements in the same order.
SAME = frozenset({"reshape", "flatten", "squeeze", "unsqueeze", "cast", "held"})
HANDS_ON = frozenset(SHAPES | {"cast", "item", "unbind", "held"})
PASS_THROUGH = HANDS_ON | {"stack", "cat", "chunk", "split", "getitem", "flip"}
