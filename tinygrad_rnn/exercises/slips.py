"""Which slips can a right answer suffer? Its syntax tree with one edit, and the sentence for that."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from .edits import Edit, edits, of_arguments, statements, targets
from .saying import said, thing
from .solutions.lstm import sigmoid

SHARED = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop)  # one object for all trees


@dataclass(frozen=True)
class Slip:
    """One edit of a solution, and the sentence for it: ``subject`` (at t = 2) ``words``."""

    subject: str
    words: str
    right: str  # the statement as it should be
    rank: int  # the plainest explanation first
    function: str  # which one is edited
    edit: Edit


class Solution:
    """A right function with those that it calls, as syntax trees: to be run with an edit or two."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.trees: dict[str, ast.FunctionDef] = {}
        self._scope: dict[str, Any] = {"np": np, "sigmoid": sigmoid}
        self._parents: dict[int, ast.AST] = {}
        self._add(function)
        self._codes = {name: _compiled(tree) for name, tree in self.trees.items()}

    def _add(self, function: Callable[..., Any]) -> None:
        tree = tree_of(function, first=1000 * len(self.trees))
        self.trees[tree.name] = tree
        for node in ast.walk(tree):
            self._parents |= {number(child): node for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            name = node.id if isinstance(node, ast.Name) else ""
            called = inspect.unwrap(function).__globals__.get(name)
            if not inspect.isfunction(called) or name in {*self._scope, *self.trees}:
                continue
            if called.__module__ == function.__module__:  # else it is given, and right
                self._add(called)
            else:
                self._scope[name] = called

    def slips(self) -> list[Slip]:
        """Every single slip, the plainest first, the function's own before those of what it calls."""
        found = [slip for tree in self.trees.values() for slip in slips(tree)]
        return sorted(found, key=lambda slip: slip.rank + (slip.function != self.name))

    def changed(self, *edited: Slip) -> Callable[..., Any]:
        """The function with one slip, or with more."""
        names = dict(self._scope)
        trees: dict[str, ast.FunctionDef] = {}
        for slip in edited:
            tree = trees.get(slip.function, self.trees[slip.function])
            trees[slip.function] = self._with(tree, slip.edit)
        for name, code in self._codes.items():
            exec(_compiled(trees[name]) if name in trees else code, names)
        function: Callable[..., Any] = names[self.name]
        return function

    def _with(self, tree: ast.FunctionDef, edit: Edit) -> ast.FunctionDef:
        """The tree with one node replaced: new along the way to it, and shared beside."""
        way, node = {number(edit.node)}, edit.node
        while number(node) in self._parents:
            node = self._parents[number(node)]
            way.add(number(node))
        made = _replaced(tree, edit, way)
        assert isinstance(made, ast.FunctionDef)
        return made


def _replaced(node: ast.AST, edit: Edit, way: set[int]) -> ast.AST:
    if number(node) == number(edit.node):
        return edit.to
    if number(node) not in way:
        return node
    made = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            setattr(made, name, _replaced(value, edit, way))
        elif isinstance(value, list):
            parts = [_replaced(v, edit, way) if isinstance(v, ast.AST) else v for v in value]
            setattr(made, name, parts)
    return made


def _compiled(tree: ast.FunctionDef) -> CodeType:
    return compile(ast.fix_missing_locations(ast.Module([tree], [])), "<slip>", "exec")


def number(node: ast.AST) -> int:
    """A node of a solution's tree, which edits keep; nodes that an edit adds have none (-1)."""
    found: int = getattr(node, "number", -1)
    return found


def tree_of(function: Callable[..., Any], first: int = 0) -> ast.FunctionDef:
    """A function's syntax tree without docstring and annotations, every node numbered."""
    found = ast.parse(inspect.getsource(function)).body[0]
    assert isinstance(found, ast.FunctionDef)
    found.body = found.body[1:]
    found.returns = None
    for argument in found.args.args:
        argument.annotation = None
    _Plain().visit(found)
    names = [node for node in ast.walk(found) if not isinstance(node, SHARED)]
    for k, node in enumerate(names, first):
        vars(node)["number"] = k
    return found


class _Plain(ast.NodeTransformer):
    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        assert node.value is not None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def slips(tree: ast.FunctionDef) -> list[Slip]:
    """Every single slip of one function."""
    found = [
        Slip(
            edit.subject or _subject(statement),
            edit.words,
            _right(statement),
            edit.rank,
            tree.name,
            edit,
        )
        for statement in statements(tree)
        for edit in edits(tree, statement)
    ]
    return found + [
        Slip(tree.name, edit.words, "", edit.rank, tree.name, edit) for edit in of_arguments(tree)
    ]


def _subject(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Return):
        return "what is returned"
    if isinstance(statement, ast.For):
        return f"the loop over {said(statement.target)}"
    names = targets(statement)
    if len(names) > 1:
        value = statement.value  # type: ignore[attr-defined]
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            return f"the call of {value.func.id}"
        return ", ".join(map(said, names))
    root = names[0]
    while isinstance(root, ast.Subscript):
        root = root.value
    assert isinstance(root, ast.Name)
    return thing(root.id)


def _right(statement: ast.stmt) -> str:
    if isinstance(statement, ast.For):
        return f"for {said(statement.target)} in {said(statement.iter)}"
    return said(statement)
