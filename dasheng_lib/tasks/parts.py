"""How recordings are parted into what trains, selects and tests, as rows of a list.

Where something is drawn, scikit-learn draws it from a seed, over the list in its given order: sort
it first, or the parts depend on the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sklearn.model_selection import StratifiedGroupKFold, train_test_split


class Parts(NamedTuple):
    """One fold: its name, and the rows that train, select and test."""

    fold: str
    train: list[int]
    valid: list[int]
    test: list[int]


def official(splits: Sequence[str], seed: int, valid: float = 0.0) -> list[Parts]:
    """The authors' own: rows of ``"train"``, ``"valid"`` and ``"test"``.

    Args:
        valid: share of the training rows that selects, drawn, where the authors name none.
    """
    rows = {name: _rows(splits, name) for name in ("train", "valid", "test")}
    if valid and not rows["valid"]:
        rows["train"], rows["valid"] = _share(rows["train"], valid, seed)
    return [Parts("test", **rows)]


def held_out(names: Sequence[str], seed: int, valid: float) -> list[Parts]:
    """Each name is tested once; a share of the other rows, drawn, selects."""
    found = []
    for name in _ordered(names):
        rest = [row for row, other in enumerate(names) if other != name]
        found.append(Parts(name, *_share(rest, valid, seed), _rows(names, name)))
    return found


def in_turn(names: Sequence[str]) -> list[Parts]:
    """Each name is tested once; the next one, the first after the last, selects."""
    ordered = _ordered(names)
    found = []
    for name, after in zip(ordered, ordered[1:] + ordered[:1], strict=True):
        train = [row for row, other in enumerate(names) if other not in (name, after)]
        found.append(Parts(name, train, _rows(names, after), _rows(names, name)))
    return found


def drawn(count: int, seed: int, test: float, valid: float) -> list[Parts]:
    """One fold: a share of all rows tests, and a share of what is left selects."""
    rest, tested = _share(list(range(count)), test, seed)
    return [Parts("test", *_share(rest, valid, seed), tested)]


def by_group(
    labels: Sequence[str], groups: Sequence[str], seed: int, folds: int = 5
) -> list[Parts]:
    """Folds that split no group, stratified by label; nothing selects.

    Fewer where there are fewer groups or no label has as many rows; none if two cannot be had.
    """
    folds = min(folds, len(set(groups)), max(Counter(labels).values()))
    if folds < 2:
        return []
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    pairs = enumerate(split.split(labels, labels, groups))
    return [Parts(f"{i + 1}", train.tolist(), [], test.tolist()) for i, (train, test) in pairs]


def _rows(names: Sequence[str], name: str) -> list[int]:
    return [row for row, other in enumerate(names) if other == name]


def _ordered(names: Sequence[str]) -> list[str]:
    """The names, 2 before 10."""
    return sorted(set(names), key=lambda name: (len(name), name))


def _share(rows: list[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """The rows without a share of them, and that share; of a single row nothing can be drawn."""
    if len(rows) < 2:
        return rows, []
    return tuple(train_test_split(rows, test_size=share, random_state=seed))
