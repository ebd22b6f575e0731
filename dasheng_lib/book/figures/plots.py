"""The look of the book's figures: colours, markers and axes.

Each further file ``plots_*`` draws the figures of one subject. A function that takes axes draws on
them; any other makes a figure, which :func:`dasheng_lib.book.caption` shows.

Colours are Okabe and Ito's, told apart with any of the common colour-vision deficiencies;
markers and line styles say the same without colour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import matplotlib.pyplot as plt
import seaborn as sns
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.scale import LogScale, register_scale
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

# At 390 px a page has 358 px for a picture: of this width, in inches, it shows type of SMALL points
# and more with 8 px and more, which a test asks for.
WIDTH, SMALL = 5.4, 9.4

DOMAINS = {"speech": "#0072B2", "music": "#CC79A7", "environment": "#009E73"}
ENCODERS = {
    "majority class": ("#999999", "|"),
    "log-mel statistics": ("#E69F00", "s"),
    "untrained": ("#56B4E9", "v"),
    "pretrained": ("#D55E00", "o"),
    "untrained nano": ("#56B4E9", "v"),
    "dasheng:nano": ("#D55E00", "o"),
    "plain:nano": ("#D55E00", "o"),
    "aisfx": ("#009E73", "^"),
    "resemblyzer": ("#0072B2", "P"),
    "openwakeword": ("#CC79A7", "X"),
    "openwakeword speech_embedding": ("#CC79A7", "X"),
    "efficientat:mn04": ("#009E73", "D"),
    "musicnn:mtat": ("#CC79A7", "<"),
    "musicnn:jamendo": ("#CC79A7", ">"),
}


def style() -> None:
    """The book's look, whatever was set before; call it once at the top of a chapter.

    In a notebook figures go there, whatever MPLBACKEND says. A label is shown as it is: dollar
    signs in a name make no formula.
    """
    plt.rcdefaults()
    shell = get_ipython()
    if hasattr(shell, "kernel"):
        shell.enable_matplotlib("inline")
    register_scale(PlainLogScale)
    sns.set_theme(style="ticks", context="notebook", font_scale=0.9)
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.2),
            "legend.fontsize": SMALL,
            "legend.title_fontsize": SMALL,
            "figure.dpi": 110,
            "font.sans-serif": ["DejaVu Sans"],  # comes with Matplotlib; Arial does not
            "text.parse_math": False,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "image.cmap": "magma",
        }
    )


class Powers(LogFormatterSciNotation):
    """Matplotlib's own labels of a logarithmic axis, 10³ say, but without a formula."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        words = re.sub(r"\$\\mathdefault\{(.*)\}\$", r"\1", super().__call__(x, pos))
        raised = str.maketrans("0123456789-\u2212.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻·")
        words = re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(raised), words)
        return words.replace(r"\times", "\N{MULTIPLICATION SIGN}")


class PlainLogScale(LogScale):
    """The scale "log", its ticks labelled by :class:`Powers`."""

    def __init__(self, *given: Axis | None, **options: object) -> None:
        super().__init__(*given or (None,), **options)  # from Matplotlib 3.11 on no axis is given

    def set_default_locators_and_formatters(self, axis: Axis) -> None:
        super().set_default_locators_and_formatters(axis)
        axis.set_major_formatter(Powers(self.base))
        axis.set_minor_formatter(Powers(self.base, labelOnlyBase=self.subs is not None))


def log_axis(ax: Axes, which: str = "x") -> Axes:
    """Make an axis ("x" or "y") logarithmic, with ticks at 1, 2 and 5 in plain numbers."""
    ax.set(**{f"{which}scale": "log"})
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
    return ax


def references(ax: Axes, lines: Mapping[str, float], label: bool = True) -> Axes:
    """Horizontal lines for scores that cost nothing, such as log-mel, untrained and chance.

    Args:
        lines: heights by name, on the scale of the axis.
        label: name them in the legend; of several panels one is enough.
    """
    for (name, height), dashes in zip(lines.items(), ("--", "-.", ":"), strict=False):
        ax.axhline(
            height, ls=dashes, lw=1.1, color="#555555", label=name if label else None, zorder=0.5
        )
    return ax
