"""A wrong parameter gets one sentence, before anything runs."""

import json

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from dasheng_lib.book import at_least, between, check_parameters, one_of
from dasheng_lib.book.driver.chapters import read_parameters
from dasheng_lib.book.driver.plan import read_value
from dasheng_lib.book.parameters import ParameterError, conforms
from dasheng_lib.common.errors import UserError

CELL = """\
corpus: str = "pocket"  # which recordings
k: int = 10  # neighbours that vote
ratio: float = 0.75
steps: list[int] = [1, 2]  # counts # of steps
resume: str | None = None
quick: bool = True
"""


def notebook(injected: str = "") -> dict:
    """What a notebook's globals() are after its parameters cell and an injected one."""
    names: dict = {"In": ["", CELL]}
    exec(CELL, names)
    if injected:
        names["In"].append(injected)
        exec(injected, names)
    return names


def test_defaults_pass():
    check_parameters(notebook(), k=at_least(1), ratio=between(0, 1), corpus=one_of("pocket", "x"))


@pytest.mark.parametrize(
    ("injected", "sentence"),
    [
        ("kk = 5", "no parameter kk in this chapter: did you mean k?"),
        ("step = 5", "did you mean steps?"),
        ("k = 0", "k must be at least 1; it is 0"),
        ("k = 2.0", "k must be of type int; it is 2.0, which is of type float"),
        ("k = True", "k must be of type int"),
        ("k = '5'", "k must be of type int; it is '5', which is of type str"),
        ("ratio = 1", "ratio must be between 0 and 1, both excluded; it is 1"),
        ("ratio = 1.5", "ratio must be between 0 and 1"),
        ("ratio = float('nan')", "ratio must be between 0 and 1"),
        ("corpus = 'pokcet'", "corpus must be one of 'pocket', 'synthetic'; it is 'pokcet'"),
        ("steps = '(1, 2)'", "steps must be of type list[int]"),
        ("steps = [1, 'a']", "steps must be of type list[int]"),
        ("steps = [1, 0]", "steps must be at least 1; it is 0"),
        ("resume = 3", "resume must be of type str | None"),
        ("quick = 1", "quick must be of type bool"),
    ],
)
def test_one_sentence_for_each_mistake(injected, sentence):
    with pytest.raises(ParameterError) as caught:
        check_parameters(
            notebook("# Parameters\n" + injected),
            k=at_least(1),
            ratio=between(0, 1, open=True),
            corpus=one_of("pocket", "synthetic"),
            steps=at_least(1),
        )
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_int_passes_for_a_float_and_none_where_it_is_allowed():
    check_parameters(notebook("# Parameters\nratio = 1\nresume = None"), ratio=between(0, 1))


@pytest.mark.parametrize("word", ["true", "false"])
def test_papermills_words_for_yes_and_no_are_understood(word):
    names = notebook(f"# Parameters\nquick = {word!r}")
    check_parameters(names)
    assert names["quick"] is (word == "true")


def test_a_check_of_a_name_that_is_not_a_parameter_is_a_bug_of_the_chapter():
    with pytest.raises(TypeError, match="lacks"):
        check_parameters(notebook(), width=at_least(1))


def test_through_papermill_the_sentence_stands_without_a_traceback(tmp_path):
    path = tmp_path / "chapter.ipynb"
    cells = [
        new_code_cell("k: int = 10  # neighbours", metadata={"tags": ["parameters"]}),
        new_code_cell(
            "from dasheng_lib.book import at_least, check_parameters\n"
            "check_parameters(globals(), k=at_least(1))"
        ),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(path, None, {"kk": 5}, kernel_name="python3", progress_bar=False)
    assert caught.value.ename == "ParameterError"
    assert caught.value.traceback == [
        "ParameterError: There is no parameter kk in this chapter: did you mean k? It has k."
    ]


def test_the_parameters_cell_is_read_as_it_is_written():
    read = read_parameters(CELL, "here")
    assert list(read) == ["corpus", "k", "ratio", "steps", "resume", "quick"]
    assert (read["k"].annotation, read["k"].default, read["k"].help) == (
        int,
        10,
        "neighbours that vote",
    )
    assert read["steps"].annotation == list[int]
    assert read["steps"].help == "counts # of steps"
    assert read["ratio"].help == ""
    assert read["resume"].annotation == (str | None)


@pytest.mark.parametrize(
    "line", ["k = 10", "k: int", "k: tuple = (1, 2)", "k: int = 2 * other", "print(1)"]
)
def test_a_line_that_cannot_be_a_parameter_is_refused(line):
    with pytest.raises(UserError, match=r"01_x\.ipynb has the line"):
        read_parameters(line, "01_x.ipynb")


@pytest.mark.parametrize(
    "source", ["k: int = (", "'''", "k: int = " + "(" * 5000, "k = \0", "k: None | None"]
)
def test_a_cell_that_is_no_python_is_refused(source):
    with pytest.raises(UserError, match=r"01_x\.ipynb"):
        read_parameters(source, "01_x.ipynb")


@pytest.mark.parametrize("name", ["k", "ratio", "corpus", "steps", "resume", "quick"])
@pytest.mark.parametrize(
    "text",
    [
        *["2024-13-45", "!!int a", "!!bool x", "&a [*a]", "!!timestamp x", "? a", "�", "\x00"],
        *['"\\ud800"', "[" * 5000, "{" * 900, "9" * 5000, "9" * 400],
    ],
)
def test_a_hostile_word_is_a_value_or_a_short_sentence(name, text):
    parameter = read_parameters(CELL, "here")[name]
    try:
        value = read_value(text, parameter)
    except UserError as error:
        assert len(str(error)) < 300
    else:
        assert conforms(value, parameter.annotation)
        json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("k", "5", 5),
        ("ratio", "1e-3", 0.001),
        ("ratio", "1", 1),
        ("corpus", "007", "007"),
        ("corpus", "true", "true"),
        ("steps", "[3, 4]", [3, 4]),
        ("resume", "null", None),
        ("resume", "run-1", "run-1"),
        ("quick", "false", False),
    ],
)
def test_a_word_of_the_command_line_is_read_as_the_type_says(name, text, value):
    parameter = read_parameters(CELL, "here")[name]
    read = read_value(text, parameter)
    assert read == value
    assert type(read) is type(value)
    assert conforms(read, parameter.annotation)


@pytest.mark.parametrize(
    ("name", "text"), [("k", "five"), ("k", "1.5"), ("quick", "1"), ("steps", "3"), ("k", "[")]
)
def test_a_word_of_the_wrong_type_is_refused(name, text):
    with pytest.raises(ParameterError, match=f"Parameter {name} must be of type"):
        read_value(text, read_parameters(CELL, "here")[name])
