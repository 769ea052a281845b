"""Softmax regression as a scikit-learn estimator."""

from sksoftmax._classifier import SoftmaxRegressionClassifier

__all__ = ["SoftmaxRegressionClassifier"]
__version__ = "0.1.0"  # pyproject.toml reads the version from this line
