"""Displays of fitted models: losses of training, paths of penalties, weights.

The displays follow scikit-learn's: `from_estimator` draws a fitted estimator, the
display keeps the data, and `plot` draws the data again, perhaps on other axes.
"""

from sksoftmax.inspection.coefficient_bars import CoefficientDisplay
from sksoftmax.inspection.coefficient_images import CoefficientImageDisplay
from sksoftmax.inspection.loss_curve import LossCurveDisplay
from sksoftmax.inspection.penalty_path import PenaltyPathDisplay

__all__ = [
    "CoefficientDisplay",
    "CoefficientImageDisplay",
    "LossCurveDisplay",
    "PenaltyPathDisplay",
]
