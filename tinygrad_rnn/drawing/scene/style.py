"""What does the visual language look like? Colours, type, lines by what they carry, and names for DOT."""

from __future__ import annotations

from dataclasses import dataclass, replace

FONT = "Helvetica,Arial,sans-serif"
BOLD = FONT + " bold"


@dataclass(frozen=True, slots=True)
class Look:
    """The colours and the pen of one role."""

    stroke: str
    fill: str
    text: str
    pen: float = 1.0


INK = "#1F2937"
SECOND = "#57606A"
PLAIN = "#6E7781"
ORANGE = "#C65102"

PARAM = Look(ORANGE, "#FFF3E0", "#7A3300", 2.0)
CHIP = Look(ORANGE, "#FFFFFF", "#7A3300", 2.0)
H = Look("#2F7FC4", "#E7F1FA", "#0B3A5E", 1.5)
C = Look("#00906A", "#E2F5EE", "#07503B", 1.5)
OP = Look("#8C959F", "#F6F8FA", INK)
GATE = Look("#8C959F", "#FFFFFF", INK)
GATE_CHIP = Look("#C9CFD6", "#FFFFFF", INK)
INPUT = Look("#8C959F", "#FFFFFF", INK)
FAINT = Look("#B7BEC6", "#F1F3F5", "#7D8690")
LOSS = Look(INK, "#FFFFFF", INK, 1.5)
GRADIENT = Look("#B0509A", "#F8EAF4", "#6B2160")
RAMP = ("#C98ABD", "#BD78AF", "#B266A1", "#A65493", "#9A3384")
PART = Look(GRADIENT.stroke, "#E3B9DA", GRADIENT.text, 0)
PART_MOST = Look(GRADIENT.stroke, RAMP[-1], "#FFFFFF", 0)
PART_AGAINST = Look(GRADIENT.stroke, GRADIENT.stroke, "#FFFFFF", 0)
QUIET = "#C9CFD6"  # lines that no gradient crosses

# Wire widths and arrow sizes.
PLAIN_PEN, INPUT_PEN, STATE_PEN = 1.2, 1.6, 3.0
BUS_PEN, FEEDER_PEN, TAP_PEN, RISER_PEN = 3.0, 3.0, 4.0, 6.0
SMALL_ARROW, ARROW, TAP_ARROW = 0.6, 0.7, 0.75
JUNCTION, TAP_DOT = 7.0, 12.0
TURN = 6.0  # the radius of a wire's corner outside the steps


@dataclass(frozen=True, slots=True)
class Line:
    """How wires of one kind are drawn: their class in DOT, colour, width, head, and how round corners are."""

    kind: str = ""
    color: str = PLAIN
    pen: float = PLAIN_PEN
    arrow: float = 0.0
    radius: float = 10.0


STROKE = Line()
# Values: into a cell or a box, up to another row, and those outside the steps.
OTHER, VALUE = Line(arrow=SMALL_ARROW), Line(pen=INPUT_PEN, arrow=SMALL_ARROW)
FEED, FED = Line("feed", pen=INPUT_PEN), Line("feed", PLAIN, INPUT_PEN, SMALL_ARROW, TURN)
UP = Line("up", PLAIN, INPUT_PEN, SMALL_ARROW, TURN)
OUTSIDE, OUTSIDE_STATE = Line("", PLAIN, PLAIN_PEN, SMALL_ARROW, TURN), replace(UP, kind="")
COLLECT = Line("collect", pen=INPUT_PEN)
# States: what leaves a step, and what comes into one; a state that only follows on another.
RAIL, RAIL_IN = Line("rail", pen=STATE_PEN), Line("rail", pen=STATE_PEN, arrow=ARROW)
CUT = Line("cut", pen=INPUT_PEN, radius=TURN)
# Parameters: their lines, the bars of panels, and what leaves both.
BUS, USE = Line("bus", ORANGE, BUS_PEN), Line("use", ORANGE, BUS_PEN, ARROW, TURN)
TAP = Line("use", ORANGE, TAP_PEN, TAP_ARROW)
RISER, FEEDER = Line("riser", ORANGE, RISER_PEN), Line("riser feeder", ORANGE, FEEDER_PEN)

# Type sizes.
TITLE, STATE, NAME, OP_SIZE, NOTE, SMALL = 10.5, 11.0, 12.0, 10.0, 9.0, 8.5
WIDEST = 1310.0  # points: on a page of 1,400 pixels the smallest type is then 9 pixels tall

NODE_DEFAULTS: dict[str, object] = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": FONT,
    "fontsize": OP_SIZE,
    "fontcolor": INK,
    "color": OP.stroke,
    "fillcolor": OP.fill,
    "penwidth": 1,
}

# In alphabetical order, all of them: Graphviz 2.43 corrupts arrowheads otherwise.
EDGE_DEFAULTS: dict[str, object] = {
    "arrowhead": "normal",
    "arrowsize": ARROW,
    "arrowtail": "normal",
    "class": "",
    "color": PLAIN,
    "constraint": "true",
    "dir": "forward",
    "fontcolor": PLAIN,
    "fontname": FONT,
    "fontsize": NOTE,
    "headport": "",
    "id": "",
    "label": "",
    "minlen": 1,
    "penwidth": PLAIN_PEN,
    "pos": "",
    "style": "solid",
    "tailport": "",
    "tooltip": "",
    "weight": 1,
}
