"""Pickles of all versions that have been released; `models/make.py` writes them."""

import copy
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import InconsistentVersionWarning

import sksoftmax

FILES = sorted(Path(__file__).parent.glob("models/*/*.pkl"))
each_file = pytest.mark.parametrize(
    "file", FILES, ids=[f"{file.parent.name} {file.stem}" for file in FILES]
)
NAMES = {
    "two_classes",
    "ten_classes_float32",
    "sparse_l1",
    "stream",
    "stream_diagonal",
    "strings",
}


def load(file):
    """Return the model, and the warnings that it is of another version, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", InconsistentVersionWarning)
        with open(file, "rb") as opened:
            clf = pickle.load(opened)
    return clf, [str(warning.message) for warning in caught]


def expected(file):
    """Return rows, labels, probabilities and predictions."""
    with np.load(file.parent / "expected.npz") as arrays:
        names = (f"{file.stem}.{what}" for what in ("X", "y", "proba", "predicted"))
        return [arrays[name] for name in names]


def log_loss(clf, X, y):
    rows = np.arange(len(y)), np.searchsorted(clf.classes_, y)
    return -clf.predict_log_proba(X)[rows].mean()


def test_this_version_is_among_them():
    stored = {file.stem for file in FILES if file.parent.name == sksoftmax.__version__}

    assert stored == NAMES


@each_file
def test_a_stored_model_predicts_as_it_did(file):
    X, _, proba, predicted = expected(file)

    clf, _ = load(file)

    tolerance = 1e-6 if proba.dtype == np.float32 else 1e-12
    assert clf.coef_.dtype == clf.predict_proba(X).dtype == proba.dtype
    assert_allclose(clf.predict_proba(X), proba, rtol=0, atol=tolerance)
    assert_array_equal(clf.predict(X), predicted)
    assert sp.issparse(clf.coef_) == (file.stem == "sparse_l1")


@each_file
def test_another_version_says_so_and_this_one_does_not(file):
    _, said = load(file)

    ours = [text for text in said if "SoftmaxRegressionClassifier" in text]
    assert len(ours) == (file.parent.name != sksoftmax.__version__)
    assert all(f"version {file.parent.name} " in text for text in ours)


@each_file
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_a_stored_model_goes_on(file, layout):
    X, y, *_ = expected(file)
    clf, _ = load(file)
    t, n_iter, before = clf.t_, clf.n_iter_, log_loss(clf, X, y)

    for _ in range(5):
        clf.partial_fit(layout(X), y)

    assert clf.t_ > t
    assert clf.n_iter_ == n_iter + 5
    assert log_loss(clf, X, y) < 1.02 * before


@each_file
def test_a_stored_model_goes_on_as_its_copy_does(file):
    X, y, *_ = expected(file)
    clf, _ = load(file)
    again = pickle.loads(pickle.dumps(copy.deepcopy(clf), protocol=4))

    for model in (clf, again):
        model.partial_fit(X, y)

    assert_array_equal(clf.coef_, again.coef_)
    assert_array_equal(clf.intercept_, again.intercept_)


@each_file
def test_stored_model_can_be_fitted_again(file):
    X, y, *_ = expected(file)
    clf, _ = load(file)
    before = log_loss(clf, X, y)

    clf.set_params(early_stopping=False).fit(X, y)

    assert log_loss(clf, X, y) < 1.2 * before


class Thresholded(sksoftmax.SoftmaxRegressionClassifier):
    def __init__(self, threshold, *, alpha=1e-4):
        super().__init__(alpha=alpha)
        self.threshold = threshold


@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_subclass_with_a_required_parameter_is_copied(is_fitted):
    clf = Thresholded(0.3, alpha=0.1)
    if is_fitted:
        clf.fit([[0.0], [1.0], [2.0]], [0, 1, 1])

    for twin in (pickle.loads(pickle.dumps(clf)), copy.copy(clf), copy.deepcopy(clf)):
        assert twin.threshold == 0.3
        assert twin.alpha == 0.1
        assert vars(twin).keys() == vars(clf).keys()
