"""What the book is made of: the table of contents, and each chapter with its parameters."""

from __future__ import annotations

import ast
import difflib
import graphlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from dasheng_lib.common.errors import UserError, reading
from dasheng_lib.common.yaml_files import read_yaml

MEND = "mend it, or take it from the repository again"
GENERATED = ("status", "changelog")  # pages of the table of contents that a build writes
PLAIN_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "list": list}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    annotation: Any
    default: Any
    help: str


@dataclass(frozen=True, eq=False)
class Chapter:
    """A notebook of the book, as it lies in the source.

    Attributes:
        name: file name without its ending.
        title: text of its first heading.
        parameters: by name, in the order of the cell.
        after: chapters that are run before it, from the notebook's metadata
            ``{"companion": {"after": ["03_pretraining"], "asks": "…", "needs": "…",
            "seconds": 60}}``.
        asks: its question, where it puts no claim to the test.
        needs: what one has to know before, in Markdown.
        notebook: nbformat 4; never changed.
        seconds: about what it takes from an empty cache on two cores.
    """

    name: str
    path: Path
    title: str
    parameters: dict[str, Parameter]
    after: tuple[str, ...]
    asks: str
    needs: str
    notebook: nbformat.NotebookNode
    seconds: float = 30


def read_chapters(book: Path) -> list[Chapter]:
    """The notebooks that ``book/_toc.yml`` lists, in its order.

    Raises:
        UserError: a page that is listed is not there, or a notebook cannot be read.
    """
    chapters = []
    for name in listed_pages(book / "_toc.yml"):
        if (book / f"{name}.ipynb").exists():
            chapters.append(read_chapter(book / f"{name}.ipynb"))
        elif name not in GENERATED and not (book / f"{name}.md").exists():
            raise UserError(
                f"{book / '_toc.yml'} lists {name}, but there is neither {name}.ipynb nor "
                f"{name}.md in {book}: add the file or take its line out."
            )
    return chapters


def listed_pages(toc: Path) -> list[str]:
    """Every ``file:`` and ``root:`` of a table of contents, in order."""
    if not toc.exists():
        raise UserError(f"{toc} is missing: run this inside a checkout of the book.")

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (str(node[key]) for key in ("root", "file") if key in node)
            node = [node.get(key) for key in ("parts", "chapters", "sections")]
        if isinstance(node, list):
            for child in node:
                yield from walk(child)

    try:
        names = [*walk(read_yaml(toc, MEND))]
    except RecursionError:  # a node that holds itself
        names = []
    if not names:
        raise UserError(f"{toc} lists no page: write `root: intro`, and `file:` for each chapter.")
    return [name.removesuffix(".md").removesuffix(".ipynb") for name in names]


def read_chapter(path: Path) -> Chapter:
    """Read a notebook, without its outputs and without a cell that an earlier run injected."""
    with reading(path, "a notebook", MEND):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    notebook.cells = [
        cell for cell in notebook.cells if "injected-parameters" not in cell_tags(cell)
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    sources = [c.source for c in notebook.cells if "parameters" in cell_tags(c)]
    if len(sources) > 1:
        raise UserError(f"{path} has {len(sources)} cells tagged parameters: keep one.")
    companion = notebook.metadata.get("companion", {})
    try:
        after = companion.get("after", [])
        asks, needs = companion.get("asks", ""), companion.get("needs", "")
        seconds = float(companion.get("seconds", Chapter.seconds))
        if isinstance(after, str) or not all(isinstance(t, str) for t in (asks, needs, *after)):
            raise TypeError
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: `companion` in its metadata must read {{'after': [CHAPTER, ...], 'asks': "
            "'a question', 'needs': 'what to know before', 'seconds': 60}, each of which may be "
            "left out."
        ) from error
    return Chapter(
        name=path.stem,
        path=path,
        title=_title(notebook) or path.stem,
        parameters=read_parameters(sources[0], str(path)) if sources else {},
        after=tuple(after),
        asks=asks,
        needs=needs,
        notebook=notebook,
        seconds=seconds,
    )


def cell_tags(cell: nbformat.NotebookNode) -> list[str]:
    """Tags of a cell."""
    return cell.metadata.get("tags", [])


def read_parameters(source: str, where: str) -> dict[str, Parameter]:
    """Parse ``name: type = literal  # help`` lines; ``where`` names the notebook in errors."""
    lines = io.StringIO(source).readline
    try:
        tokens, body = [*tokenize.generate_tokens(lines)], ast.parse(source).body
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise UserError(f"The parameters cell of {where} is not Python: {error}.") from error
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for node in body:
        try:
            name = node.target.id  # type: ignore[attr-defined]
            annotation = _annotation(node.annotation)  # type: ignore[attr-defined]
            default = ast.literal_eval(node.value)  # type: ignore[attr-defined]
        except (AttributeError, ValueError, TypeError, RecursionError, MemoryError) as error:
            line = ast.unparse(node)
            raise UserError(
                f"The parameters cell of {where} has the line {line!r}: each line must read "
                "`name: type = value  # what it does`, the type made of int, float, bool, str, "
                "list[...] and None, the value written out."
            ) from error
        parameters[name] = Parameter(name, annotation, default, comments.get(node.end_lineno, ""))
    return parameters


def in_order(chapters: list[Chapter]) -> list[Chapter]:
    """Each chapter behind those it comes after; otherwise as listed.

    Raises:
        UserError: a chapter comes after one that is not listed, or after itself by a detour.
    """
    after = {chapter.name: set(chapter.after) for chapter in chapters}
    for chapter in chapters:
        for name in chapter.after:
            if name not in after:
                raise UserError(
                    f"{chapter.path} says that it comes after {name}, which the table of contents "
                    "does not list."
                )
    try:
        graphlib.TopologicalSorter(after).prepare()
    except graphlib.CycleError as error:
        raise UserError(
            "These chapters wait for one another in a circle: "
            + " after ".join(reversed(error.args[1]))
            + ". Mend `companion.after` in the metadata of one of them."
        ) from error
    order, left = [], list(chapters)
    while left:
        order.append(next(c for c in left if after[c.name] <= {done.name for done in order}))
        left.remove(order[-1])
    return order


def select(chapters: list[Chapter], wanted: Iterable[str]) -> list[Chapter]:
    """The chapters that are meant by "05_knn", "5", "05" or "knn"; all for nothing.

    Raises:
        UserError: a name means no chapter, or more than one.
    """
    names = [chapter.name for chapter in chapters]
    chosen = set()
    for word in wanted:
        found = [name for name in names if _means(word, name)]
        if len(found) != 1:
            near = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}? " if near and not found else ""
            state = "more than one chapter" if found else "no chapter"
            raise UserError(f"--only {word} means {state}: {hint}There are {', '.join(names)}.")
        chosen.add(found[0])
    return [chapter for chapter in chapters if chapter.name in chosen or not chosen]


def _means(word: str, name: str) -> bool:
    word = Path(word).name.removesuffix(".ipynb")
    number, _, rest = name.partition("_")
    if word.isdigit() and number.isdigit():
        return int(word) == int(number)
    return word in (name, rest)


def _title(notebook: nbformat.NotebookNode) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return ""


def _annotation(node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name) if name in PLAIN_TYPES:
            return PLAIN_TYPES[name]
        case ast.Constant(value=None):
            return None
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return list[_annotation(inner)]  # type: ignore[misc]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _annotation(left) | _annotation(right)
    raise ValueError(f"not a type that a parameter can have: {ast.unparse(node)}")
