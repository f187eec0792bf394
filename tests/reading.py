"""DOT text, read back, for the tests of pictures."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass

from tinygrad_rnn.drawing.scene.text import text_width

ATTRIBUTE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
NODE = re.compile(r'^ +"((?:[^"\\]|\\.)*)" \[(.*)\]$', re.M)
EDGE = re.compile(r'^ +"((?:[^"\\]|\\.)*)" -> "((?:[^"\\]|\\.)*)" \[(.*)\]$', re.M)


@dataclass
class Read:
    """DOT text, read back."""

    text: str

    def __post_init__(self):
        self.nodes = {m[1]: dict(ATTRIBUTE.findall(m[2])) for m in NODE.finditer(self.text)}
        self.edges = [(m[1], m[2], dict(ATTRIBUTE.findall(m[3]))) for m in EDGE.finditer(self.text)]

    def of_class(self, *tokens):
        return {id: a for id, a in self.nodes.items() if {*tokens} <= {*a.get("class", "").split()}}

    def taps(self):
        """The uses that are drawn, by Parameter; a dashed tap counts for all its steps."""
        counts: Counter[str] = Counter()
        for _, _, attrs in self.edges:
            tokens = attrs.get("class", "").split()
            if tokens[:1] == ["use"]:
                many = [int(t[1:]) for t in tokens if re.fullmatch(r"n\d+", t)]
                for token in tokens:
                    if token.startswith("p-"):
                        counts[token[2:]] += many[0] if "fold" in tokens else 1
        return counts


def box(attrs):
    x, y = map(float, attrs["pos"].split(","))
    w, h = float(attrs["width"]) * 72, float(attrs["height"]) * 72
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def check_nothing_overlaps(read):
    """No two boxes overlap, no two texts, and every label fits into its box."""
    solid, texts = {}, {}
    for id, attrs in read.nodes.items():
        kind = attrs["class"].split()[0]
        if kind == "text":
            texts[id] = box(attrs)
        elif kind not in ("port", "dot", "bar", "legend"):
            solid[id] = box(attrs)
            label = attrs["label"].replace("\\n", "\n").replace("&amp;", "&")
            size, bold = float(attrs["fontsize"]), "bold" in attrs.get("fontname", "")
            assert text_width(label, size, bold) <= float(attrs["width"]) * 72 + 0.5, (id, label)
    for group in (solid, texts):
        for (a, p), (b, q) in itertools.combinations(group.items(), 2):
            apart = p[0] >= q[2] or q[0] >= p[2] or p[1] >= q[3] - 1 or q[1] >= p[3] - 1
            assert apart, (a, b)
