"""Where do the ops of a known cell stand? One table a cell, matched against what was recorded.

A table is the cell's equations with positions. A new cell is one more table in ``TEMPLATES``; a cell
without one is laid out as a general graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING

from ..scene import style
from ..scene.scene import Point
from ..scene.style import Look

if TYPE_CHECKING:
    from ...graphs.chains import StepCall
    from ...graphs.recorded import GraphNode

HEADING = 34.0  # how wide "t = 1" is
TAP_APART = 12.0
C_OP = Look(style.C.stroke, style.OP.fill, style.OP.text, 1.5)
H_OP = Look(style.H.stroke, style.OP.fill, style.OP.text, 1.5)


@dataclass(frozen=True, slots=True)
class Spot:
    """One op: which ops it may be, what it takes (roles, ``x``, ``h'``), and where it stands.

    ``side`` is where the lines of its Parameters come from. A gate is recorded under its role's name.
    """

    role: str
    ops: str
    takes: tuple[str, ...]
    x: float
    y: float
    width: float
    look: Look = style.OP
    gate: bool = False
    side: str = ""
    label: str = ""  # what the box says, where it is more than the op's symbol
    params: tuple[int, ...] = ()  # where a box stands for several ops: the Parameters of all
    more: float = 0.0  # room for another line

    @property
    def height(self) -> float:
        """Gates have two lines."""
        return (32.0 if self.gate else 24.0) + self.more


@dataclass(frozen=True)
class Template:
    """One step of a cell: its frame, the spots of its ops, and the routes that are not straight."""

    frame: tuple[float, float, float, float]
    spots: tuple[Spot, ...]
    states: dict[str, str]  # the role that writes each state
    input: Point
    heading: Point  # where "t = 1" begins
    above: float  # from the frame's top to the nearest bus
    below: float  # from the frame's bottom to the nearest bus
    leave: Point  # where h goes up to the next layer
    params: float  # from the first frame's left side to the right side of the Parameters
    routes: dict[tuple[str, str], tuple[Point, ...]] = field(default_factory=dict)
    swings: dict[tuple[str, str], float] = field(default_factory=dict)
    texts: tuple[tuple[str, float, float], ...] = ()
    dots: tuple[tuple[str, Point], ...] = ()  # where several lines leave that of a role
    entries: dict[str, float] = field(
        default_factory=dict
    )  # heights of states, where not their op's
    output: str = ""  # the role that makes the output, where that is no state
    inputs: dict[str, float] = field(default_factory=dict)  # heights of inputs beside x
    curved: bool = False  # the routes run in S-curves from column to column
    backwards: bool = False  # laid out from the right to the left

    def spot(self, role: str) -> Spot:
        """The spot of a role."""
        return next(spot for spot in self.spots if spot.role == role)

    def takers(self, role: str) -> list[Spot]:
        """The spots that take a role: ``h'``, ``x``."""
        return [spot for spot in self.spots if role in spot.takes]

    def entry(self, state: str) -> float:
        """The height at which a state comes in, and its pill stands."""
        if state in self.entries:
            return self.entries[state]
        return self.takers(f"{state}'")[0].y

    def way_in(self, source: str, spot: Spot) -> tuple[Point, ...]:
        """From the frame's left side (or the template's own beginning) to a spot that takes a source."""
        side = self.frame[2 if self.backwards else 0]
        straight = ((side, spot.y), (spot.x - self._half(spot), spot.y))
        return self.routes.get((source, spot.role), straight)

    def way_out(self, state: str) -> tuple[Point, ...]:
        """From the spot that writes a state to the frame's right side."""
        spot = self.spot(self.states[state])
        side = self.frame[0 if self.backwards else 2]
        straight = ((spot.x + self._half(spot), spot.y), (side, spot.y))
        names = (f">{state}", state)
        return next((r for n in names if (r := self.routes.get((spot.role, n)))), straight)

    def _half(self, spot: Spot) -> float:
        """From a spot's middle to the side where its output leaves."""
        return -spot.width / 2 if self.backwards else spot.width / 2


def tap_offsets(count: int) -> list[float]:
    """Where the taps of so many Parameters meet an op, from its middle."""
    return [TAP_APART * (2 * k - (count - 1)) for k in range(count)]


RNN = Template(
    frame=(1, -73, 150, 38),
    spots=(
        Spot("v", "linear", ("h'",), 38, 0, 54, side="above"),
        Spot("u", "linear", ("x",), 38, -54, 54, side="below"),
        Spot("s", "add", ("u", "v"), 87, 0, 24),
        Spot("a", "tanh relu", ("s",), 126, 0, 36, H_OP),
    ),
    states={"h": "a"},
    input=(-22, -54),
    heading=(62, 26),
    above=34,
    below=43,
    leave=(126, 12),
    params=4,
    routes={("u", "s"): ((65, -54), (87, -54), (87, -12))},
)

LSTM = Template(
    frame=(1, -2, 282, 326),
    spots=(
        Spot("u", "linear", ("x",), 134, 18, 56, side="below"),
        Spot("v", "linear", ("h'",), 42, 62, 56, side="below"),
        Spot("s", "add", ("u", "v"), 134, 62, 26),
        Spot("split", "chunk split", ("s",), 134, 106, 44),
        Spot("i", "sigmoid", ("split",), 38, 170, 60, style.GATE, gate=True),
        Spot("f", "sigmoid", ("split",), 102, 170, 60, style.GATE, gate=True),
        Spot("g", "tanh", ("split",), 166, 170, 60, style.GATE, gate=True),
        Spot("o", "sigmoid", ("split",), 230, 170, 60, style.GATE, gate=True),
        Spot("fc", "mul", ("f", "c'"), 102, 292, 26, C_OP),
        Spot("ig", "mul", ("i", "g"), 166, 220, 26),
        Spot("c", "add", ("fc", "ig"), 166, 292, 26, C_OP),
        Spot("tc", "tanh", ("c",), 230, 257, 36),
        Spot("oh", "mul", ("o", "tc"), 230, 220, 26, H_OP),
    ),
    states={"c": "c", "h": "oh"},
    input=(86, -26),
    heading=(14, 315),
    above=34,
    below=70,
    leave=(256, 220),
    params=-15,
    routes={
        ("x", "u"): ((86, -14), (86, 18), (106, 18)),
        ("i", "ig"): ((38, 186), (38, 220), (153, 220)),
        ("c", "tc"): ((230, 292), (230, 269)),
        ("oh", "h"): ((243, 220), (270, 220), (270, 62), (290, 62)),
    },
    swings={("split", "i"): -15, ("split", "f"): -5, ("split", "g"): 5, ("split", "o"): 15},
    texts=(
        ("z", 143, 84),
        ("z_i", 26, 143),
        ("z_f", 90, 143),
        ("z_g", 178, 143),
        ("z_o", 242, 143),
    ),
    dots=(("c", (230, 292)),),
)

# The input gate is what the forget gate leaves: a branch of f goes through "1 -".
COUPLED = replace(
    LSTM,
    spots=(
        *(s for s in LSTM.spots if s.role in ("u", "v", "s", "split", "tc", "c", "oh", "o")),
        Spot("f", "sigmoid", ("split",), 54, 170, 60, style.GATE, gate=True),
        Spot("g", "tanh", ("split",), 166, 170, 60, style.GATE, gate=True),
        Spot("fc", "mul", ("f", "c'"), 54, 292, 26, C_OP),
        Spot("k", "sub", ("f",), 108, 220, 32),
        Spot("ig", "mul", ("k", "g"), 166, 220, 26),
    ),
    routes={
        ("x", "u"): ((86, -14), (86, 18), (106, 18)),
        ("f", "k"): ((54, 220), (92, 220)),
        ("c", "tc"): ((230, 292), (230, 269)),
        ("oh", "h"): ((243, 220), (270, 220), (270, 62), (290, 62)),
    },
    swings={("split", "f"): -10, ("split", "g"): 4, ("split", "o"): 14},
    texts=(("z", 143, 84), ("z_f", 42, 143), ("z_g", 178, 143), ("z_o", 242, 143)),
    dots=(("c", (230, 292)), ("f", (54, 220))),
)

# h is projected on its way out, by a weight from above.
PROJECTED = replace(
    LSTM,
    frame=(1, -2, 354, 326),
    spots=(
        *(s if s.role != "oh" else replace(s, look=style.OP) for s in LSTM.spots),
        Spot("p", "linear", ("oh",), 296, 220, 52, H_OP, side="above"),
    ),
    states={"c": "c", "h": "p"},
    leave=(331, 220),
    routes={
        **LSTM.routes,
        ("p", "h"): ((322, 220), (343, 220), (343, 62), (362, 62)),
    },
)

TEMPLATES = (RNN, LSTM, COUPLED, PROJECTED)


def mirrored(template: Template) -> Template:
    """The template as a step looks that runs from right to left."""

    def over(point: Point) -> Point:
        return template.frame[0] + template.frame[2] - point[0], point[1]

    return replace(
        template,
        spots=tuple(replace(spot, x=over((spot.x, 0))[0]) for spot in template.spots),
        input=over(template.input),
        heading=over((template.heading[0] + HEADING, template.heading[1])),
        leave=over(template.leave),
        routes={key: tuple(map(over, route)) for key, route in template.routes.items()},
        swings={key: -by for key, by in template.swings.items()},
        texts=tuple((text, *over((x, y))) for text, x, y in template.texts),
        dots=tuple((role, over(point)) for role, point in template.dots),
        backwards=True,
    )


def match(nodes: Sequence[GraphNode], call: StepCall) -> tuple[Template, dict[str, int]] | None:
    """The template that a recorded call fits whole, and the node of each role; None without one."""
    for template in TEMPLATES:
        if (roles := _roles(nodes, call, template)) is not None:
            return template, roles
    return None


def _roles(nodes: Sequence[GraphNode], call: StepCall, template: Template) -> dict[str, int] | None:
    known: dict[int, set[str]] = {}
    for role, came_in in call.inputs.items():
        known.setdefault(came_in, set()).add(role if role == "x" else f"{role}'")
    found: dict[str, int] = {}
    for i in call.nodes:
        node = nodes[i]
        operands = [k for k in node.inputs if nodes[k].op not in ("parameter", "literal")]
        options = [known.get(k, set()) for k in operands]
        if node.op == "item" and len(options) == 1:
            known[i] = options[0]
            continue
        free = (spot for spot in template.spots if spot.role not in found)
        spot = next((spot for spot in free if _fits(node, options, spot)), None)
        if spot is None:
            return None
        found[spot.role] = i
        known[i] = {spot.role}
    written = {state: found.get(role) for state, role in template.states.items()}
    whole = len(found) == len(template.spots) and written == call.outputs
    return found if whole else None


def _fits(node: GraphNode, options: Sequence[set[str]], spot: Spot) -> bool:
    if node.op not in spot.ops.split() or len(options) != len(spot.takes):
        return False
    if spot.gate and node.name != spot.role:
        return False
    return any(
        all(role in option for role, option in zip(order, options, strict=True))
        for order in permutations(spot.takes)
    )
