"""Larger data: minibatches first, then all rows, as batch_size="auto" has it."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier, _strategy
from sksoftmax._solvers.lbfgs import LBFGS


@pytest.fixture(autouse=True)
def no_data_are_small(monkeypatch):
    """Keep all data from being one batch from the start."""
    for name in ("DENSE", "SPARSE"):
        policy = getattr(_strategy, name)._replace(full_batch_work=0)
        monkeypatch.setattr(_strategy, name, policy)


@pytest.fixture
def n_passes(monkeypatch):
    """Return a list that gets longer with each pass over all rows."""
    passes, evaluate = [], LBFGS._evaluate

    def counted(self, weights):
        passes.append(None)
        return evaluate(self, weights)

    monkeypatch.setattr(LBFGS, "_evaluate", counted)
    return passes


@pytest.fixture(scope="module")
def blobs():
    """Rows of four overlapping classes, of a few strongly correlated features."""
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=3000)
    centers = rng.standard_normal((4, 5))
    latent = centers[y] + 1.5 * rng.standard_normal((3000, 5))
    noise = 0.05 * rng.standard_normal((3000, 30))
    return latent @ rng.standard_normal((5, 30)) + noise, y


@pytest.fixture(scope="module")
def optimum(blobs):
    """Return LogisticRegression's model of the blobs at alpha=1e-3."""
    with threadpool_limits(1):
        return LogisticRegression(C=1 / 3, tol=1e-8, max_iter=5000).fit(*blobs)


def test_passes_over_all_rows_follow_the_minibatches(blobs, n_passes):
    clf = SoftmaxRegressionClassifier(random_state=0).fit(*blobs)

    assert 0 < len(n_passes) < 9
    assert clf.t_ > clf.n_iter_


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_each_step_on_all_rows_takes_one_pass(n_passes, seed):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((12000, 1000)).astype(np.float32)
    raw = 3 * X @ rng.standard_normal((1000, 3)) + rng.gumbel(size=(12000, 3))

    # The matrix from 2048 rows misses a part of the curvature along the first step.
    clf = SoftmaxRegressionClassifier(tol=0.5, max_iter=10, random_state=0)
    clf.fit(X, raw.argmax(axis=1))

    n_epochs = 2
    assert clf.n_iter_ > n_epochs
    assert len(n_passes) == 1 + clf.n_iter_ - n_epochs


@pytest.mark.parametrize(
    "params",
    [{"batch_size": 64}, {"learning_rate": "constant", "eta0": 1e-3, "max_iter": 3}],
    ids=["batch_size", "textbook"],
)
def test_who_asks_for_minibatches_gets_nothing_else(blobs, n_passes, params):
    SoftmaxRegressionClassifier(
        random_state=0, tol=None, **{"max_iter": 9} | params
    ).fit(*blobs)

    assert not n_passes


def test_sparse_rows_stay_with_minibatches(blobs, n_passes):
    SoftmaxRegressionClassifier(random_state=0).fit(sp.csr_array(blobs[0]), blobs[1])

    assert not n_passes


@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
def test_the_default_ends_near_the_optimum(blobs, optimum, objective, preconditioner):
    X, y = blobs
    clf = SoftmaxRegressionClassifier(
        alpha=1e-3, preconditioner=preconditioner, random_state=0
    ).fit(X, y)

    ones = np.ones(len(y))
    best = objective(X, y, ones, 1e-3, optimum.coef_, optimum.intercept_)
    reached = objective(X, y, ones, 1e-3, clf.coef_, clf.intercept_)
    assert best <= reached <= 1.02 * best


def test_a_small_tol_reaches_the_optimum(blobs, optimum):
    clf = SoftmaxRegressionClassifier(
        alpha=1e-3, solver="svrg", tol=1e-8, random_state=0
    )

    proba = clf.fit(*blobs).predict_proba(blobs[0])

    assert_allclose(proba, optimum.predict_proba(blobs[0]), atol=1e-4)


def test_no_progress_left_is_the_end_without_a_warning(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    clf = SoftmaxRegressionClassifier(tol=0.0, n_iter_no_change=100, random_state=0)

    clf.fit(X, y)

    assert clf.n_iter_ < clf.max_iter


def test_after_the_minibatches_the_loss_is_that_of_all_rows(blobs, objective):
    X, y = blobs
    weight = np.random.RandomState(1).uniform(0, 2, size=len(y))
    weight[:100] = 0
    clf = SoftmaxRegressionClassifier(random_state=0)

    clf.fit(X, y, sample_weight=weight)

    expected = objective(X, y, weight, clf.alpha, clf.coef_, clf.intercept_)
    assert clf.loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


def test_the_same_seed_gives_the_same_bits(blobs):
    first, second = (
        SoftmaxRegressionClassifier(random_state=3).fit(*blobs) for _ in range(2)
    )

    assert_array_equal(first.coef_, second.coef_)


@pytest.mark.parametrize(("shuffle", "n_updates"), [(True, 2), (False, 6)])
def test_an_epoch_of_minibatches_may_be_a_part_of_many_rows(
    blobs, monkeypatch, shuffle, n_updates
):
    monkeypatch.setattr("sksoftmax._strategy.MINIBATCH_ROWS", 1000)
    clf = SoftmaxRegressionClassifier(max_iter=1, tol=None, shuffle=shuffle)

    assert clf.fit(*blobs).t_ == n_updates  # of 500 rows


def test_a_stream_goes_on_from_the_passes(blobs, objective):
    X, y = blobs
    clf = SoftmaxRegressionClassifier(alpha=1e-3, random_state=0).fit(X, y)
    ones, before = np.ones(len(y)), clf.t_
    fitted = objective(X, y, ones, 1e-3, clf.coef_, clf.intercept_)

    for start in range(0, 3000, 500):
        clf.partial_fit(X[start : start + 500], y[start : start + 500])

    assert clf.t_ == before + 6
    assert objective(X, y, ones, 1e-3, clf.coef_, clf.intercept_) < 1.05 * fitted


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, np.float32])
def test_parts_of_the_rows_add_up_to_all(blobs, monkeypatch, kind):
    X, y = kind(blobs[0]), blobs[1]
    whole = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    monkeypatch.setattr(
        "sksoftmax._arrays.numpy_arrays.NumPyArrays.matmul_chunk_size", 30 * 700
    )

    parts = SoftmaxRegressionClassifier(random_state=0).fit(X, y)

    tolerance = 1e-9 if X.dtype == np.float64 else 1e-2
    assert_allclose(parts.coef_, whole.coef_, rtol=tolerance, atol=tolerance)


def test_early_stopping_watches_the_passes_too(blobs, n_passes):
    clf = SoftmaxRegressionClassifier(early_stopping=True, tol=1e-4, random_state=0)

    clf.fit(*blobs)

    assert n_passes
    assert len(clf.validation_loss_curve_) == clf.n_iter_ == len(clf.loss_curve_)
    assert clf.best_validation_loss_ == min(clf.validation_loss_curve_)


def test_early_stopping_at_the_optimum_is_no_failure(blobs):
    clf = SoftmaxRegressionClassifier(
        alpha=1e-2, early_stopping=True, n_iter_no_change=100, random_state=0
    )

    clf.fit(*blobs)  # a ConvergenceWarning would be an error

    assert clf.n_iter_ < clf.max_iter


# Columns whose usual value is not zero


@pytest.mark.parametrize("value", [100000.1, 1e10 / 3, 0.1])
def test_a_constant_column_of_sparse_rows(blobs, value):
    X, y = blobs[0].copy(), blobs[1]
    X[:, 3] = value

    sparse = SoftmaxRegressionClassifier(random_state=0).fit(sp.csr_array(X), y)

    assert np.abs(sparse.coef_[:, 3] * value).max() < 10
    assert sparse.score(sp.csr_array(X), y) > 0.6


@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_a_shifted_background_changes_next_to_nothing(layout, preconditioner):
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(2000, 40)) * (rng.uniform(size=(2000, 40)) < 0.1)
    y = (X @ rng.standard_normal((40, 3)) * 9 + rng.gumbel(size=(2000, 3))).argmax(1)
    params = {"preconditioner": preconditioner, "alpha": 1e-3, "random_state": 0}

    plain = SoftmaxRegressionClassifier(**params).fit(layout(X), y)
    shifted = SoftmaxRegressionClassifier(**params).fit(layout(X - 8), y)

    assert_allclose(shifted.coef_, plain.coef_, atol=1e-6)
    assert_allclose(
        shifted.predict_proba(layout(X - 8)), plain.predict_proba(layout(X)), atol=1e-6
    )


def test_dense_rows_of_weight_zero_do_not_call_for_minibatches(datasets, monkeypatch):
    X, y = datasets["digits"]
    keep = np.arange(len(y)) % 2 == 0
    policy = _strategy.DENSE._replace(full_batch_work=10 * X[keep].size)
    monkeypatch.setattr(_strategy, "DENSE", policy)
    clf, without = (SoftmaxRegressionClassifier(random_state=0) for _ in "ab")

    clf.fit(X, y, keep.astype(float))
    without.fit(X[keep], y[keep])

    assert clf.n_iter_ == without.n_iter_
    assert_allclose(clf.coef_, without.coef_, atol=1e-7)


@pytest.mark.slow
def test_sorted_sparse_rows_without_shuffling_end_near_the_optimum(objective):
    rng, n_words, n_rows, length = np.random.RandomState(0), 3000, 25_000, 60
    shares = np.exp(1.2 * rng.standard_normal((5, n_words))) / np.arange(5, n_words + 5)
    shares = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    y = np.arange(n_rows) * 5 // n_rows
    draws = rng.uniform(size=(n_rows, length))
    words = [np.searchsorted(shares[k], row) for k, row in zip(y, draws, strict=True)]
    columns = np.minimum(np.ravel(words), n_words - 1)
    entries = np.full(columns.size, length**-0.5), columns
    X = sp.csr_array((*entries, np.arange(n_rows + 1) * length), (n_rows, n_words))
    is_noise = rng.uniform(size=n_rows) < 0.02
    y[is_noise] = rng.randint(5, size=is_noise.sum())

    in_order, shuffled = (
        SoftmaxRegressionClassifier(shuffle=shuffle, random_state=0).fit(X, y)
        for shuffle in (False, True)
    )

    args = X, y, np.ones(n_rows), 1e-4
    objectives = [objective(*args, c.coef_, c.intercept_) for c in (in_order, shuffled)]
    assert objectives[0] < 1.05 * objectives[1]
