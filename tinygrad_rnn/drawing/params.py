"""A Parameter as a box of its own: bold name over dotted name, shape and use count."""

from __future__ import annotations

from . import style
from .shapes import Picture
from .unroll import Lattice
from .words import class_name, plural, shape_text, shorten, text_width

HEIGHT, MIN_WIDTH, MAX_WIDTH = 42.0, 102.0, 150.0


def param_width(lattice: Lattice, parameter: int) -> float:
    """How wide the box of a Parameter is."""
    name, size = _lines(lattice, parameter)
    widest = max(text_width(name, style.SMALL), text_width(size, style.SMALL))
    if lattice.notes:
        count = plural(lattice.graph.use_count(name), "use")
        heading = text_width(f"{lattice.short(parameter)} · {count}", style.OP_SIZE, True)
        widest = max(lattice.notes.width, heading)
    return min(max(MIN_WIDTH, widest + 10), MAX_WIDTH)


def draw_param(picture: Picture, lattice: Lattice, parameter: int, x: float, y: float) -> str:
    """Draw a Parameter's box around (x, y); returns its id."""
    width, look = param_width(lattice, parameter), style.PARAM
    name, size = _lines(lattice, parameter)
    short, id = lattice.short(parameter), f"param.{name}"
    cls = f"param {param_tokens(short, name)}"
    picture.box(id, "", x, y, width, HEIGHT, look, cls, square=True, tooltip=f"{name} {size}")
    room = width - 6
    lines = [("name", short, 10.0, style.NAME, True), ("path", name, -2.5, style.SMALL, False)]
    if name == short:
        lines = [("name", short, 6.0, style.NAME, True)]
    lines.append(("size", size, -13.5 if len(lines) > 1 else -9.0, style.SMALL, False))
    if parameter in lattice.notes.nodes:  # its values stand where the rest of its name was
        count = plural(lattice.graph.use_count(name), "use")
        lines = [("name", f"{short} · {count}", 8.0, style.OP_SIZE, True)]
        lattice.notes.draw(picture, id, parameter, x, y - 9)
    for part, text, rise, type_size, bold in lines:
        words = shorten(text, type_size, room, bold)
        picture.text(f"{id}.{part}", words, x, y + rise, type_size, look.text, bold=bold)
    return id


def tap_class(lattice: Lattice, parameter: int, when: str) -> str:
    """The classes of one use: ``use W_hh p-lstm.weight_hh_l0 t3``; ``after`` where it has no step."""
    return f"use {param_tokens(lattice.short(parameter), lattice.names[parameter])} {when}"


def bus_class(lattice: Lattice, parameter: int) -> str:
    """The classes of the line that all uses of a Parameter leave."""
    return f"bus {param_tokens(lattice.short(parameter), lattice.names[parameter])}"


def param_tokens(short: str, name: str, times: int = 1) -> str:
    """The classes by which a Parameter is known: ``W_hh p-lstm.weight_hh_l0``."""
    return " ".join([class_name(short), *[f"p-{class_name(name)}"] * times])


def _lines(lattice: Lattice, parameter: int) -> tuple[str, str]:
    name = lattice.names[parameter]
    uses = plural(lattice.graph.use_count(name), "use")
    shape = lattice.nodes[parameter].shape
    return name, f"{shape_text(shape)} · {uses}" if shape else uses
