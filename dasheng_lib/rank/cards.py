"""A card for each measure: what it is, who says so, which way is better, and how it misleads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dasheng_lib.rank import spectra
from dasheng_lib.rank.clusters import kmeans_inertia, self_clustering, uniformity
from dasheng_lib.rank.dimension import two_nn
from dasheng_lib.rank.lidar import lidar
from dasheng_lib.rank.moments import moments_of
from dasheng_lib.rank.sample import Sample

Better = Literal["higher", "lower", "near 1", "neither"]


@dataclass(frozen=True)
class Measure:
    """A number that is said to tell, without labels, how good embeddings are.

    Attributes:
        name: of its column in tables.
        title: what people read.
        formula: in TeX. Rows x of Z, N by D; singular values sigma, of Z or of the centred
            Z (with a bar); eigenvalues lambda of the covariance.
        source: who proposed it.
        cites: its keys in ``book/references.bib``, none where it is ours.
        better: which way its source says is better: a claim to test, not a fact.
        range: from where to where.
        traps: what moves it besides quality, and where we differ from the source.
        function: of a :class:`Sample`; NaN where the rows do not define it.
        needs_views: whether it takes several views of each clip.
    """

    name: str
    title: str
    formula: str
    source: str
    cites: tuple[str, ...]
    better: Better
    range: str
    traps: str
    function: Callable[[Sample], float]
    needs_views: bool = False


RANKME = r"\exp\Big(-\sum_k p_k \log p_k\Big),\quad p_k = \sigma_k \Big/ \sum_j \sigma_j"  # of Z
CENTRED = RANKME.replace(r"\sigma", r"\bar\sigma")

CARDS = (
    Measure(
        "rankme",
        "RankMe",
        RANKME,
        "Garrido et al. 2023, equation 1, without the epsilon",
        ("rankme",),
        "higher",
        "1 to min(N, D)",
        "Meant for runs of one method. Reads low by 0.14 D/N of itself, so that at fixed N wide "
        "models look worse. A large mean vector lowers it. High rank is necessary, not "
        "sufficient: noise has it too.",
        lambda s: s.ranks.compute(),
    ),
    Measure(
        "rankme_corrected",
        "RankMe, bias corrected",
        r"2 R(N) - \overline{R(N/2)}",
        "Richardson's extrapolation from two halves of the rows",
        (),
        "higher",
        "0 to D",
        "Right to 0.2 % from N = 8 D on; reads up to 5 % high at N = 2 D.",
        lambda s: s.ranks.corrected(),
    ),
    Measure(
        "rankme_centred",
        "RankMe, centred",
        CENTRED,
        "as RankMe, of Z less its mean row",
        ("rankme",),
        "higher",
        "0 to min(N - 1, D)",
        "Blind to collapse onto one vector: read it beside the mean ratio. Centring can change "
        "the sign of a correlation.",
        lambda s: s.ranks.compute(centred=True),
    ),
    Measure(
        "rankme_centred_corrected",
        "RankMe, centred, bias corrected",
        r"2 \bar R(N) - \overline{\bar R(N/2)}",
        "as RankMe, bias corrected",
        ("rankme",),
        "higher",
        "0 to D",
        "Those of the centred and of the corrected one.",
        lambda s: s.ranks.corrected(centred=True),
    ),
    Measure(
        "rankme_standardised",
        "RankMe, standardised",
        CENTRED.replace("bar", "tilde"),
        "as RankMe, of Z with every dimension centred and divided by its deviation",
        ("rankme",),
        "higher",
        "0 to min(N - 1, D)",
        "Sees what a linear probe on standardised features sees: no scale of a dimension counts. "
        "A dimension of pure noise counts as much as any other.",
        lambda s: spectra.standardised_rank(moments_of(s.Z_ND).scatter_DD.numpy()),
    ),
    Measure(
        "rankme_per_dimension",
        "RankMe / D",
        r"\operatorname{RankMe}(Z) / D",
        "Tsitsulin et al. 2023, RankMe*",
        ("tsitsulin",),
        "higher",
        "1/D to 1",
        "Takes out that rank grows with width, and with it what width may add.",
        lambda s: s.ranks.per_dimension(),
    ),
    Measure(
        "mean_ratio",
        "mean over spread",
        r"|\bar x| \Big/ \sqrt{\tfrac1N \sum_i |x_i - \bar x|^2}",
        "a check, not a measure of quality: centred measures cannot see this",
        (),
        "neither",
        "0 to infinity",
        "Layer norms leave a large mean: 0.3 to 3 is nothing to fear. Infinite: collapsed.",
        lambda s: s.ranks.mean_ratio(),
    ),
    Measure(
        "variance_rank",
        "effective rank of variances",
        r"\exp\Big(-\sum_k q_k \log q_k\Big),\quad q_k = \lambda_k \Big/ \sum_j \lambda_j",
        "Roy and Vetterli 2007 on the covariance; often called RankMe in code",
        ("effectiverank",),
        "higher",
        "0 to min(N - 1, D)",
        "Not RankMe: variances 1/j give 152, where RankMe gives 608, for D = 768. A power law in "
        "the one has another exponent in the other.",
        lambda s: spectra.variance_rank(s.variances_D),
    ),
    Measure(
        "participation_ratio",
        "participation ratio",
        r"\big(\sum_k \lambda_k\big)^2 \Big/ \sum_k \lambda_k^2",
        "Gao et al. 2017",
        ("gao",),
        "higher",
        "0 to min(N - 1, D)",
        "Hardly sees the tail. Reads low for few rows: 1/PR has 1/N too much.",
        lambda s: spectra.participation_ratio(s.variances_D),
    ),
    Measure(
        "participation_ratio_unbiased",
        "participation ratio, unbiased",
        r"\widehat{(\operatorname{tr} \Sigma)^2} \Big/ \widehat{\operatorname{tr} \Sigma^2}",
        "Chun et al. 2026, row correction; Himeno and Yamada 2014",
        ("chun", "himeno"),
        "higher",
        "1 to D for many rows",
        "Hardly sees the tail. Rows alone are corrected, since all D columns are there.",
        lambda s: spectra.unbiased_participation_ratio(s.variances_D, len(s.Z_ND), s.fourth),
    ),
    Measure(
        "stable_rank",
        "stable rank",
        r"\sum_k \sigma_k^2 \Big/ \sigma_1^2",
        "Tsitsulin et al. 2023",
        ("tsitsulin",),
        "higher",
        "1 to min(N, D)",
        "Not centred: with a large mean it is near 1, whatever the rest does.",
        lambda s: spectra.stable_rank(s.moments_D),
    ),
    Measure(
        "nesum",
        "NESum",
        r"\sum_k \lambda_k \Big/ \lambda_1",
        "He and Ozay 2022",
        ("nesum",),
        "higher",
        "0 to min(N - 1, D)",
        "Hangs on the largest eigenvalue alone.",
        lambda s: spectra.stable_rank(s.variances_D),
    ),
    Measure(
        "alpha_req",
        "alpha-ReQ",
        r"-\,\mathrm{slope\ of}\ \log \lambda_j\ \mathrm{on}\ \log j,"
        rf"\quad j = {spectra.FIRST} \dots {spectra.LAST},\ \mathrm{{weights}}\ 1/j",
        "Agrawal et al. 2022; range and weights of reptrix",
        ("alphareq",),
        "near 1",
        "0 upwards",
        "The range decides, even on the sign of a correlation; it is cut at D below 100. Not "
        "monotone. Few rows steepen it.",
        lambda s: spectra.alpha_req(s.variances_D),
    ),
    Measure(
        "self_clustering",
        "self-clustering",
        r"\frac{\sum_{ij} \cos^2(x_i, x_j) - N - N(N-1)/D}{N^2 - N - N(N-1)/D}",
        "Tsitsulin et al. 2023, SelfCluster",
        ("tsitsulin",),
        "lower",
        "about 0 to 1",
        "Not centred: a common mean raises it. Printed there without the square.",
        lambda s: self_clustering(s.Z_ND),
    ),
    Measure(
        "uniformity",
        "uniformity",
        r"\log \operatorname{mean}_{i \ne j} e^{-2 |u_i - u_j|^2},\quad u = x / |x|",
        "Wang and Isola 2020, with t = 2",
        ("uniformity",),
        "lower",
        "about -4 to 0",
        "Not centred. Says nothing without alignment, which needs views. Near -4 it cannot tell "
        "good from better.",
        lambda s: uniformity(s.Z_ND),
    ),
    Measure(
        "kmeans_inertia",
        "k-means inertia",
        r"\sum_i \min_c |x_i - m_c|^2 \Big/ \sum_i |x_i - \bar x|^2",
        "Whetten et al. 2025, there on frames, with 1,024 clusters and not divided",
        ("whetten",),
        "lower",
        "0 to 1",
        "100 clusters, or N/10. Hangs on them, on N and on the start; low rank lowers it too, so "
        "it falls in a collapse.",
        lambda s: kmeans_inertia(s.Z_ND, seed=s.seed),
    ),
    Measure(
        "two_nn",
        "intrinsic dimension, two neighbours",
        r"-\log(1 - i/N)\ \mathrm{on}\ \log(r_2 / r_1)_{(i)}",
        "Facco et al. 2017; 10 % of the ratios left out",
        ("twonn",),
        "lower",
        "0 upwards",
        "Local: it sees noise where rows are dense. Low in many dimensions. Near duplicates "
        "(several takes of one sound) pull it down; exact ones are left out. Sources disagree on "
        "which way is better.",
        lambda s: two_nn(s.Z_ND),
    ),
    Measure(
        "lidar",
        "LiDAR",
        r"\exp\Big(-\sum_k p_k \log p_k\Big),\quad p \propto "
        r"\operatorname{eig}\big(S_w^{-1/2} S_b S_w^{-1/2}\big)",
        "Thilak et al. 2024; a relative ridge and no epsilon",
        ("lidar",),
        "higher",
        "0 to min(clips - 1, D)",
        "Needs views, and more clips than columns. Which views decides what counts as noise. "
        "Where clips differ no more than their views, what is left of the views reads as full "
        "rank. The ridge matters where views differ little.",
        lambda s: lidar(s.views_NqD),
        needs_views=True,
    ),
)
