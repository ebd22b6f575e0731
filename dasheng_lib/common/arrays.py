"""What a caller hands over as numbers and labels, taken for what it is or refused.

Every public function that compares rows, labels or scores reads them here, so that a column, a
table, bfloat16 or text gives the right number or a ValueError, and never another number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NUMBERS = "biuf"  # NumPy's kinds: bool, integers, floats


def numbers(values: Any, name: str, ndim: int | None = None) -> np.ndarray:
    """Real numbers of 64 bits at most in this machine's byte order, not copied where that can be.

    Args:
        values: an array, a tensor of any float type on any device (bfloat16 becomes float32), a
            table, or nested lists.
        name: of them, for the error.
        ndim: dimensions that they must have.

    Raises:
        ValueError: text, dates, complex numbers, lists of unequal lengths, other dimensions.
    """
    if hasattr(values, "detach"):  # a tensor; nothing here imports torch
        if str(values.layout) != "torch.strided" or values.is_quantized:
            raise ValueError(f"{name} are dense numbers, not {values.dtype} ({values.layout})")
        values = values.detach().cpu()
        array = (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
    else:
        _none_masked(values, name)
        array = np.asarray(values)
        if array.dtype == object:  # a table of several types, or of numbers and None
            array = _floats(array, name)
    if array.dtype.kind not in NUMBERS:
        raise ValueError(f"{name} are numbers, not {array.dtype}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} have {ndim} dimensions, not the shape {[*array.shape]}")
    if array.dtype == bool:  # which cannot be subtracted
        array = array.view(np.uint8)
    native = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else np.dtype(np.float64)
    return array if array.dtype == native else array.astype(native)


def column(values: Any, name: str, count: int | None = None) -> np.ndarray:
    """Numbers, one a row: [N], or [N, 1] taken as that.

    Raises:
        ValueError: as :func:`numbers`, or not ``count`` of them.
    """
    return _counted(_flat(numbers(values, name), name), name, count)


def labels(values: Any, name: str, count: int | None = None) -> np.ndarray:
    """Classes, one a row: [N], or [N, 1] taken as that; of numbers or of text.

    Raises:
        ValueError: several a row, both numbers and text, one that is missing, or not ``count``.
    """
    if hasattr(values, "detach"):
        values = numbers(values, name)
    _none_masked(values, name)
    listed = (
        None if hasattr(values, "__array__") else object
    )  # a list may mix what NumPy makes text
    array = _flat(np.asarray(values, listed), name)
    if array.dtype == object:
        if len({isinstance(value, str) for value in array}) > 1:
            raise ValueError(f"{name} are numbers or text, not both, and none of them missing")
        array = np.array(array.tolist())
    if array.dtype.kind not in NUMBERS + "USTmM" or (array != array).any():
        raise ValueError(f"{name} are numbers or text, none of them missing, not {array.dtype}")
    return _counted(array, name, count)


def comparable(one: np.ndarray, other: np.ndarray) -> None:
    """Raise unless two lots of labels can be equal at all: numbers beside text never are.

    Raises:
        ValueError: they cannot.
    """
    kinds = ["number" if y.dtype.kind in NUMBERS else y.dtype.kind for y in (one, other)]
    if len(one) and len(other) and kinds[0] != kinds[1]:
        raise ValueError(f"labels of {one.dtype} and of {other.dtype} are never equal")


def _none_masked(values: Any, name: str) -> None:
    if np.ma.is_masked(values):  # NumPy would hand over what is behind the mask
        raise ValueError(f"{name} are numbers, none of them masked")


def _floats(array: np.ndarray, name: str) -> np.ndarray:
    if any(isinstance(value, str) for value in array.flat):
        raise ValueError(f"{name} are numbers, not text")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} are numbers: {error}") from error


def _flat(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} are one a row, not of the shape {[*array.shape]}")
    return array


def _counted(array: np.ndarray, name: str, count: int | None) -> np.ndarray:
    if count is not None and len(array) != count:
        raise ValueError(f"{count} rows take {count} {name}, not {len(array)}")
    return array
