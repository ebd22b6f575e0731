"""Recorded results say what they were made with, as it was before they were written."""

import json

import pandas as pd

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
    assert json.loads((tmp_path / "kept.json").read_text()) == table.attrs
