"""What depends on what, as a graph of names or ids. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def cycle_in(edges: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """One cycle as [a, b, ..., a]; [] when there is none. Without recursion: the graph comes from outside."""
    is_done: set[Node] = set()
    for root in edges:
        if root in is_done:
            continue
        path: list[Node] = [root]
        on_path = {root}
        waiting: list[Iterator[Node]] = [iter(edges.get(root, ()))]
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                left = path.pop()
                on_path.discard(left)
                is_done.add(left)
            elif following in on_path:
                return [*path[path.index(following) :], following]
            elif following not in is_done:
                path.append(following)
                on_path.add(following)
                waiting.append(iter(edges.get(following, ())))
    return []
