"""L1 on many features: a few at a time, to the optimum of the problem with all."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.special import logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._arrays import NUMPY

N, D, Q = 200, 1500, 4


@pytest.fixture(scope="module")
def table():
    """Rows of 1500 features, 30 of them with a meaning, one far from zero."""
    rng = np.random.RandomState(0)
    X = sp.random(N, D, density=0.05, format="csr", random_state=0).toarray()
    X[:, 7] = 50 + rng.standard_normal(N)
    coef = np.zeros((D, Q))
    coef[:30] = 4 * rng.standard_normal((30, Q))
    y = ((X - X.mean(axis=0)) @ coef + rng.gumbel(size=(N, Q))).argmax(axis=1)
    return X, y


def duality_gap(X, y, alpha, l1_ratio, coef, intercept):
    """Return objective and its distance from the dual's, at a dual point that fits.

    The dual point is the residual of the probabilities; its column sums, which the
    intercepts ask to be zero, are taken off the rows in equal parts.
    """
    raw = X @ coef.T + intercept
    onehot = np.eye(raw.shape[1])[y]
    loss = (logsumexp(raw, axis=1) - raw[np.arange(len(y)), y]).mean()
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    penalty = l1 * np.abs(coef).sum() + l2 / 2 * (coef**2).sum()
    proba = softmax(raw, axis=1)
    proba = proba - (proba - onehot).mean(axis=0)
    pull = (onehot - proba).T @ X / len(y)
    factor = 1.0
    if l2:
        conjugate = (np.maximum(np.abs(pull) - l1, 0) ** 2).sum() / (2 * l2)
    else:
        factor = min(1.0, l1 / np.abs(pull).max())
        conjugate = 0.0
    proba = onehot + factor * (proba - onehot)
    assert proba.min() >= 0
    entropy = -(proba * np.log(np.maximum(proba, 1e-300))).sum(axis=1).mean()
    return loss + penalty, loss + penalty - (entropy - conjugate)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [3e-3, 3e-4])
def test_gap_of_all_features_is_within_tol(table, layout, l1_ratio, alpha):
    X, y = table
    clf = SoftmaxRegressionClassifier(
        alpha=alpha, l1_ratio=l1_ratio, solver="svrg", tol=1e-6
    )

    clf.fit(layout(X), y)

    model = clf.coef_, clf.intercept_
    objective, gap = duality_gap(X, y, alpha, l1_ratio, *model)
    # The residual of the model itself is a worse dual point than the solver's.
    assert 0 <= gap <= 1e-4 * objective
    assert 0 < np.count_nonzero(clf.coef_) < 0.2 * clf.coef_.size or l1_ratio < 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("tol", [None, 0.0, 1e-16])
def test_training_ends_where_no_step_lowers_the_objective(table, tol, dtype):
    X, y = table
    clf = SoftmaxRegressionClassifier(alpha=3e-3, l1_ratio=1.0, tol=tol, max_iter=150)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(X.astype(dtype), y)

    assert clf.n_iter_ < 60
    assert clf.loss_curve_[-1] == pytest.approx(min(clf.loss_curve_), rel=1e-12)
    categories = [warning.category for warning in caught]
    assert categories == ([] if tol is None else [ConvergenceWarning])


@pytest.mark.slow
@pytest.mark.parametrize("tol", [None, 1e-12])
def test_training_in_float32_ends_where_no_step_lowers_the_objective(tol):
    rng = np.random.RandomState(0)
    X = sp.random(4200, 600, 0.1, format="csr", random_state=0, dtype=np.float32)
    coef = np.zeros((600, 20))
    coef[:10] = 4 * rng.standard_normal((10, 20))
    y = (X @ coef + rng.gumbel(size=(4200, 20))).argmax(axis=1)
    clf = SoftmaxRegressionClassifier(alpha=3e-3, l1_ratio=1.0, tol=tol, max_iter=100)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(X, y)

    assert clf.coef_.dtype == np.float32
    assert clf.n_iter_ < 30
    categories = [warning.category for warning in caught]
    assert categories == ([] if tol is None else [ConvergenceWarning])


@pytest.mark.slow
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_chunks_of_rows_end_at_the_same_optimum(monkeypatch, table, l1_ratio):
    X, y = table
    sample_weight = np.ones(N)
    sample_weight[::7] = 0
    clf = SoftmaxRegressionClassifier(alpha=3e-3, l1_ratio=l1_ratio, tol=1e-9)
    clf.fit(sp.csr_array(X), y, sample_weight=sample_weight)
    expected = clf.predict_proba(X)

    monkeypatch.setattr(type(NUMPY), "matmul_chunk_size", 30 * Q)
    clf.fit(sp.csr_array(X), y, sample_weight=sample_weight)

    assert_allclose(clf.predict_proba(X), expected, atol=1e-5)
