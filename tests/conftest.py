"""Data and oracles that several test files share."""

import os
import sys

# Read when SciPy is imported: with it scikit-learn's checks skip nothing.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
from hypothesis import settings
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

# python -m pytest --hypothesis-profile=nightly
settings.register_profile("nightly", max_examples=300, deadline=None)
settings.register_profile(
    "suite", max_examples=25, deadline=None, derandomize=True, database=None
)
settings.load_profile("suite")

# The quick tests run two in seven cases of a function with more than MANY_CASES. Seven,
# as few lists of parameters have seven values, of which some were never among them.
MANY_CASES = 4


@pytest.hookimpl(tryfirst=True)  # before slow tests are deselected
def pytest_collection_modifyitems(items):
    cases = {}
    for item in items:
        function = item.parent, getattr(item, "originalname", item.name)
        cases.setdefault(function, []).append(item)
    for many in cases.values():
        for i, item in enumerate(many):
            if len(many) > MANY_CASES and i % 7 not in (0, 3):
                item.add_marker("slow")


@pytest.fixture(autouse=True)
def _close_figures():
    """Let no test find the figures of another."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


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


@pytest.fixture(scope="session")
def solve():
    """Return a function that makes a variant of a problem and solves it exactly.

    It returns the sample weights, these times the class weights, our parameters for the
    same problem, and LogisticRegression at its optimum.
    """

    def solve(X, y, C, variant):
        sample_weight, row_weight, params = np.ones(len(y)), np.ones(len(y)), {}
        if variant == "sample_weight":
            rng = np.random.RandomState(0)
            sample_weight = rng.exponential(size=len(y))
            sample_weight[rng.permutation(len(y))[:5]] = 0
            row_weight = sample_weight
        elif variant == "balanced":
            params = {"class_weight": "balanced"}
            counts = np.bincount(y)
            row_weight = (len(y) / (len(counts) * counts))[y]
        elif variant == "no intercept":
            params = {"fit_intercept": False}
        exact = LogisticRegression(
            C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000, **params
        )
        # On a busy machine two BLAS threads wait for each other a hundredfold.
        with threadpool_limits(1):
            exact.fit(X, y, sample_weight)
        alpha = 1 / (C * row_weight.sum())
        return sample_weight, row_weight, {"alpha": alpha, **params}, exact

    return solve
