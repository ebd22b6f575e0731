"""Maps of one lot of clips, as several encoders place them, to touch and to hear.

Neighbours are found in the full space of an encoder, before anything is drawn; a map is only where
one touches them. ``book/_static/embedding_map.js`` draws; without it the table stands alone.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dasheng_lib.book.figures.plots import DOMAINS
from dasheng_lib.book.figures.sounds import mp3
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders import AudioEncoder, load_encoder
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.tasks import Declared
from dasheng_lib.tasks.of_corpus import corpus_clips

if TYPE_CHECKING:
    from IPython.display import HTML

LONGEST = 1.5  # seconds: all that the encoder has heard of a clip is heard on the page
NEAREST = 3
SHAPES = {  # of the tasks of each domain, in turn; the script knows how they are drawn
    "speech": ("circle", "plus"),
    "music": ("square", "diamond"),
    "environment": ("up", "down"),
}
SIDE = 1000  # of the square that a map is drawn in


def choose(corpus: Corpus, tasks: Iterable[Declared], count: int, seed: int) -> pd.DataFrame:
    """About ``count`` short clips, as many of each task, its classes and groups in turn.

    Returns:
        A row a clip: ``clip`` (of the corpus), ``task, title, domain, label, group`` and ``name``.
    """
    tasks = list(tasks)
    parts: list[pd.DataFrame] = []
    for task in tasks:
        rows = corpus.task(task.name)[["clip", "label"]]
        about = corpus.clips[["group", "seconds"]].iloc[rows["clip"]].set_index(rows.index)
        rows = pd.concat([rows, about], axis=1)
        taken = [clip for part in parts for clip in part["clip"]]
        rows = rows[(rows["seconds"] <= LONGEST) & ~rows["clip"].isin(taken)]
        rows = rows.drop_duplicates("clip").sample(frac=1, random_state=seed)
        rows = _in_turn(_in_turn(rows, ["label", "group"]), ["label"])
        parts.append(rows.assign(task=task.name, title=task.title, domain=task.domain))
        parts[-1] = parts[-1].head(-(-count // len(tasks)))
    chosen = pd.concat(parts, ignore_index=True).drop(columns="seconds")
    source = chosen["group"].str.strip("/").str.rpartition("/")[2]
    return chosen.assign(name=chosen["label"] + " (" + source + ")")


def _in_turn(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    turn = rows.groupby(by).cumcount()
    return rows.iloc[np.argsort(turn.to_numpy(), kind="stable")]


def embeddings(
    encoders: Mapping[str, AudioEncoder], corpus: Corpus, chosen: pd.DataFrame, also: str
) -> dict[str, np.ndarray]:
    """What each encoder makes of the chosen clips, [clips, D], by name.

    Args:
        also: one more, named as for :func:`dasheng_lib.encoders.load_encoder`.

    Raises:
        UserError: there is no encoder of this name, or it cannot be had.
    """
    pool = corpus_clips(corpus)
    clips = [pool[row] for row in chosen["clip"]]
    return {
        name: np.array(embed(encoder, clips, progress=False).features)
        for name, encoder in {**encoders, also: load_encoder(also)}.items()
    }


def nearest(Z_ND: np.ndarray) -> np.ndarray:
    """For each row its nearest others by cosine, the nearest first: int [N, NEAREST]."""
    Z_ND = Z_ND.astype(float)
    Z_ND = Z_ND / np.maximum(np.linalg.norm(Z_ND, axis=1, keepdims=True), 1e-12)
    cosine_NN = Z_ND @ Z_ND.T
    np.fill_diagonal(cosine_NN, -np.inf)
    return np.argsort(-cosine_NN, axis=1, kind="stable")[:, :NEAREST]


def layout(Z_ND: np.ndarray, seed: int) -> np.ndarray:
    """Places of the rows in a plane by t-SNE on cosine distances: whole numbers in 0 … SIDE.

    Both axes are stretched to the whole square, since lengths mean nothing on such a map.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(Z_ND) - 1) / 3)
    tsne = TSNE(metric="cosine", perplexity=perplexity, init="random", random_state=seed)
    xy_N2 = tsne.fit_transform(Z_ND.astype(np.float32))
    xy_N2 = xy_N2 - xy_N2.min(0)
    return np.rint(SIDE * xy_N2 / np.maximum(xy_N2.max(0), 1e-12)).astype(int)


def alike(chosen: pd.DataFrame, near: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Share of the nearest, in percent, that are of a clip's class and that are of its group.

    Args:
        near: of :func:`nearest`, by encoder.

    Returns:
        Rows the encoders, then ``any``: of all other clips; columns ``class`` and ``group``.
    """
    N = len(chosen)
    everyone = np.array([np.delete(np.arange(N), row) for row in range(N)])
    kinds = {
        "class": chosen.groupby(["task", "label"]).ngroup().to_numpy(),
        "group": chosen.groupby("group").ngroup().to_numpy(),
    }
    return pd.DataFrame(
        {
            kind: {
                name: 100 * np.mean(of_N[rows] == of_N[:, None])
                for name, rows in {**near, "any": everyone}.items()
            }
            for kind, of_N in kinds.items()
        }
    )


def payload(
    corpus: Corpus, chosen: pd.DataFrame, Z: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """All that the script draws and plays.

    Returns:
        ``tasks`` (``title, colour, shape``), ``clips`` (name, number of the task, class),
        ``sounds`` (mp3 in base64, a clip each) and ``maps`` (``name, xy, near``, an encoder each).
    """
    declared = chosen.drop_duplicates("task")
    place = declared.groupby("domain").cumcount()
    looks = [
        {"title": row.title, "colour": DOMAINS[row.domain], "shape": SHAPES[row.domain][turn % 2]}
        for row, turn in zip(declared.itertuples(), place, strict=True)
    ]
    number = {task: index for index, task in enumerate(declared["task"])}
    return {
        "tasks": looks,
        "clips": [
            [row.name, number[row.task], row.label] for row in chosen.itertuples(index=False)
        ],
        "sounds": [base64.b64encode(mp3(corpus.wave(row))).decode() for row in chosen["clip"]],
        "maps": [
            {"name": name, "xy": layout(Z_ND, seed).tolist(), "near": nearest(Z_ND).tolist()}
            for name, Z_ND in Z.items()
        ],
    }


def show(data: Mapping[str, Any]) -> HTML:
    """The place of the maps, with the table inside.

    Args:
        data: of :func:`payload`.
    """
    from IPython.display import HTML

    return HTML(map_html(data))


def map_html(data: Mapping[str, Any]) -> str:
    """The same as text."""
    names = [html.escape(str(clip[0])) for clip in data["clips"]]
    heads = ["clip", "task", *(f"nearest: {html.escape(one['name'])}" for one in data["maps"])]
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{html.escape(data["tasks"][clip[1]]["title"])}</td>'
        + "".join(
            f"<td>{'; '.join(names[other] for other in one['near'][row])}</td>"
            for one in data["maps"]
        )
        + "</tr>"
        for row, (name, clip) in enumerate(zip(names, data["clips"], strict=True))
    )
    head = "".join(f'<th scope="col">{words}</th>' for words in heads)
    # Within a script only "<" could end it; JSON may write it as a number.
    kept = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<div class="embedding-map touch"><details><summary>All {len(names)} clips and their '
        f"nearest as a table</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        f'</table></details><script type="application/json">{kept}</script></div>'
    )
