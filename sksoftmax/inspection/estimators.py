"""Checks that all displays share: matplotlib, and the estimator to draw."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


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
