"""Where do boxes stand that have no time? In lanes from below: what takes a value above what gives it.

A lane is two columns: values go up in the left one, weights stand in the right one. Under a row of boxes is
a shelf for what only comes in: inputs, and the weights of the layers above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...graphs.blocks import Block

Shelved = tuple[object, Block, bool]  # what stands under a box, the box, and whether it is weights


class Lanes:
    """Columns and rows for some blocks, and for what stands under them.

    ``under`` are the weights by the block under which they stand, ``beside`` the blocks that have weights at
    their right side. ``place`` says where each is: (column, row); a block with weights is two columns wide.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        under: Mapping[object, Block],
        beside: Mapping[object, Block],
        lanes: int,
    ) -> None:
        self.lanes = lanes
        order = sorted(blocks, key=lambda block: min(block.nodes))
        self.users: dict[Block, list[Block]] = {}
        for block in order:
            for source, _, _ in block.feeds:
                self.users.setdefault(source, []).append(block)
        self.inputs = [b for b in order if b.kind == "input" and b in self.users]
        self.boxes = [b for b in order if b not in self.inputs]
        self.place: dict[object, tuple[int, int]] = {}
        self._lane: dict[Block, int] = {}
        level = 0
        waiting = set(self.inputs)
        for row in self._rows():
            self._choose_lanes(row)
            mine: list[Shelved] = [(w, b, True) for w, b in under.items() if b in row]
            inputs = [
                b for b in self.inputs if b in waiting and not set(self.users[b]).isdisjoint(row)
            ]
            waiting.difference_update(inputs)
            mine += [(b, next(u for u in row if u in self.users[b]), False) for b in inputs]
            shelves = self._shelves(mine)
            for k, shelf in enumerate(reversed(shelves)):
                self.place.update({thing: (column, level + k) for column, thing in shelf.items()})
            level += len(shelves)
            self.place.update({block: (2 * self._lane[block], level) for block in row})
            for weights, block in beside.items():
                if block in row:
                    self.place[weights] = (2 * self._lane[block] + 1, level)
            level += 1
        left = min((column for column, _ in self.place.values()), default=0)
        left -= left % 2
        self.place = {thing: (c - left, k) for thing, (c, k) in self.place.items()}
        self.count = max((c for c, _ in self.place.values()), default=0) // 2 * 2 + 2

    def _rows(self) -> Iterator[list[Block]]:
        """The boxes by how far from the beginning they are; what goes on from a layer's state beside it."""
        depth: dict[Block, int] = {}
        for block in self.boxes:
            before = [(s, role) for s, _, role in block.feeds if s in depth]
            depth[block] = max((depth[s] + (not role) for s, role in before), default=0)
        for level in sorted({*depth.values()}):
            row = [block for block in self.boxes if depth[block] == level]
            for k in range(0, len(row), self.lanes):
                yield row[k : k + self.lanes]

    def _choose_lanes(self, row: Sequence[Block]) -> None:
        """Each near what it takes; right of the layer from whose state it goes on."""
        taken: set[int] = set()
        for block in row:
            near = [self._lane[s] + bool(role) for s, _, role in block.feeds if s in self._lane]
            start = near[0] if near else 0
            self._lane[block] = next(k for k in _outward(start, self.lanes) if k not in taken)
            taken.add(self._lane[block])

    def _shelves(self, things: Sequence[Shelved]) -> list[dict[int, object]]:
        """What stands under a row, the upper shelf first: at its side of the lane, or near it."""
        shelves: list[dict[int, object]] = []
        for thing, block, weights in things:
            column = 2 * self._lane[block] + weights
            wanted = [
                column,
                *(
                    c
                    for lane in _outward(column // 2, self.lanes)
                    for c in (2 * lane, 2 * lane + 1)
                ),
            ]
            for shelf in shelves:
                free = [c for c in wanted if c not in shelf]
                if free:
                    shelf[free[0]] = thing
                    break
            else:
                shelves.append({column: thing})
        return shelves


def _outward(middle: int, lanes: int) -> Iterator[int]:
    """A lane, and those beside it, right ones first."""
    half = lanes // 2
    for k in range(2 * lanes):
        for lane in (middle + k, middle - k):
            if -half <= lane <= half:
                yield lane
