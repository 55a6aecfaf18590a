"""The optional tree of five whys: one question, several answers, each of which may be asked again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NODES_MAX = 60
DEPTH_MAX = 7
TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class Node:
    """`parent`: 0 for what stands at the top."""

    id: int
    parent: int
    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    node: Node
    depth: int  # 1 at the top


def read(raw: Iterable[Mapping[str, Any]]) -> list[Node]:
    return [Node(int(one["id"]), int(one["parent"]), str(one["text"])) for one in raw]


def write(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    return [{"id": node.id, "parent": node.parent, "text": node.text} for node in nodes]


def branches(nodes: Sequence[Node]) -> list[Branch]:
    """In the order of reading: each node, then what is below it."""
    below: dict[int, list[Node]] = {}
    for node in nodes:
        below.setdefault(node.parent, []).append(node)
    found: list[Branch] = []

    def walk(parent: int, depth: int) -> None:
        for node in below.get(parent, ()):
            found.append(Branch(node, depth))
            if depth < DEPTH_MAX:
                walk(node.id, depth + 1)

    walk(0, 1)
    return found


def added(nodes: Sequence[Node], parent: int, text: str) -> list[Node]:
    """Raises ValueError with a sentence."""
    said = " ".join(text.split())[:TEXT_MAX]
    if not said:
        raise ValueError("write what it came from")
    if len(nodes) >= NODES_MAX:
        raise ValueError(f"{NODES_MAX} answers are enough: go on with the contributing factors")
    depth = next((branch.depth for branch in branches(nodes) if branch.node.id == parent), 0)
    if parent and not depth:
        raise ValueError("that answer is gone: reload the page")
    if depth >= DEPTH_MAX:
        raise ValueError(f"{DEPTH_MAX} levels are enough: stop where a system can be changed")
    return [*nodes, Node(max((node.id for node in nodes), default=0) + 1, parent, said)]


def without(nodes: Sequence[Node], gone: int) -> list[Node]:
    """Without this answer and everything below it."""
    dropped = {gone}
    for branch in branches(nodes):
        if branch.node.parent in dropped:
            dropped.add(branch.node.id)
    return [node for node in nodes if node.id not in dropped]
