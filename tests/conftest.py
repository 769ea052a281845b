"""Data and oracles that several test files share."""

import os

# Read when SciPy is imported: with it scikit-learn's checks skip nothing.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler


def _scaled(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="session")
def datasets():
    digits, labels = load_digits(return_X_y=True)
    data = {
        "iris": load_iris(return_X_y=True),
        "wine": _scaled(load_wine),
        "breast_cancer": _scaled(load_breast_cancer),
        "digits": (digits / 16, labels),
    }
    for X, y in data.values():
        X.flags.writeable = y.flags.writeable = False
    return data


@pytest.fixture(scope="session")
def digits(datasets):
    return datasets["digits"]


@pytest.fixture(scope="session")
def objective():
    """Return the documented objective, written down once more, in float64."""

    def objective(X, y, sample_weight, alpha, coef, intercept):
        coef = np.asarray(coef, np.float64)
        raw = X.astype(np.float64) @ coef.T + intercept
        if raw.shape[1] == 1:
            raw = np.hstack([np.zeros_like(raw), raw])
        losses = logsumexp(raw, axis=1) - raw[np.arange(len(y)), y]
        penalty = alpha / 2 * (coef**2).sum()
        return sample_weight @ losses / sample_weight.sum() + penalty

    return objective
