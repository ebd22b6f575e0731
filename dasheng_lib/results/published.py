"""Numbers transcribed from the papers, one row for each printed number."""

from __future__ import annotations

import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import PUBLISHED as FOLDER


def read_table(name: str) -> pd.DataFrame:
    """A published table: ``row, column, value, note``; a missing cell has the value NaN.

    Raises:
        UserError: no such table; the sentence lists what there is.
    """
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.csv")))
        raise UserError(f"There is no published table {name!r}: choose one of {known}.")
    return pd.read_csv(path, dtype={"row": str, "column": str, "value": float, "note": str})
