"""Recorded results say what they were made with, as it was before they were written."""

import json

import pandas as pd
import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.results import recorded


def test_the_commit_is_looked_up_before_the_table_changes_the_checkout(tmp_path, monkeypatch):
    path = tmp_path / "kept"
    seen = []
    monkeypatch.setattr(
        recorded,
        "provenance",
        lambda: seen.append((tmp_path / "kept.csv").exists()) or {"commit": 1},
    )
    recorded.write_results(path, pd.DataFrame({"x": [1.5]}), "dasheng do", seconds=2)
    assert seen == [False]
    table = recorded.read_results("kept", tmp_path)
    assert table["x"].tolist() == [1.5]
    assert table.attrs == {"command": "dasheng do", "seconds": 2, "commit": 1}
    told = json.loads((tmp_path / "kept.json").read_text())
    assert told.pop("sha256") and told == table.attrs


DAMAGES = {
    "another digit": ("kept.csv", lambda b: b.replace(b"1.5", b"2.5")),
    "a row less": ("kept.csv", lambda b: b[:-4]),
    "an empty table": ("kept.csv", lambda b: b""),
    "no origin": ("kept.json", lambda b: b""),
    "half an origin": ("kept.json", lambda b: b[:30]),
    "an origin of another shape": ("kept.json", lambda b: b"[1]"),
    "an origin that is no text": ("kept.json", lambda b: b"\xff" + b),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_table_that_was_changed_is_not_taken_for_a_record(tmp_path, what):
    recorded.write_results(tmp_path / "kept", pd.DataFrame({"x": [1.5, 3]}), "dasheng do")
    name, change = DAMAGES[what]
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(UserError, match=r"kept\.csv and the \.json beside it do not belong"):
        recorded.read_results("kept", tmp_path)


def test_a_record_from_before_hashes_is_read_and_stamped(tmp_path):
    recorded.write_results(tmp_path / "kept", pd.DataFrame({"x": [1.5]}), "dasheng do")
    path = tmp_path / "kept.json"
    whole = path.read_text()
    origin = json.loads(whole)
    del origin["sha256"]
    path.write_text(json.dumps(origin))
    assert recorded.read_results("kept", tmp_path)["x"].tolist() == [1.5]
    for _ in range(2):
        recorded.stamp(tmp_path / "kept.csv")
        assert path.read_text() == whole
    (tmp_path / "kept.csv").write_text("x\n2\n")
    with pytest.raises(UserError, match=r"is not the table that kept\.json is of"):
        recorded.stamp(tmp_path / "kept.csv")


def test_every_record_of_the_book_is_the_table_that_its_origin_is_of():
    names = [path.stem for path in recorded.FOLDER.glob("*.json")]
    assert names and all(len(recorded.read_results(name)) for name in names)
