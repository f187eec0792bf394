"""What can be dropped, swapped, turned or moved in a right answer, and in which words?

No edit knows an exercise: they are made for every sum, product, call, index, name and statement of any
solution.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .saying import CARRIED, SYMBOLS, said, term, thing

ACTIVATIONS = ("np.tanh", "sigmoid")


@dataclass(frozen=True)
class Edit:
    """What takes one node's place in the tree, with its words."""

    node: ast.AST
    to: ast.AST
    words: str
    rank: int
    subject: str = ""


def targets(statement: ast.stmt) -> list[ast.expr]:
    """What a statement assigns to."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target  # type: ignore[attr-defined]
    return list(target.elts) if isinstance(target, ast.Tuple) else [target]


def statements(tree: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The statements that compute something, and the headers of loops."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.For)):
            yield node


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement: of a loop, its header alone."""
    roots: list[ast.AST | None]
    if isinstance(statement, ast.For):
        roots = [statement.iter]
    else:
        roots = [statement.value]  # type: ignore[attr-defined]
        if isinstance(statement, ast.Assign):
            roots.append(statement.targets[0])
    for root in roots:
        if root is not None:
            yield from ast.walk(root)


def edits(tree: ast.FunctionDef, statement: ast.stmt) -> Iterator[Edit]:
    """Every edit of one statement."""
    names = _names(tree)
    others = [ast.Name(name, ast.Load()) for name in names] + _elements(tree)
    called = {id(n.func) for n in ast.walk(statement) if isinstance(n, ast.Call)}
    sums = _sums(tree)
    for node in _own(statement):
        yield from _of_parts(node, sums)
        if isinstance(node, ast.BinOp):
            yield from _of_operation(node, others)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.Subscript):
            yield from _of_index(node, others)
        elif isinstance(node, (ast.Tuple, ast.List)):
            yield from _of_order(node, statement)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield from _of_constant(node)
        elif isinstance(node, ast.IfExp):
            yield from _of_choice(node)
        elif isinstance(node, ast.Compare):
            yield from _of_comparison(node)
        elif isinstance(node, ast.Attribute) and node.attr == "T":
            yield Edit(node, node.value, f"uses {said(node.value)} without the transpose", 1)
        elif isinstance(node, ast.Name) and _is_read(node) and id(node) not in called:
            yield from _of_name(node, others)
    yield from _of_statement(tree, statement)
    if not isinstance(statement, ast.For):
        yield from _of_whole_value(statement, names)


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load) and node.id not in ("np", "range", "reversed")


def _names(tree: ast.FunctionDef) -> list[str]:
    """The variables of a solution, arguments first."""
    found = [a.arg for a in tree.args.args]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in found:
            found.append(node.id)
    return [name for name in found if name != "_"]


def _elements(tree: ast.FunctionDef) -> list[ast.expr]:
    """What is read at one index: x[t], hs[t - 1]; and the same step of every other array."""
    found = {ast.unparse(n): n for n in ast.walk(tree) if isinstance(n, ast.Subscript)}
    found = {text: n for text, n in found.items() if not isinstance(n.slice, ast.Slice)}
    steps = [
        n.target.id
        for n in ast.walk(tree)
        if isinstance(n, ast.For) and isinstance(n.target, ast.Name)
    ]
    arrays = {ast.unparse(n.value) for n in found.values()}
    texts = {*found, *(f"{array}[{step}]" for array in arrays for step in steps)}
    return [ast.parse(text, mode="eval").body for text in sorted(texts)]


def _sums(tree: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """The terms of each variable that is a sum, where it is set once."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = (
                _terms(node.value) if node.targets[0].id not in found else []
            )
    return {name: terms for name, terms in found.items() if len(terms) > 1}


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _added(terms: Sequence[ast.expr]) -> ast.expr:
    return functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), terms)


def _of_parts(node: ast.AST, sums: dict[str, list[ast.expr]]) -> Iterator[Edit]:
    """What is applied to a sum reaches some of its terms alone, or each of them by itself."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ACTIVATIONS:
        name, argument = ast.unparse(node.func), node.args[0]
        short = name.replace("np.", "")
        for inside, outside in _halves(argument, sums):
            rest = f"{said(_added(outside))}"
            words = f"adds {rest} after {short}: it belongs inside"
            yield Edit(node, _added([_call(name, _added(inside)), *outside]), words, 2)
            each = [_call(name, _added(part)) for part in (inside, outside)]
            words = f"takes {short} of {said(_added(inside))} and of {rest} apart, not of their sum"
            yield Edit(node, _added(each), words, 3)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for factor, other in ((node.left, node.right), (node.right, node.left)):
            for inside, outside in _halves(factor, sums):
                missed = term(_added(outside))
                words = (
                    f"multiplies {said(_added(inside))} alone by {said(other)}, and not {missed}"
                )
                to = _added([ast.BinOp(_added(inside), ast.Mult(), other), *outside])
                yield Edit(node, to, words, 2)


def _halves(
    node: ast.expr, sums: dict[str, list[ast.expr]]
) -> Iterator[tuple[list[ast.expr], list[ast.expr]]]:
    """A sum's terms, or those of a variable that is one, parted in two in every way."""
    terms = sums.get(node.id, []) if isinstance(node, ast.Name) else _terms(node)
    for n in range(1, len(terms)):
        for chosen in itertools.combinations(range(len(terms)), n):
            yield (
                [terms[k] for k in chosen],
                [t for k, t in enumerate(terms) if k not in chosen],
            )


def of_arguments(tree: ast.FunctionDef) -> Iterator[Edit]:
    """Two arguments that are taken for one another, everywhere; a sequence's axes that are."""
    if any(isinstance(node, ast.For) for node in ast.walk(tree)):
        for name in ("x", "dhs"):
            if name in (a.arg for a in tree.args.args):
                text = f"{name} = {name}.swapaxes(0, 1)"
                changed = copy.copy(tree)
                changed.body = [*ast.parse(text).body, *tree.body]
                words = f"takes axis 1 of {name} for the time: its axes are (time, batch, features)"
                yield Edit(tree, changed, words, 2)
    for a, b in itertools.combinations([a.arg for a in tree.args.args], 2):
        other = _Renamed({a: b, b: a}).visit(copy.deepcopy(tree))
        a, b = (SYMBOLS.get(name, name) for name in (a, b))
        yield Edit(tree, other, f"has {a} and {b} swapped", 3)


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node


def _of_operation(node: ast.BinOp, others: list[ast.expr]) -> Iterator[Edit]:
    left, right = node.left, node.right
    if isinstance(node.op, (ast.Add, ast.Sub)):
        opposite = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        minus = "-" if isinstance(node.op, ast.Sub) else ""
        yield Edit(node, left, f"lacks {minus}{term(right)}", 0)
        kept = ast.UnaryOp(ast.USub(), right) if minus else right
        yield Edit(node, kept, f"lacks {term(left)}", 0)
        words, done = ("adds", "subtracted") if minus else ("subtracts", "added")
        yield Edit(
            node,
            ast.BinOp(left, opposite, right),
            f"{words} {said(right)}, which is to be {done}",
            0,
        )
        for part in (left, right):
            yield Edit(node, ast.BinOp(node, node.op, part), f"has {said(part)} twice", 2)
        times = ast.BinOp(left, ast.Mult(), right)
        yield Edit(node, times, f"multiplies {said(left)} and {said(right)} instead of adding", 2)
        yield Edit(
            node, ast.BinOp(right, node.op, left), f"has {said(left)} and {said(right)} swapped", 2
        )
        if minus and _one(left):
            yield from _of_slope(node, right)
    elif isinstance(node.op, ast.Mult) and ast.dump(left) == ast.dump(right):
        yield Edit(node, left, f"has {said(left)} in place of {said(node)}", 0)
        for other in others:
            square = ast.BinOp(other, ast.Mult(), other)
            yield Edit(node, square, f"has {said(square)} in place of {said(node)}", 1)
    elif isinstance(node.op, (ast.Mult, ast.Div)):
        product = isinstance(node.op, ast.Mult)
        rest = right if product else ast.BinOp(ast.Constant(1), ast.Div(), right)
        yield Edit(node, left, f"lacks {term(right)}", 0)
        yield Edit(node, rest, f"lacks {term(left)}", 0)
        if product:
            words = f"adds {said(left)} and {said(right)} instead of multiplying"
            yield Edit(node, ast.BinOp(left, ast.Add(), right), words, 2)
            yield from _of_sigmoid_slope(node)
        else:
            yield Edit(node, ast.BinOp(right, ast.Div(), left), "is upside down", 2)
    elif isinstance(node.op, ast.MatMult):
        yield Edit(node, ast.BinOp(right, ast.MatMult(), left), "has its factors swapped", 2)
        turned = [(_turned(left), right, left), (left, _turned(right), right)]
        for a, b, what in turned:
            if not isinstance(what, ast.Attribute):
                words = f"uses {said(what)} transposed"
                yield Edit(node, ast.BinOp(a, ast.MatMult(), b), words, 1)
        whole = _turned(node)
        yield Edit(node, whole, "is transposed", 2)


def _of_slope(node: ast.BinOp, square: ast.AST) -> Iterator[Edit]:
    """1 - y^2 is tanh's derivative, y (1 - y) sigmoid's."""
    if isinstance(square, ast.BinOp) and ast.dump(square.left) == ast.dump(square.right):
        y = square.left
        slope = ast.BinOp(y, ast.Mult(), ast.BinOp(ast.Constant(1), ast.Sub(), y))
        yield Edit(
            node, slope, "has sigmoid's derivative, y (1 - y), where tanh's, 1 - y^2, is right", 0
        )
        for name in ACTIVATIONS:
            applied = _call(name, y)
            wrong = ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(applied, ast.Mult(), applied))
            words = f"takes {said(applied)} in 1 - {said(square)}, where {said(y)} is right already"
            yield Edit(node, wrong, words, 1)


def _of_sigmoid_slope(node: ast.BinOp) -> Iterator[Edit]:
    y, rest = node.left, node.right
    if isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Sub) and _one(rest.left):
        if ast.dump(rest.right) != ast.dump(y):
            return
        slope = ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(y, ast.Mult(), y))
        yield Edit(
            node, slope, "has tanh's derivative, 1 - y^2, where sigmoid's, y (1 - y), is right", 0
        )
        words = f"lacks the derivative of the sigmoid, {said(node)}"
        yield Edit(node, ast.Constant(1), words, 0)
        applied = _call("sigmoid", y)
        wrong = ast.BinOp(applied, ast.Mult(), ast.BinOp(ast.Constant(1), ast.Sub(), applied))
        words = f"takes sigmoid({said(y)}) in {said(node)}, where {said(y)} is right already"
        yield Edit(node, wrong, words, 1)


def _one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1


def _turned(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


def _call(name: str, argument: ast.expr) -> ast.Call:
    return ast.Call(ast.parse(name, mode="eval").body, [argument], [])


def _of_call(node: ast.Call) -> Iterator[Edit]:
    name = ast.unparse(node.func)
    if name in ACTIVATIONS:
        argument = node.args[0]
        short = name.replace("np.", "")
        yield Edit(node, argument, f"lacks {short}", 0)
        for other in (*ACTIVATIONS, "relu", "np.exp"):
            if other != name:
                called = (
                    ast.Call(
                        ast.parse("np.maximum", mode="eval").body, [argument, ast.Constant(0)], []
                    )
                    if other == "relu"
                    else _call(other, argument)
                )
                yield Edit(node, called, f"has {other.replace('np.', '')} in place of {short}", 0)
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
        yield from _of_sum(node)
    elif name in ("min", "max"):
        other = "max" if name == "min" else "min"
        yield Edit(
            node,
            ast.Call(ast.Name(other, ast.Load()), node.args, []),
            f"takes the {other} in place of the {name}",
            1,
        )
        for kept, dropped in (node.args, node.args[::-1]):
            yield Edit(
                node, kept, f"takes {said(kept)} alone, without the {name} with {said(dropped)}", 0
            )
    elif name == "np.sqrt":
        yield Edit(node, node.args[0], "lacks the square root", 0)
    elif name == "reversed":
        words = "goes from the first step to the last; backward starts at the last one"
        yield Edit(node, node.args[0], words, 0)
    elif name == "range":
        yield from _of_range(node)
    elif name.endswith(("_forward", "_step", "_backward")):
        for k, argument in enumerate(node.args):
            zero = ast.BinOp(argument, ast.Mult(), ast.Constant(0))
            if isinstance(argument, ast.Name):
                arguments = [*node.args[:k], zero, *node.args[k + 1 :]]
                words = f"gets zeros in place of {term(argument)}"
                yield Edit(node, ast.Call(node.func, arguments, []), words, 1, name)


def _of_sum(node: ast.Call) -> Iterator[Edit]:
    assert isinstance(node.func, ast.Attribute)
    what = node.func.value
    mean = ast.Call(ast.Attribute(what, "mean", ast.Load()), node.args, node.keywords)
    yield Edit(node, mean, f"is a mean where the sum is right: {said(what)} is averaged", 0)
    asked = [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
    for axis, keep in itertools.product((0, 1, None), (False, True)):
        keywords = [ast.keyword("axis", ast.Constant(axis))]
        keywords += [ast.keyword("keepdims", ast.Constant(True))] if keep else []
        if asked and (axis, keep) != (asked[0], False):
            words = f"sums over axis {axis}, and axis {asked[0]!r} is right"
            if axis is None:
                words = f"sums over all axes, and axis {asked[0]!r} alone is right"
            if keep:
                words = "keeps an axis too many: sum without keepdims=True"
            yield Edit(node, ast.Call(node.func, [], keywords), words, 1 + keep)
    first = ast.Subscript(what, ast.Constant(0), ast.Load())
    yield Edit(node, first, f"is the first row alone, where {said(what)} is to be summed", 2)
    yield Edit(node, what, "is not summed over the batch", 2)
    square = isinstance(what, ast.BinOp) and ast.dump(what.left) == ast.dump(what.right)
    bare = what.left if square and isinstance(what, ast.BinOp) else what
    absolute = ast.Attribute(_call("np.abs", bare), "sum", ast.Load())
    words = f"sums absolute values, where {said(what)} is right"
    yield Edit(node, ast.Call(absolute, [], []), words, 3)
    largest = ast.Attribute(what, "max", ast.Load())
    yield Edit(node, ast.Call(largest, [], []), "is the largest value in place of the sum", 3)


def _of_range(node: ast.Call) -> Iterator[Edit]:
    start, stop, *step = node.args if len(node.args) > 1 else (ast.Constant(0), *node.args)
    less = ast.BinOp(stop, ast.Sub(), ast.Constant(1))
    more = ast.BinOp(start, ast.Add(), ast.Constant(1))
    yield Edit(node, ast.Call(node.func, [start, less, *step], []), "leaves out the last step", 1)
    yield Edit(node, ast.Call(node.func, [more, stop, *step], []), "leaves out the first step", 1)
    if step:
        whole = ast.BinOp(ast.BinOp(stop, ast.Sub(), step[0]), ast.Add(), ast.Constant(1))
        words = "leaves out the last chunk, which is shorter than k"
        yield Edit(node, ast.Call(node.func, [start, whole, *step], []), words, 0)
        only = ast.Call(node.func, [start, stop, ast.BinOp(stop, ast.Add(), ast.Constant(1))], [])
        yield Edit(node, only, "takes one step alone", 3)
    else:
        words = "goes from the last step to the first"
        yield Edit(node, ast.Call(ast.Name("reversed", ast.Load()), [node], []), words, 1)


def _of_index(node: ast.Subscript, others: list[ast.expr]) -> Iterator[Edit]:
    at, array = node.slice, node.value
    if isinstance(at, ast.Slice) or (isinstance(at, ast.Name) and at.id == "here"):
        return
    for sign, op in (("-", ast.Sub()), ("+", ast.Add())):
        moved = ast.Subscript(array, ast.BinOp(at, op, ast.Constant(1)), node.ctx)
        index = ast.parse(_sum(at, sign), mode="eval").body
        wrong = said(ast.Subscript(array, index, node.ctx))
        yield Edit(node, moved, f"is off by one: {wrong} in place of {said(node)}", 1)
    for fixed, words in ((0, "the first"), (-1, "the last")):
        other = ast.Subscript(array, ast.Constant(fixed), node.ctx)
        said_so = f"uses {words} entry {said(array)}[{fixed}] in place of {said(node)}"
        yield Edit(node, other, said_so, 2)
    back = ast.BinOp(ast.UnaryOp(ast.USub(), at), ast.Sub(), ast.Constant(1))
    turned = ast.Subscript(array, back, node.ctx)
    yield Edit(node, turned, f"takes {said(array)} from the last step to the first", 1)
    if isinstance(node.ctx, ast.Load):
        if isinstance(at, ast.Name):  # t: all but the last step's are passed over
            end = ast.parse(f"({at.id} == len({ast.unparse(array)}) - 1)", mode="eval").body
            words = (
                f"takes {said(array)} of the last step alone: {said(node)} belongs to every step"
            )
            yield Edit(node, ast.BinOp(node, ast.Mult(), end), words, 2)
        for expression in others:
            if ast.unparse(expression) != ast.unparse(node):
                words = f"has {said(expression)} in place of {said(node)}"
                yield Edit(node, expression, words, 2)


def _sum(at: ast.AST, sign: str) -> str:
    """``t - 1`` moved by one is ``t`` or ``t - 2``."""
    text = ast.unparse(at)
    found = re.fullmatch(r"(\w+) - 1", text)
    if found:
        return found[1] if sign == "+" else f"{found[1]} - 2"
    return f"{text} {sign} 1"


def _of_order(node: ast.Tuple | ast.List, statement: ast.stmt) -> Iterator[Edit]:
    """Other orders of what is unpacked, joined or returned: all of up to four, else two swapped."""
    n = len(node.elts)
    orders = (
        list(itertools.permutations(range(n)))[1:]
        if n <= 4
        else [_swapped(n, i, j) for i, j in itertools.combinations(range(n), 2)]
    )
    gates = n == 4
    for order in orders:
        moved = [node.elts[k] for k in order]
        pair = [node.elts[k] for k in range(n) if order[k] != k]
        # one list, so that each keeps its context (load or store)
        to = type(node)(moved, node.ctx)
        names = [said(e) for e in pair]
        if len(pair) == 2:
            words = f"has {names[0]} and {names[1]} swapped"
        else:
            listed = ", ".join(said(e) for e in moved)
            words = f"has the order {listed}, where {', '.join(map(said, node.elts))} is right"
        subject = "the split into gates" if gates and isinstance(node.ctx, ast.Store) else ""
        yield Edit(node, to, words, 0 if len(pair) == 2 else 2, subject)


def _swapped(n: int, i: int, j: int) -> tuple[int, ...]:
    order = list(range(n))
    order[i], order[j] = j, i
    return tuple(order)


def _of_constant(node: ast.Constant) -> Iterator[Edit]:
    for other in (0, 1, 2, -1, 0.5):
        if other != node.value:
            yield Edit(node, ast.Constant(other), f"has {other} in place of {node.value!r}", 3)


def _of_comparison(node: ast.Compare) -> Iterator[Edit]:
    opposite = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
    other = opposite.get(type(node.ops[0]))
    if other is not None:
        turned = ast.Compare(node.left, [other()], node.comparators)
        yield Edit(node, turned, f"asks for {said(turned)}, where {said(node)} is right", 1)


def _of_choice(node: ast.IfExp) -> Iterator[Edit]:
    before = isinstance(node.body, ast.Subscript)  # hs[t - 1] if t > 0 else h0
    last = f"{said(node.body)}, index -1, the last step's, at t = 0: {said(node.orelse)} is right"
    always = f"{said(node.body)} whether {said(node.test)} or not"
    yield Edit(node, node.body, f"is {last if before else always}", 1)
    yield Edit(
        node,
        node.orelse,
        f"is {said(node.orelse)} at every step" if before else f"is always {said(node.orelse)}",
        1,
    )
    if before:
        zero = ast.IfExp(node.test, node.body, ast.BinOp(node.orelse, ast.Mult(), ast.Constant(0)))
        yield Edit(node, zero, f"is zero at t = 0 in place of {said(node.orelse)}", 1)


def _of_name(node: ast.Name, others: list[ast.expr]) -> Iterator[Edit]:
    for other in others:
        if ast.unparse(other) != node.id:
            yield Edit(node, other, f"has {said(other)} in place of {said(node)}", 2)
    for activation in ACTIVATIONS:
        called = _call(activation, node)
        yield Edit(node, called, f"has {said(called)} in place of {said(node)}", 3)
    zero = ast.BinOp(node, ast.Mult(), ast.Constant(0))
    yield Edit(node, zero, f"has zeros in place of {said(node)}", 2)
    squared = ast.BinOp(node, ast.Mult(), node)
    yield Edit(node, squared, f"has {said(squared)} in place of {said(node)}", 4)
    for sign, op in (("+", ast.Add()), ("-", ast.Sub())):
        moved = ast.BinOp(node, op, ast.Constant(1))
        yield Edit(node, moved, f"has {said(node)} {sign} 1 in place of {said(node)}", 4)
    for other in others:
        if isinstance(other, ast.Name):
            rest = ast.BinOp(ast.Constant(1), ast.Sub(), other)
            yield Edit(node, rest, f"has 1 - {said(other)} in place of {said(node)}", 4)
    row = ast.Subscript(node, ast.Constant(0), ast.Load())
    yield Edit(node, row, f"has the first entry of {said(node)} alone", 5)


def _of_statement(tree: ast.FunctionDef, statement: ast.stmt) -> Iterator[Edit]:
    """Sums that only keep the last term, updates that are never made, two statements the wrong way round."""
    if isinstance(statement, ast.AugAssign):
        what = said(statement.target)
        kept = ast.Assign([statement.target], statement.value)
        words = "keeps one step's part alone: the parts are to be added up (+=, not =)"
        yield Edit(statement, kept, words, 0)
        minus = ast.AugAssign(statement.target, ast.Sub(), statement.value)
        yield Edit(statement, minus, f"subtracts what is to be added to {what}", 1)
    if isinstance(statement, (ast.Return, ast.For)):
        return
    kept_names = [t for t in targets(statement) if isinstance(t, ast.Name) and t.id != "_"]
    for target in kept_names if len(targets(statement)) > 1 else ():
        unused = ast.Name("_", ast.Store())
        carried = CARRIED.get(target.id, "")
        subject = said(target) if carried else thing(target.id)
        words = "is never updated" + carried.removeprefix(target.id)
        yield Edit(target, unused, words, 1, subject)
    block = _block(tree, statement)
    if block is tree.body and not isinstance(statement, ast.AugAssign):
        return
    yield Edit(statement, ast.Pass(), "is never updated", 1)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        more = ast.AugAssign(statement.targets[0], ast.Add(), statement.value)
        words = "is added to the one of the step before (+=): = is right"
        yield Edit(statement, more, words, 2)
    at = block.index(statement)
    for other in block[at + 1 :]:
        if not isinstance(other, ast.For):
            words = f"is set too late: {said(other)} comes before it"
            yield _reordered(tree, block, statement, other, words)


def _reordered(
    tree: ast.FunctionDef, block: list[ast.stmt], statement: ast.stmt, after: ast.stmt, words: str
) -> Edit:
    moved = [s for s in block if s is not statement]
    moved.insert(moved.index(after) + 1, statement)
    owner = next(node for node in ast.walk(tree) if getattr(node, "body", None) is block)
    changed = copy.copy(owner)
    changed.body = moved  # type: ignore[attr-defined]
    return Edit(owner, changed, words, 2)


def _block(tree: ast.FunctionDef, statement: ast.stmt) -> list[ast.stmt]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and statement in body:
            return body
    raise AssertionError("a statement is in some block")


def _of_whole_value(statement: ast.stmt, names: list[str]) -> Iterator[Edit]:
    """A factor or a term too many: any variable of the solution, once more."""
    value = statement.value  # type: ignore[attr-defined]
    if isinstance(value, (ast.Tuple, ast.List)) or isinstance(statement, ast.Return):
        return
    for name in names:
        extra = ast.Name(name, ast.Load())
        more: tuple[tuple[ast.operator, str], ...] = (
            (ast.Mult(), "a factor"),
            (ast.Add(), "a term"),
            (ast.Div(), "a division by"),
        )
        for op, words in more:
            to = ast.BinOp(value, op, extra)
            yield Edit(value, to, f"has {words} {said(extra)} too many", 4)
        slope = ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(extra, ast.Mult(), extra))
        to = ast.BinOp(value, ast.Mult(), slope)
        yield Edit(value, to, f"has a factor 1 - {said(extra)}^2 too many", 4)
    yield Edit(value, ast.UnaryOp(ast.USub(), value), "has the wrong sign", 1)
    for factor, words in ((2, "twice"), (0.5, "half of")):
        to = ast.BinOp(value, ast.Mult(), ast.Constant(factor))
        yield Edit(value, to, f"is {words} what it should be", 3)
    for one in (1, -1):
        to = ast.BinOp(value, ast.Add(), ast.Constant(one))
        yield Edit(value, to, f"has {one:+d} too many", 4)
    for activation in ACTIVATIONS:
        words = f"has {activation.replace('np.', '')} applied once too often"
        yield Edit(value, _call(activation, value), words, 3)
