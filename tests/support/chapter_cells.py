"""Cells of the book's chapters, and one run by itself with names that a test gives."""

from pathlib import Path

import matplotlib.pyplot as plt
import nbformat

from dasheng_lib.book import change, listed, standing, tally
from dasheng_lib.book.figures import plots_training

BOOK = Path(__file__).parents[2] / "book"


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def run_cell(chapter, cell_id, **names):
    """Run one cell of a chapter with these names; what it told, and the names that it left."""
    told = []
    names |= {
        "paragraph": told.append,
        "finding": lambda title, text: told.append(text),
        "verdict": lambda title, **parts: told.append(parts),
        "caption": lambda text, *, alt, data=None: told.extend([text, alt]),
        "plots_training": plots_training,
        **{f.__name__: f for f in (change, listed, standing, tally)},
    }
    path = next(BOOK.glob(f"{chapter}_*.ipynb"))
    source = next(cell.source for cell in code_cells(path) if cell.id == cell_id)
    exec(compile(source, f"{path.stem}, {cell_id}", "exec"), names)
    plt.close("all")
    return told, names
