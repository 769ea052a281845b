"""The progressive loss of `partial_fit`: rows are measured before they train."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxRegressionClassifier

CLASSES = np.arange(3)


def make_rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, 5)), rng.integers(3, size=n)
    return X + np.eye(3, 5)[y], y


def make_weights(n=60):
    return np.random.default_rng(1).uniform(0.5, 2, n)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array, np.float32])
@pytest.mark.parametrize("weight", [None, make_weights()])
@pytest.mark.parametrize(
    "params", [{}, {"learning_rate": "constant"}, {"preconditioner": "diagonal"}]
)
def test_the_loss_of_one_batch_is_that_of_the_model_before(params, weight, layout):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifier(average=False, random_state=0, **params)
    clf.partial_fit(layout(X), y, classes=CLASSES)
    before = copy.deepcopy(clf)

    clf.partial_fit(layout(X), y, sample_weight=weight)

    expected = log_loss(y, before.predict_proba(X), sample_weight=weight)
    assert_allclose(clf.progressive_loss_curve_, [np.log(3), expected], rtol=1e-5)


def test_batches_are_measured_before_their_updates():
    X, y = make_rows()
    params = {"average": False, "shuffle": False, "learning_rate": "constant"}
    whole = SoftmaxRegressionClassifier(batch_size=20, **params)
    parts = SoftmaxRegressionClassifier(**params)
    for k in range(0, 60, 20):
        parts.partial_fit(X[k : k + 20], y[k : k + 20], classes=CLASSES)

    whole.partial_fit(X, y, classes=CLASSES)

    expected = [np.mean(parts.progressive_loss_curve_)]
    assert_allclose(whole.progressive_loss_curve_, expected)


def test_soft_targets_are_measured_by_cross_entropy():
    X, y = make_rows()
    P = np.eye(3)[y] * 0.7 + 0.1
    clf = SoftmaxRegressionClassifier(average=False).partial_fit(X, P)
    before = copy.deepcopy(clf)

    clf.partial_fit(X, P)

    expected = -(P * before.predict_log_proba(X)).sum(axis=1).mean()
    assert_allclose(clf.progressive_loss_curve_[1], expected)


def test_the_curve_does_not_flatter_on_random_labels():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2000, 20)), rng.integers(3, size=2000)
    clf = SoftmaxRegressionClassifier(random_state=0)

    for k in range(0, 2000, 100):
        clf.partial_fit(X[k : k + 100], y[k : k + 100], classes=CLASSES)

    assert np.mean(clf.progressive_loss_curve_[1:]) > np.log(3)


@pytest.mark.slow
def test_the_last_thousand_calls_are_kept():
    X, y = make_rows(1)
    clf = SoftmaxRegressionClassifier(random_state=0)
    for _ in range(1001):
        clf.partial_fit(X, y, classes=CLASSES)
    earlier = list(clf.progressive_loss_curve_)

    clf.partial_fit(X, y)

    assert len(clf.progressive_loss_curve_) == 1000
    assert clf.progressive_loss_curve_[:-1] == earlier[1:]
    assert all(type(loss) is float for loss in clf.progressive_loss_curve_)


def test_the_curve_is_changed_by_no_other_call():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(X, y, classes=CLASSES, sample_weight=np.zeros(60))
    assert clf.progressive_loss_curve_ == []
    assert clf.n_iter_ == 0
    clf.partial_fit(X, y)
    curve = list(clf.progressive_loss_curve_)

    clf.partial_fit(X, y, sample_weight=np.zeros(60))
    with pytest.raises(ValueError, match="NaN"):
        clf.partial_fit(X * np.nan, y)
    copy.copy(clf).partial_fit(X, y)

    assert clf.progressive_loss_curve_ == curve
    assert clf.n_iter_ == len(curve) == 1
    clf.fit(X, y)
    assert not hasattr(clf, "progressive_loss_curve_")
    assert len(clf.partial_fit(X, y).progressive_loss_curve_) == 1


@pytest.mark.parametrize("verbose", [0, 1, True])
def test_a_line_a_call_is_printed(verbose, capsys):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifier(random_state=0, verbose=verbose)

    clf.partial_fit(X, y, classes=CLASSES).partial_fit(X, y)

    lines = [
        f"call {k}: progressive loss {loss:.6f}"
        for k, loss in enumerate(clf.progressive_loss_curve_, 1)
    ]
    assert capsys.readouterr().out.splitlines() == (lines if verbose else [])
