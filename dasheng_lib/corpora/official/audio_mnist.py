"""AudioMNIST: 30,000 spoken digits, 60 speakers, 50 takes each (Becker et al., 2018).

``data/{speaker}/{digit}_{speaker}_{take}.wav``.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, by_name

# The authors' five test folds of 12 speakers, in the order in which ARCH goes through them.
FOLDS = (
    (12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
    (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
    (28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53),
    (36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54),
    (43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55),
)
FOLD_OF = {f"{speaker:02d}": str(i + 1) for i, fold in enumerate(FOLDS) for speaker in fold}


def read(folder: Path) -> list[Recording]:
    """Its clips: one digit, the fold "1" to "5", and the speaker as the group.

    Raises:
        UserError: this is not the set.
    """
    found = by_name(folder, r"(\d)_(\d\d)_\d+")
    return [Recording(path, (name[1],), FOLD_OF.get(name[2], ""), name[2]) for path, name in found]
