"""Displays of fitted models: the losses of training, the weights as images or bars.

The displays follow scikit-learn's: `from_estimator` draws a fitted estimator, the
display keeps the data, and `plot` draws the data again, perhaps on other axes.
"""

from sksoftmax.inspection.coefficient_bars import CoefficientDisplay
from sksoftmax.inspection.coefficient_images import CoefficientImageDisplay
from sksoftmax.inspection.loss_curve import LossCurveDisplay

__all__ = ["CoefficientDisplay", "CoefficientImageDisplay", "LossCurveDisplay"]
