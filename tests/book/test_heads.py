"""The lines that a chapter opens with."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.heads import head
from dasheng_lib.book.words import verdicts
from dasheng_lib.book.words.findings import MIME, bundle


def chapter(asks=""):
    return Chapter("01_one", Path("01_one.ipynb"), "One", {}, (), asks, "To count.", new_notebook())


def executed(*said, words=1, figures=0):
    outputs = [new_output("display_data", data={MIME: one}) for one in said]
    outputs += [new_output("display_data", data={"image/png": ""})] * figures
    return new_notebook(
        cells=[new_markdown_cell("word " * words), new_code_cell("", outputs=outputs)]
    )


def verdict(title, saw):
    made = verdicts.bundle(title, "All is *one*.", "It is.", "partly", "More.")
    return made[MIME] | {"claim": "All is *one*.", "saw": saw}


def test_a_claim_its_verdict_what_to_know_and_how_long():
    text = head(chapter(), executed(verdict("One", "2 of 3 are.")), {"seconds": 12.3})
    assert text.splitlines()[2:-1] == [
        r"- **Claim.** All is \*one\*.",
        '- **Found.** <a href="#finding-one">One</a>: *partly supported*. 2 of 3 are.',
        "- **To know before.** To count.",
        "- **Time.** 1 min to read, 12 s to run.",
    ]


def test_of_several_claims_each_has_its_word():
    text = head(chapter(), executed(verdict("One", ""), verdict("Two", "")), {})
    assert "**Claims.**" in text
    assert text.count("*partly supported*") == 2 and ">One</a>" in text and ">Two</a>" in text


def test_without_a_claim_stand_a_question_and_the_first_sentence_of_the_finding():
    found = bundle("Sums", "The mean is 2.5 of 4. Then more.")[MIME]
    text = head(chapter("How much?"), executed(found), {"seconds": 600})
    assert "**Question.** How much?" in text and "**Found.** The mean is 2.5 of 4." in text
    assert "Then more" not in text and "10 min to run" in text


@pytest.mark.parametrize(("words", "figures", "minutes"), [(200, 0, 1), (201, 0, 2), (200, 5, 2)])
def test_minutes_to_read_grow_with_words_and_figures(words, figures, minutes):
    text = head(chapter("?"), executed(words=words, figures=figures), {})
    assert f"{minutes} min to read" in text
