"""Displays of fitted models: the losses of training, and the weights as images.

The displays follow scikit-learn's: `from_estimator` draws a fitted estimator, the
display keeps the data, and `plot` draws the data again, perhaps on other axes.
"""

from sksoftmax.inspection.coefficients import CoefficientImageDisplay
from sksoftmax.inspection.loss_curve import LossCurveDisplay

__all__ = ["CoefficientImageDisplay", "LossCurveDisplay"]
