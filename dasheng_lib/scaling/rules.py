"""The rules by which a sweep is judged, as registered in ``data_manifests/sweeps/rules.yml``.

Shapes: ``[..., M]``, M measures that are judged together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dasheng_lib.common.errors import reading
from dasheng_lib.common.places import CHECKOUT, SWEEPS
from dasheng_lib.common.yaml_files import read_yaml
from dasheng_lib.scaling.fit import Array

PATH = SWEEPS / "rules.yml"
QUESTIONS = ("association", "one_curve", "claim")


@dataclass(frozen=True)
class Rules:
    """Thresholds, and for each question its words with a sentence each; the file explains them.

    Attributes:
        alpha: risk of a wrong word.
        matters: points for each doubling of rank.
        spread: points that arms may lie off their curve.
        each_third: settings in each third of the range of log rank.
        arm_settings: of an arm that is judged by itself.
        permutations: of a test.
        together: names of arms that are asked as one.
        words: of each question.
        how: of each question, and of the form, how it is asked, for people.
    """

    alpha: float
    matters: float
    spread: float
    each_third: int
    arm_settings: int
    permutations: int
    together: Mapping[str, Sequence[str]]
    words: Mapping[str, Mapping[str, str]]
    how: Mapping[str, str]


def read_rules(path: Path = PATH) -> Rules:
    """The registered rules, with their thresholds written into their sentences.

    Raises:
        UserError: the file is missing, or a threshold or a question is.
    """
    said = read_yaml(path, CHECKOUT)
    with reading(path, "a file of rules", CHECKOUT):
        thresholds = said["thresholds"]
        words = {
            question: {w: text.format(**thresholds) for w, text in said[question]["words"].items()}
            for question in QUESTIONS
        }
        how = {
            question: f"{said[question]['asks']} {said[question]['how']}".format(**thresholds)
            for question in (*QUESTIONS, "form")
        }
        return Rules(**thresholds, together=said["together"], words=words, how=how)


def holm(p: Array) -> Array:
    """Holm's adjusted p-values along the last axis (Scandinavian J. of Statistics 6, 1979).

    NaN counts as 1: a test that could not be made rejects nothing.
    """
    p = np.where(np.isfinite(p), p, 1.0)
    order = np.argsort(p, axis=-1)
    count = p.shape[-1] - np.arange(p.shape[-1])
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, -1) * count, axis=-1)
    out = np.empty_like(p)
    np.put_along_axis(out, order, np.minimum(stepped, 1.0), -1)
    return out


def association_words(slope: Array, p: Array, p_none: Array, rules: Rules) -> Array:
    """A word for each measure, ``[..., M]``.

    Args:
        slope: points for each doubling of rank.
        p: that quality has no relation to rank, corrected for many measures.
        p_none: that the slope reaches ``matters``, either way, corrected.
    """
    word = np.where(slope > 0, "rises", "falls").astype(object)
    word[~(p <= rules.alpha)] = "cannot tell"
    word[p_none <= rules.alpha] = "no relation that matters"
    return word


def curve_words(p: Array, p_close: Array, rules: Rules) -> Array:
    """A word for each measure, ``[..., M]``.

    Args:
        p: that arms do not differ in level or slope, corrected for many measures.
        p_close: that their spread reaches ``spread``, corrected.
    """
    word = np.where(p <= rules.alpha, "several curves", "cannot tell").astype(object)
    word[p_close <= rules.alpha] = "one curve"
    return word


def claim_words(pooled: Array, within: Array, curve: Array) -> Array:
    """What three words say together, ``[..., M]``."""
    none = "no relation that matters"
    one, several = curve == "one curve", curve == "several curves"
    word = np.full(pooled.shape, "cannot tell", object)
    word[(pooled == "rises") & (within == "rises") & one] = "supported"
    # A rise between arms alone may be the luck of a few levels: several curves want one within.
    word[((within == "rises") & several) | ((pooled == "rises") & (within == none))] = "partly"
    word[(within == none) & (pooled != "rises")] = "not"
    word[np.isin(pooled, ["falls", none]) | (within == "falls")] = "not"
    return word
