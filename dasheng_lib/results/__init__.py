"""Printed and recorded numbers, and whether they agree."""

from dasheng_lib.results.agreement import grid as as_printed
from dasheng_lib.results.published import read_table
from dasheng_lib.results.recorded import (
    FOLDER,
    by_fold,
    read_results,
    recordable,
    write_results,
)

__all__ = [
    "FOLDER",
    "as_printed",
    "by_fold",
    "read_results",
    "read_table",
    "recordable",
    "write_results",
]
