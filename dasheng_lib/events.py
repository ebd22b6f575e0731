"""Events in time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that sounds from ``start`` to ``end``, in milliseconds from the clip's start."""

    label: str
    start: float
    end: float
