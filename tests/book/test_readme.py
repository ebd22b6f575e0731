"""The first screen of the README is what the build says."""

import re

import pytest

from dasheng_lib.book.driver.readme import write_readme
from dasheng_lib.common.errors import UserError

PICTURE = (
    '<img src="data:image/png;base64,AAEC" alt="x"/><figcaption>a &amp; b</figcaption>'
    '<img src="data:image/png;base64,AwQF" alt="y"/><figcaption>painted</figcaption>'
)
CLAIMS = [{"claim": "One | two", "saw": "3 of 4.", "verdict": "cannot tell", "title": "t"}]
BLOCK = "<!-- made by `dasheng book --readme` -->\n<!-- end -->\n"


def test_picture_and_claims_replace_what_stood_there(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# One\n\n{BLOCK}\nTwo\n")
    write_readme(tmp_path, PICTURE, CLAIMS)
    first = readme.read_text()
    assert "| a & b | painted |" in first
    assert "| One \\| two | 3 of 4. | cannot tell |" in first
    named = re.findall(r"!\[.*?\]\((.*?)\)", first)
    assert [(tmp_path / name).read_bytes() for name in named] == [b"\0\1\2", b"\3\4\5"]
    assert first.startswith("# One\n") and first.endswith("\nTwo\n")
    write_readme(tmp_path, PICTURE, CLAIMS)
    assert readme.read_text() == first


@pytest.mark.parametrize(
    ("text", "picture", "says"),
    [("# One", PICTURE, "lacks the comments"), (BLOCK, "", "build the whole book first")],
)
def test_what_cannot_be_leaves_the_file(tmp_path, text, picture, says):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(UserError, match=says):
        write_readme(tmp_path, picture, CLAIMS)
    assert (tmp_path / "README.md").read_text() == text
