"""MagnaTagATune: 25,863 excerpts of 29 s of music, tagged by players (Law et al., ISMIR 2009).

``{0..f}/{name}.mp3`` and ``annotations_final.csv``, a table with tabs of 188 tags.

The split is the common one by folder, 0 to b, c, d to f, as in the lists of musicnn. Clips without
any of the 50 most frequent tags are dropped: of 18,709 / 1,825 / 5,329 clips 15,247 / 1,529 / 4,332
stay. Three files of the official archive are empty.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, around, named, table, there, within

# By falling frequency. That several mean the same (vocal, vocals, voice) is part of the task.
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
SPLITS = dict.fromkeys("0123456789ab", "train") | {"c": "valid"} | dict.fromkeys("def", "test")


def read(folder: Path) -> list[Recording]:
    """Its clips that have one of :data:`TAGS`: those tags, and the split.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    tables = within(folder, ["annotations_final.csv"])
    rows = table(tables / "annotations_final.csv", [*TAGS, "mp3_path"], sep="\t")
    audio = around(folder, SPLITS)
    tagged = (rows[list(TAGS)] == "1").to_numpy()
    return there(
        folder,
        (
            (named(audio, path), tuple(tag for tag, on in zip(TAGS, has, strict=True) if on),
             SPLITS.get(path[:1], ""), "")
            for path, has in zip(rows["mp3_path"], tagged, strict=True)
            if has.any()
        ),
    )  # fmt: skip
