"""Softmax regression as a scikit-learn estimator."""

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV

__all__ = ["SoftmaxRegressionClassifier", "SoftmaxRegressionClassifierCV"]
__version__ = "0.1.0"  # pyproject.toml reads the version from this line
