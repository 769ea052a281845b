"""What all displays share: matplotlib, the estimator to draw, styles of curves."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

# Black, orange, blue, vermilion and sky blue of Okabe and Ito. Some of these colours
# are alike in shades of grey, so markers distinguish the curves too. As 5 and 7 have
# no common factor, the pairs repeat only after 35 curves.
_COLORS = ["#000000", "#e69f00", "#0072b2", "#d55e00", "#56b4e9"]
_MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


def curve_style(number: int) -> dict:
    """Return the colour and the marker of a curve, which 35 numbers have apart."""
    return {
        "color": _COLORS[number % len(_COLORS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 5,
    }


def import_pyplot(caller: str):
    """Return matplotlib.pyplot; raise an ImportError that names the extra."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed. Install it with "
            'python -m pip install "sksoftmax[plot]"'
        ) from error
    return plt


def find_fitted(estimator, attributes: list, way_out: str):
    """Return the estimator, or a Pipeline's last step.

    Raise ValueError, with the way out, unless the estimator has the attributes.
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    check_is_fitted(estimator)
    missing = [name for name in attributes if not hasattr(estimator, name)]
    if missing:
        raise ValueError(
            f"estimator must have {' and '.join(attributes)}, got a "
            f"{type(estimator).__name__} without {missing[0]}. {way_out}"
        )
    return estimator
