"""How does a picture become a file? As DOT text, ids and classes from what things mean; drawn by Graphviz."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..graphs.meaning import (
    CellAt,
    Contribution,
    Feed,
    Input,
    LayerBox,
    Meaning,
    Out,
    ParameterBox,
    State,
    Uses,
    ValueBox,
    Weights,
)
from .scene import style
from .scene.scene import Box, Frame, Key, Point, Scene, Wire

TIMEOUT = 60.0
PNG_DPI = 144
PURE = "graphviz-pure"
LOST = b"triangulation failed"  # dot says so when it could not route a curve, and leaves it out
Part = Frame | Box | Wire


def write(scene: Scene, numbered: bool = False) -> str:
    """A laid-out picture as DOT text that Graphviz merely draws (``layout=nop2``).

    ``numbered`` gives frames, boxes and wires, in this order, the ids p0, p1 ... for a page.
    """
    graph: dict[str, object] = {
        "layout": "nop2",
        "bb": _numbers(*scene.bounds()),
        "bgcolor": "transparent",
        "pad": 0.08,
        "outputorder": scene.order,
        "tooltip": scene.title,
    }
    out = head(scene.title, graph)
    count = 0

    def ids() -> dict[str, object]:
        nonlocal count
        count += 1
        return {"id": f"p{count - 1}"} if numbered else {}

    for frame in scene.frames:
        attrs = {"bb": _numbers(*frame.box), **frame.attrs, **ids()}
        name = quote("cluster_" + identify((frame.of, frame.part)))
        out.append(f"  subgraph {name} {{ graph [{attributes(attrs)}] }}")
    for box in scene.boxes.values():
        left_aligned = box.attrs.get("labeljust") == "l"
        attrs = {
            "label": Label(box.label, "\\l" if left_aligned else ""),
            "pos": _numbers(box.x, box.y),
            "width": round(box.width / 72, 4),
            "height": round(box.height / 72, 4),
            "fixedsize": "true",
            "class": " ".join([box.kind, *_of_box(box)]),
            **box.attrs,
            **ids(),
        }
        attrs.pop("labeljust", None)
        out.append(f"  {quote(identify(box.key))} [{attributes(attrs)}]")
    for wire in scene.wires:
        pos = ("" if wire.tip is None else f"e,{_numbers(*wire.tip)} ") + _path(wire.points)
        tokens = [wire.kind, *_of_wire(wire.kind, wire.of), "grad" * wire.gradient]
        cls = " ".join(filter(None, tokens))
        told = {"class": cls, "tooltip": wire.tooltip}
        told = {key: words for key, words in told.items() if words}
        attrs = {**wire.attrs, **told, "pos": pos, **ids()}
        ends = f"{quote(identify(wire.tail))} -> {quote(identify(wire.head))}"
        out.append(f"  {ends} [{attributes(attrs)}]")
    return "\n".join([*out, "}", ""])


def head(title: str, graph: Mapping[str, object]) -> list[str]:
    """The first lines of every picture: graph attributes and the defaults of nodes and edges."""
    return [
        f"digraph {quote(title)} {{",
        f"  graph [{attributes(graph)}]",
        f"  node [{attributes(style.NODE_DEFAULTS)}]",
        f"  edge [{attributes(style.EDGE_DEFAULTS)}]",
    ]


# ---- ids and classes, from what things mean --------------------------------------------------------


def identify(key: Key) -> str:
    """The id of a thing: ``l0.t1`` for a cell, ``l0.h3`` for a state, ``param.lstm.weight_hh_l0`` ..."""
    of, part = key
    name, joint = _named(of), "" if isinstance(of, Feed) else "."
    return f"{name}{joint}{part}" if name and part else name or part


def _named(of: Meaning | None) -> str:
    match of:
        case CellAt(chain, column):
            return f"{chain.key}.t{column.first}"
        case State(chain, step, name):
            return f"{chain.key}.{name}{step}"
        case Input(chain, column, role):
            return f"{chain.key}.{class_name(role)}{column.first}"
        case Out(chain, column):
            return f"{chain.key}.y{column.first}"
        case Uses(_, _, chain, column) if chain is not None and column is not None:
            return f"{chain.key}.tap{column.first}"
        case ParameterBox(_, name):
            return f"param.{name}"
        case Contribution(parameter, _, _, place):
            return f"part.{parameter.name}.{place}"
        case ValueBox(_, name):
            return name
        case LayerBox(name, run):
            return f"layer {name}" + f" run {run + 1}" * bool(run)
        case Feed(_, source):
            return f"{_named(source)}.feed"
        case Weights(row):
            return f"row{row}"
    return ""


def _of_box(box: Box) -> list[str]:
    """The classes of a box beside its kind."""
    match box.of:
        case _ if box.kind in ("text", "dot", "port"):
            return []
        case CellAt() if box.kind == "band":
            return [class_name(box.part)]
        case State(_, step, name):
            return [class_name(name), f"t{step}"]
        case Input(_, column) | Out(_, column):
            return [f"t{column.first}"]
        case ParameterBox():
            return parameter_classes(box.of)
        case Contribution(parameter, when, against, _):
            return [class_name(parameter.short), class_name(when)] + ["negative"] * against
    return []


def _of_wire(kind: str, of: Meaning | None) -> list[str]:
    """The classes of a wire beside its kind."""
    match of:
        case _ if not kind:
            return []
        case State(_, step, name):
            return [class_name(name)] + [f"t{step}"] * (kind == "up")
        case ParameterBox():
            return parameter_classes(of)
        case Uses():
            return use_classes(of)
    return []


def use_classes(use: Uses) -> list[str]:
    """When a use is, then for each Parameter ``W_hh p-lstm.weight_hh_l0``: ``t3``, ``after``.

    A Parameter that is used twice there has its dotted name twice. Folded steps are ``fold t3-t98 n96``
    (n: uses of each Parameter) and name each Parameter once.
    """
    column = use.column
    when, counts = [use.when], use.counts
    if column is not None and column.folded:
        when, counts = (
            ["fold", f"t{column.first}-t{column.last}", f"n{max(counts)}"],
            (1,) * len(counts),
        )
    elif column is not None:
        when = [f"t{column.first}"]
    elif use.folded:
        when, counts = ["fold", f"n{use.folded}"], (1,) * len(counts)
    elif use.step:
        when = [f"t{use.step}"]
    pairs = zip(use.parameters, counts, strict=True)
    return [*when, *(token for p, n in pairs for token in parameter_classes(p, n))]


def parameter_classes(parameter: ParameterBox, times: int = 1) -> list[str]:
    """The classes by which a Parameter is known: ``W_hh p-lstm.weight_hh_l0``."""
    return [class_name(parameter.short), *[f"p-{class_name(parameter.name)}"] * times]


def class_name(text: str) -> str:
    """``text`` as one token of a ``class`` attribute."""
    return re.sub(r"[^\w.-]+", "_", text)


# ---- text ------------------------------------------------------------------------------------------


class Label(str):
    """Text of the user's or ours, shown as it is: no HTML, no entities, no escapes."""

    __slots__ = ("ending",)
    ending: str

    def __new__(cls, text: str, ending: str = "") -> Label:
        """``ending`` closes the last line: ``\\\\l`` sets it to the left."""
        label = super().__new__(cls, text)
        label.ending = ending
        return label


def attributes(values: Mapping[str, object]) -> str:
    """``key="value"`` pairs, each value quoted."""
    return ", ".join(f"{key}={_value(key, value)}" for key, value in values.items())


def quote(text: str) -> str:
    """A DOT string; a quoted string is never HTML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(key: str, value: object) -> str:
    if isinstance(value, Label):
        body = "\\n".join(_printable(line) for line in str(value).split("\n"))
        return f'"{body}{value.ending}"'
    if isinstance(value, float):
        return f'"{value:g}"'
    if key in ("tooltip", "label"):
        return f'"{_printable(str(value))}"'
    return quote(str(value))


def _printable(text: str) -> str:
    """Text that no reader of DOT takes for an escape, an entity or an end of string."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _numbers(*values: float) -> str:
    return ",".join(_number(v) for v in values)


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _path(points: tuple[Point, ...]) -> str:
    return " ".join(_numbers(*p) for p in points)


# ---- Graphviz: the system's, else graphviz-pure ----------------------------------------------------


class DrawingError(RuntimeError):
    """Graphviz is missing, failed or took too long; the message says what to do."""


class Backend(NamedTuple):
    """A Graphviz command: ``"system"`` or ``"pure"``, where it is, and what it calls itself."""

    kind: str
    command: str
    name: str


def backend(engine: str | None = None) -> str:
    """Which Graphviz draws: ``"graphviz (dot 2.43.0)"`` or ``"graphviz-pure 0.2.2"``.

    Raises DrawingError where there is none.
    """
    return _find(engine).name


def _find(engine: str | None) -> Backend:
    """The system's ``dot``, else the command that graphviz-pure installed."""
    if engine not in (None, "system", "pure"):
        raise ValueError(f"engine={engine!r}: expected 'system', 'pure' or None")
    system = shutil.which("dot") if engine != "pure" else None
    if system is not None:
        return Backend("system", system, f"graphviz (dot {_version(system)})")
    pure = _pure_command() if engine != "system" else None
    if pure is not None:
        return Backend("pure", pure, f"{PURE} {metadata.version(PURE)}")
    wanted = {"system": "no `dot` on the PATH", "pure": f"{PURE} is not installed"}
    raise DrawingError(
        f"{wanted.get(engine or '', 'no Graphviz was found')}. Pictures need one of the two: "
        f"`pip install {PURE}`, or Graphviz itself with its `dot` on the PATH "
        "(https://graphviz.org/download). A .dot file can be written without either."
    )


def _pure_command() -> str | None:
    """The executable of the installed graphviz-pure, wherever this Python keeps its scripts."""
    try:
        files = metadata.files(PURE) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.stem == PURE and file.suffix in ("", ".exe"):
            found = Path(str(file.locate())).resolve()
            if found.is_file():
                return str(found)
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return shutil.which(PURE, path=os.pathsep.join(folders)) or shutil.which(PURE)


@lru_cache
def _version(command: str) -> str:
    """What ``dot -V`` says, as a number."""
    try:
        said = subprocess.run([command, "-V"], capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(rb"version (\S+)", said.stderr + said.stdout)
    return match[1].decode() if match else "unknown"


def run(text: str, kind: str, engine: str | None) -> bytes:
    """DOT text through Graphviz: the bytes of an image."""
    from graphviz.backend import execute

    found = _find(engine)
    if kind == "pdf" and found.kind == "pure":
        raise DrawingError(
            f"a PDF needs Graphviz itself (`dot` on the PATH, https://graphviz.org/download): "
            f"{found.name} draws .svg and .png; draw one of these instead"
        )
    if kind == "png" and found.kind == "pure":
        text = text.replace(style.BOLD, "Helvetica-Bold").replace(style.FONT, "Helvetica")
    command = [found.command, "-Kdot", f"-T{kind}"]
    if kind == "png":
        command.append(f"-Gdpi={PNG_DPI}")
    failure: Exception | None = None
    for curves in ([], ["-Gsplines=line"]):
        try:
            done = execute.run_check(
                [*command, *curves],
                input=text.encode(),
                capture_output=True,
                quiet=True,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise DrawingError(
                f"{found.name} took more than {TIMEOUT:.0f} s: draw fewer steps "
                "(steps=[0, 1, -1]) or level='cell'"
            ) from None
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            failure = error
            continue
        if LOST not in done.stderr:
            return bytes(done.stdout)
    said = getattr(failure, "stderr", b"") or str(failure).encode()
    raise DrawingError(f"{found.name} failed: {said.decode(errors='replace').strip()}") from failure


def svg_of(text: str, engine: str | None = None) -> str:
    """SVG that every browser shows alike: bold as a weight, no background, no comments."""
    svg = run(text, "svg", engine).decode()
    svg = re.sub(r'font-family="([^"]*?),? bold"', r'font-family="\1" font-weight="bold"', svg)
    svg = svg.replace('"transparent"', '"none"')
    return re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
