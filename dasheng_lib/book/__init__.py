"""What the chapters call, and (in :mod:`dasheng_lib.book.driver`) what builds the book.

Here are the names that every chapter may need. ``pretraining`` turns the parameters of a run into
its configuration; any other module here is the bookkeeping of one subject, imported where a chapter
needs it, so that an edit runs no other chapter again. In ``figures`` lies what is drawn, touched or
heard (``plots`` is the look, each ``plots_*`` one subject), in ``words`` what turns with a number.
"""

import pandas as pd

from dasheng_lib.book.parameters import (
    CORPUS,
    at_least,
    between,
    check_parameters,
    one_of,
)
from dasheng_lib.book.words.captions import caption, paragraph
from dasheng_lib.book.words.findings import finding, on_front_page
from dasheng_lib.book.words.sentences import change, listed, standing, tally
from dasheng_lib.book.words.sources import NOW, PUBLISHED, three_columns
from dasheng_lib.book.words.verdicts import verdict
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
