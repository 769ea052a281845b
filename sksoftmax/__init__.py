"""Softmax regression by minibatch SGD, as a scikit-learn estimator."""

from sksoftmax._classifier import SoftmaxRegressionClassifier

__all__ = ["SoftmaxRegressionClassifier"]
__version__ = "0.1.0"  # the only place; pyproject.toml reads it here
