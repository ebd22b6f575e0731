"""Arrays of any shape, type and value: what a plain computation gives, or a ValueError."""

import numpy as np
import pandas as pd
import torch
from mutations import pick

from dasheng_lib.evaluation.folds import evaluate_folds
from dasheng_lib.evaluation.probes import classifier
from dasheng_lib.knn import knn_accuracy, knn_predict, knn_scores
from dasheng_lib.metrics.intervals import paired_bootstrap, t_interval, wilson_interval
from dasheng_lib.metrics.rank_correlation import coefficient
from dasheng_lib.metrics.ranking import average_ranks, mean_min_max, mean_z
from dasheng_lib.metrics.scene import SCENE_METRICS, average_precision, roc_area, scene_score
from dasheng_lib.rank import rankme
from dasheng_lib.rank.interventions import fit
from dasheng_lib.rank.lidar import lidar
from dasheng_lib.rank.measures import measure
from dasheng_lib.results.order import places

HOLDERS = [
    *(np.asarray, np.asfortranarray, lambda x: x.tolist(), lambda x: x.astype(object)),
    *(lambda x, kind=kind: x.astype(kind) for kind in (">f8", "f2", str, complex, "i8", "i1")),
    *(lambda x: (40 * abs(x)).astype(np.uint8), lambda x: x > 0, lambda x: x[..., None]),
    *(lambda x: x[:0], lambda x: x[:1], lambda x: x.ravel(), lambda x: x[None], lambda x: x[::-1]),
    *(lambda x: x[..., :0], lambda x: np.ma.masked_array(x, x > 1), pd.DataFrame),
    *(lambda x: torch.tensor(x).bfloat16(), lambda x: torch.tensor(x, requires_grad=True)),
    *(lambda x: torch.tensor(x).to_sparse(), lambda x: torch.tensor(x) > 0, lambda x: None),
    *(lambda x: "rows", lambda x: 3.0, iter, lambda x: {"a": x}),
]
VALUES = [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, 0.0, -0.0, 1e38, 2.0**63]


def rows(rng, shape=(12, 3)):
    """Numbers, some of them extreme, in one of many holders."""
    x = rng.normal(size=shape)
    if rng.random() < 0.4:
        x[tuple(rng.integers(n) for n in shape)] = pick(rng, VALUES)
    if rng.random() < 0.1:
        x[:] = pick(rng, [0.0, 1.0, 1e-300, 1e300])
    return x if rng.random() < 0.5 else pick(rng, HOLDERS)(np.clip(np.nan_to_num(x), -9, 9))


def labels(rng, count=12):
    y = rng.integers(3, size=count)
    return pick(rng, [
        y, y, y, y[:, None], y.tolist(), y.astype(str), y.astype(float), y[:-1], y[:1], y[None],
        np.eye(3)[y], None, [None, *y[1:].tolist()], np.where(y == 0, np.nan, y), y.astype(object),
        pd.Series(y), torch.tensor(y), "dog", 3, [], y.astype("datetime64[s]"), y > 1,
    ])  # fmt: skip


def plain(x):
    """Rows as float64 [N, D] where any reader would agree on what they are; else None."""
    try:
        x = x.detach().to_dense().double().numpy() if hasattr(x, "detach") else np.asarray(x)
        x = np.asarray(x.tolist(), float)
    except (TypeError, ValueError):
        return None
    return x if x.ndim == 2 and np.isfinite(x).all() and abs(x).max(initial=0) < 1e15 else None


def nearest(train, y, test):
    """Class of the row with the largest cosine, by NumPy alone; None where that is not clear."""
    sizes = [np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test)]
    if min(size.min(initial=1) for size in sizes) < 1e-6:  # less than float32 keeps apart
        return [None] * len(test)
    near_MN = (test / sizes[1]) @ (train / sizes[0]).T
    order_MN = np.argsort(-near_MN, axis=1)
    best_M2 = np.take_along_axis(near_MN, order_MN[:, :2], 1)
    clear_M = np.ones(len(test), bool) if len(train) < 2 else np.diff(best_M2)[:, 0] < -1e-2
    return [y[n] if clear else None for n, clear in zip(order_MN[:, 0], clear_M, strict=True)]


def test_neighbours(attacked):
    def one(rng):
        train, test = rng.normal(size=(12, 3)), rng.normal(size=(7, 3))
        y, z, k = np.arange(12) % 3, np.arange(7) % 3, 1
        what = pick(rng, ["train", "test", "y", "z", "k"])  # one of them is not as it should be
        train = rows(rng) if what == "train" else train
        test = rows(rng, (7, 3)) if what == "test" else test
        y, z = labels(rng) if what == "y" else y, labels(rng, 7) if what == "z" else z
        k = pick(rng, [3, 12, 0, 13, -1, 1.0, True, None, "3", 10**30]) if what == "k" else k

        def call():
            return knn_accuracy(train, y, test, z, k), knn_predict(train, y, test, k)

        def right(found, told):
            if not 0 <= found[0] <= 1 or len(found[1]) != len(np.asarray(z).ravel()):
                return f"{found}"
            a, b = plain(train), plain(test)
            if a is not None and b is not None and k == 1:
                clear = nearest(a, np.ravel(y), b)
                if any(c is not None and c != p for c, p in zip(clear, found[1], strict=True)):
                    return f"{found[1]}, not {clear}"
            share = np.mean(np.ravel(found[1]) == np.ravel(np.asarray(z)))
            same_kind = np.asarray(z).dtype.kind == found[1].dtype.kind
            return f"{found[0]}, not {share}" if same_kind and abs(share - found[0]) > 1e-9 else ""

        return what, call, right

    attacked("functions: knn", 150, one, refusals=(ValueError,))


def test_votes(attacked):
    def one(rng):
        train, test, votes = rng.normal(size=(12, 3)), rng.normal(size=(7, 3)), rng.random((12, 4))
        what = pick(rng, ["train", "test", "votes"])
        train = rows(rng) if what == "train" else train
        test = rows(rng, (7, 3)) if what == "test" else test
        votes = rows(rng, (12, 4)) if what == "votes" else votes
        how = {"metric": pick(rng, ["cosine", "euclidean", "x"]),
               "weights": pick(rng, ["uniform", "softmax", None])}  # fmt: skip

        def right(found, told):
            return (
                ""
                if found.shape[0] == 7 or np.ndim(test) != 2 or len(test) != 7
                else f"{found.shape}"
            )

        return f"{how}", lambda: knn_scores(train, votes, test, 3, **how), right

    attacked("functions: votes", 60, one, refusals=(ValueError,))


def real(found, told):
    values = list(found.values()) if isinstance(found, dict) else np.ravel(np.asarray(found, float))
    return "" if all(v is not None and not np.isinf(v) for v in values) else f"{found}"


def bounded(x, found, highest):
    if plain(x) is None or np.isnan(found) or found == 0 or 0.99 <= found <= highest:
        return ""
    return f"{found}, above {highest}"


def test_ranks(attacked):
    names = ["rankme", "uniformity", "self_clustering", "stable_rank", "participation_ratio",
             "alpha_req", "two_nn", "nesum", "x"]  # fmt: skip

    def one(rng):
        x = rows(rng, pick(rng, [(12, 3), (3, 12), (1, 3), (2, 2), (40, 3)]))
        name = pick(rng, names)
        calls = {
            "rankme": (lambda: rankme(x), lambda f, told: bounded(x, f, 12.001)),
            "centred": (lambda: rankme(x, centred=True), lambda f, told: bounded(x, f, 12.001)),
            f"measure {name}": (lambda: measure(x, [name]), real),
            "lidar": (lambda: lidar(rows(rng, (6, 2, 3))), real),
            f"fit {name}": (lambda: fit(pick(rng, ["whiten", "centre", "x"]), x).matrix_DD, real),
        }
        what = pick(rng, list(calls))
        return what, *calls[what]

    attacked("functions: ranks", 150, one, refusals=(ValueError,))


def test_metrics(attacked):
    def one(rng):
        scores, targets = rows(rng, (12, 3)), (rng.random((12, 3)) < 0.4).astype(float)
        if rng.random() < 0.3:
            targets = rows(rng, (12, 3))
        name = pick(rng, [*SCENE_METRICS, "x"])

        of_all = lambda s, t: scene_score(name, s, t)  # noqa: E731
        metric = pick(rng, [of_all, of_all, average_precision, roc_area])

        def right(found, told):
            values = np.ravel(np.asarray(found, float))
            known = values[~np.isnan(values)]
            low, high = (-20, 20) if name == "d_prime" else (0, 1)
            if not ((known >= low) & (known <= high)).all():
                return f"{name}: {values}"
            a, b = plain(scores), plain(targets)
            again = found if a is None or b is None else metric(a, b)
            return "" if np.allclose(found, again, equal_nan=True) else f"{found}, not {again}"

        return name, lambda: metric(scores, targets), right

    attacked("functions: metrics", 150, one, refusals=(ValueError,))


def test_scores_of_systems(attacked):
    def one(rng):
        a, b = rows(rng, (8,)), rows(rng, (8,))
        table = pd.DataFrame(rng.normal(size=(4, 3)), index=list("abcd"))
        if rng.random() < 0.6:
            table.iloc[rng.integers(4), rng.integers(3)] = pick(rng, [*VALUES, None])
        count = pick(rng, [0, 1, -1, 10, 3.5, np.nan, 10**20])
        calls = {
            "coefficient": lambda: coefficient(
                a, b, pick(rng, ["kendall", "spearman", "pearson", "x"])
            ),
            "bootstrap": lambda: paired_bootstrap(a, b),
            "t": lambda: t_interval(a),
            "wilson": lambda: wilson_interval(count, pick(rng, [0, 1, 5, -3])),
            "ranks": lambda: average_ranks(table),
            "z": lambda: mean_z(table),
            "min max": lambda: mean_min_max(table),
            "places": lambda: places(table),
        }
        what = pick(rng, list(calls))

        def right(found, told):
            values = np.ravel(np.asarray(found, float))
            fits = {"wilson": ((values >= 0) & (values <= 1)).all(),
                    "coefficient": (np.isnan(values) | (abs(values) <= 1.0001)).all()}  # fmt: skip
            return "" if fits.get(what, True) else f"{values}"

        return what, calls[what], right

    attacked("functions: systems", 150, one, refusals=(ValueError,))


def test_probes(attacked):
    def one(rng):
        x, y = rows(rng, (24, 3)), labels(rng, 24)
        table = {"clip": range(24), "label": np.arange(24) % 3, "fold": np.arange(24) // 12}
        if np.ndim(y) == 1 and len(y) == 24:
            table["label"] = y
        name = pick(rng, ["linear", "knn", "majority"])

        def call():
            return evaluate_folds(x, pd.DataFrame(table), classifier(name, k=3)).accuracy

        return name, call, lambda found, told: "" if 0 <= found <= 1 else f"{found}"

    attacked("functions: probes", 25, one, refusals=(ValueError,))
