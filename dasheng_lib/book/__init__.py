"""What the chapters call, and (in :mod:`dasheng_lib.book.driver`) what builds the book.

Here are the names that every chapter may need. ``pretraining`` turns the parameters of a run into
its configuration; ``plots`` is the look of the figures, and each ``plots_*`` draws those of one
subject; any other module is the bookkeeping of one subject, imported where a chapter needs it, so
that an edit runs no other chapter again.
"""

import pandas as pd

from dasheng_lib.book.captions import caption, paragraph
from dasheng_lib.book.findings import finding, on_front_page
from dasheng_lib.book.parameters import (
    CORPUS,
    at_least,
    between,
    check_parameters,
    one_of,
)
from dasheng_lib.book.sentences import change, listed, standing, tally
from dasheng_lib.book.sources import NOW, PUBLISHED, three_columns
from dasheng_lib.book.verdicts import verdict
from dasheng_lib.common.provenance import provenance

# pyarrow, which is here to write Parquet, would keep the strings of chapters in a slower way.
pd.options.mode.string_storage = "python"

__all__ = [
    "CORPUS",
    "NOW",
    "PUBLISHED",
    "at_least",
    "between",
    "caption",
    "change",
    "check_parameters",
    "finding",
    "listed",
    "on_front_page",
    "one_of",
    "paragraph",
    "provenance",
    "standing",
    "tally",
    "three_columns",
    "verdict",
]
