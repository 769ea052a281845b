"""Streams that are longer than any table, and that change on the way."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from sksoftmax import SoftmaxRegressionClassifier

MEMORY = Path("/proc/self/statm")
N_FEATURES, N_CLASSES, CALL = 10, 3, 10_000
CLASSES = np.arange(N_CLASSES)
UPDATES = -(-CALL // 512)  # of a call
MEAN = np.linspace(-3, 3, N_FEATURES)
TRUTH = np.random.RandomState(1).standard_normal((N_FEATURES, N_CLASSES))


def chunk(rng, n_rows=CALL, dtype=np.float64, order=CLASSES):
    """Return rows and labels of a softmax model; `order` renames the classes."""
    deviation = rng.standard_normal((n_rows, N_FEATURES), dtype=dtype)
    noise = -np.log(rng.standard_exponential((n_rows, N_CLASSES)))
    y = (deviation @ TRUTH.astype(dtype) + noise).argmax(axis=1)
    return deviation + MEAN.astype(dtype), order[y]


def best_accuracy(X, y):
    """Return that of the model which the labels come from."""
    return np.mean(((X - MEAN) @ TRUTH).argmax(axis=1) == y)


def resident():
    return int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_ten_million_rows():
    rng, n_calls, dtype = np.random.default_rng(0), 1000, np.float32
    test = chunk(np.random.default_rng(1), 100_000)
    clf = SoftmaxRegressionClassifier(random_state=0)
    for _ in range(100):
        clf.partial_fit(*chunk(rng, dtype=dtype), classes=CLASSES)
    memory = resident() if MEMORY.exists() else None
    size = len(pickle.dumps(clf))

    for _ in range(n_calls - 100):
        clf.partial_fit(*chunk(rng, dtype=dtype))

    n_rows = n_calls * CALL
    assert clf.t_ == n_calls * UPDATES
    assert clf._state["solver_state"]["n_averages"] == n_rows / 512
    assert clf.n_iter_ == n_calls
    counts, moments = clf._state["counts"], clf._state["moments"]
    assert counts["n_rows"] == counts["class_count"].sum() == n_rows
    assert moments["total"] == n_rows
    assert_allclose(moments["mean"], MEAN, atol=6 / n_rows**0.5)
    assert_allclose(moments["squares"] / n_rows, 1, atol=9 / n_rows**0.5)
    assert clf.coef_.dtype == dtype
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.intercept_).all()
    assert clf.score(*test) > best_accuracy(*test) - 0.001
    expected = TRUTH.T - TRUTH.T.mean(axis=0)
    assert_allclose(clf.coef_, expected, atol=0.03)
    # Numbers grow longer by a few bytes, and the losses of 900 more calls are kept.
    assert abs(len(pickle.dumps(clf)) - size) < 40 + 9 * 900
    if memory is not None:
        assert resident() < 1.05 * memory


def updates_to_recover(clf, rng, size):
    """Return after how many updates of `size` rows two classes that swap are learnt.

    That is, when the accuracy is back to 95 % of what it was.
    """
    swapped = np.array([1, 0, 2])
    X, y = chunk(np.random.default_rng(1), 5000)
    expected = 0.95 * clf.score(X, y)
    assert clf.score(X, swapped[y]) < 0.5
    for n_updates in range(1, 2000):
        clf.partial_fit(*chunk(rng, size, order=swapped))
        if clf.score(X, swapped[y]) >= expected:
            return n_updates
    return np.inf


@pytest.mark.slow
@pytest.mark.parametrize(
    ("average", "n_before", "size", "most"),
    [
        (False, 500, 32, 25),
        (False, 500, 512, 15),
        # A model whose loss is twice that of zeros starts again.
        (True, 500, 512, 15),
        (True, 1500, 32, 25),
        (True, 10**6, 512, 15),
    ],
)
def test_classes_that_swap_are_followed(average, n_before, size, most):
    rng = np.random.default_rng(0)
    clf = SoftmaxRegressionClassifier(average=average, random_state=0)
    for _ in range(min(n_before, 1500)):
        clf.partial_fit(*chunk(rng, size), classes=CLASSES)
    clf._state["solver_state"]["n_averages"] = n_before * size / 512

    n_updates = updates_to_recover(clf, rng, size)

    assert n_updates <= most


COUNTERS = {
    "gram": {},
    "diagonal": {"preconditioner": "diagonal"},
    "invscaling": {"learning_rate": "invscaling"},
    "last iterate": {"average": False},
}


@pytest.mark.parametrize("edge", [2**31, 2**63], ids=["int32", "int64"])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("params", COUNTERS.values(), ids=COUNTERS)
def test_counters_pass_the_edge_of_an_integer(params, layout, edge):
    rng = np.random.default_rng(0)
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    X, y = chunk(rng, 100)
    clf.partial_fit(layout(X), y, classes=CLASSES)
    clf.t_ = edge - 5
    clf.n_iter_ = edge - 5
    clf._state["counts"] = {**clf._state["counts"], "n_rows": edge - 500}
    clf._state["solver_state"] = {
        **clf._state["solver_state"],
        "n_averages": edge - 5,
        "refresh_origin": edge - 6,
        "hessian_rows": 2048,
    }

    for _ in range(10):
        X, y = chunk(rng, 100)
        clf.partial_fit(layout(X), y)

    assert clf.t_ == clf.n_iter_ == edge + 5
    assert clf._state["counts"]["n_rows"] == edge + 500
    assert clf._state["solver_state"]["n_averages"] == pytest.approx(edge)
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.intercept_).all()
