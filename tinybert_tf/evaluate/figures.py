"""What all plots share: matplotlib on demand, one look, whole files or none."""

import contextlib
import os
import warnings
from collections.abc import Iterator

from tinybert_tf.atomic import atomic_path
from tinybert_tf.errors import TinyBertError

# Okabe and Ito's palette, told apart with every kind of color blindness.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GRAY, LIGHT_GRAY, LIGHT_BLUE = "#5F6368", "#DADCE0", "#8FC1DF"

# Fonts with Chinese characters, where the machine has one.
_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
)


@contextlib.contextmanager
def figure(path: str | os.PathLike, width: float, height: float) -> Iterator:
    """Yields an empty matplotlib figure and writes it to `path` as PNG when the block succeeds.

    The figure has its own Agg canvas: no display is needed and pyplot's state is not touched.

    Args:
        path: path. The PNG to write; an old one is replaced only by a complete new one.
        width: float. Inches, at 144 pixels each.
        height: float. Inches.

    Raises:
        TinyBertError: If matplotlib is not installed or the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib import font_manager
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TinyBertError(
            f'Expected matplotlib for plots: pip install "tinybert-tf[plots]". Received: {error}'
        ) from error
    installed = set(font_manager.get_font_names())
    style = {
        "font.family": ["DejaVu Sans", *(name for name in _CJK_FONTS if name in installed)],
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.edgecolor": GRAY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": LIGHT_GRAY,
        "grid.linewidth": 0.6,
        "xtick.color": GRAY,
        "ytick.color": GRAY,
        "xtick.labelcolor": "black",
        "ytick.labelcolor": "black",
        "legend.frameon": False,
    }
    with matplotlib.rc_context(style), atomic_path(path) as temporary:
        drawing = Figure(figsize=(width, height), dpi=144, layout="constrained")
        FigureCanvasAgg(drawing)
        yield drawing
        with warnings.catch_warnings():
            # A label in a script without an installed font shows boxes; that is no reason to stop.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            drawing.savefig(temporary, format="png", bbox_inches="tight", pad_inches=0.15)


def label_text(text: str, limit: int = 26) -> str:
    """A label as matplotlib should write it: one line, shortened in its middle, `$` no formula."""
    text = " ".join(str(text).split())
    if len(text) > limit:
        tail = limit // 3
        text = f"{text[: limit - tail - 1]}…{text[-tail:]}"
    return text.replace("$", r"\$")
