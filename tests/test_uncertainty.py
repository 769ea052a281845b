"""Surprisal and entropy, in bits."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.stats import entropy
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from sksoftmax import SoftmaxRegressionClassifier

TWO_OR_TEN = pytest.mark.parametrize("n_classes", [2, 10])


@pytest.fixture
def fitted(digits, n_classes):
    X, y = digits
    X, labels = X[y < n_classes], np.array(list("abcdefghij"))[y[y < n_classes]]
    return SoftmaxRegressionClassifier(alpha=1e-2).fit(X, labels), X, labels


@TWO_OR_TEN
def test_surprisal_is_minus_the_binary_logarithm_of_the_probability(fitted):
    clf, X, labels = fitted
    places = np.searchsorted(clf.classes_, labels)

    surprisal = clf.surprisal(X, labels)

    proba = clf.predict_proba(X)[np.arange(len(X)), places]
    assert_allclose(surprisal, -np.log2(proba), rtol=1e-9)
    cross_entropy = log_loss(labels, clf.predict_proba(X)) / np.log(2)
    assert surprisal.mean() == pytest.approx(cross_entropy, rel=1e-9)


@TWO_OR_TEN
def test_predictive_entropy_is_that_of_the_probabilities(fitted):
    clf, X, _ = fitted

    found = clf.predictive_entropy(X)

    expected = entropy(clf.predict_proba(X), base=2, axis=1)
    assert_allclose(found, expected, rtol=1e-9)


@TWO_OR_TEN
def test_predictive_entropy_is_the_surprisal_that_the_model_expects(fitted):
    clf, X, _ = fitted

    expected = clf.surprisal(X, clf.predict_proba(X))

    assert_allclose(expected, clf.predictive_entropy(X), rtol=1e-9)


def test_surprisal_of_no_labels_is_refused(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier().fit(X, y)

    with pytest.raises(ValueError, match="requires y to be passed"):
        clf.surprisal(X, None)


def test_predictive_entropy_of_a_coin_is_one_bit_and_of_four_sides_two():
    X = np.zeros((4, 1))
    coin = SoftmaxRegressionClassifier().fit(X, [0, 1, 0, 1])
    die = SoftmaxRegressionClassifier().fit(X, [0, 1, 2, 3])

    assert_allclose(coin.predictive_entropy(X), 1, rtol=1e-6)
    assert_allclose(die.predictive_entropy(X), 2, rtol=1e-6)
    assert_allclose(die.surprisal(X, [3, 2, 1, 0]), 2, rtol=1e-6)


@TWO_OR_TEN
def test_surprisal_of_a_vanishing_probability_is_finite(fitted):
    clf, X, _ = fitted
    clf.coef_ = 1e4 * clf.coef_
    wrong = np.where(clf.predict(X) == "a", "b", "a")

    surprisal = clf.surprisal(X, wrong)

    assert np.isfinite(surprisal).all()
    assert surprisal.max() > 2000  # bits: a probability of 2^-2000 is no float
    assert np.isfinite(clf.predictive_entropy(X)).all()


@pytest.mark.slow
@TWO_OR_TEN
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_surprisal_and_entropy_in_chunks_are_those_of_all_rows(
    fitted, monkeypatch, layout
):
    clf, X, labels = fitted
    X = sp.csr_array(X) if layout == "csr" else X
    table = clf.predict_proba(X)
    whole = clf.surprisal(X, labels), clf.surprisal(X, table), clf.predictive_entropy(X)

    monkeypatch.setattr(
        "sksoftmax._arrays.numpy_arrays.NumPyArrays.matmul_chunk_size", 7 * 10
    )

    in_parts = clf.surprisal(X, labels), clf.surprisal(X, table)
    assert_allclose(in_parts, whole[:2], rtol=1e-9)
    assert_allclose(clf.predictive_entropy(X), whole[2], rtol=1e-9)


def test_surprisal_and_entropy_have_the_dtype_of_the_model(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier().fit(X.astype(np.float32), y)

    assert clf.surprisal(X, y).dtype == np.float32
    assert clf.predictive_entropy(X).dtype == np.float32


@pytest.mark.parametrize("n_classes", [10])
def test_unusable_arguments_and_unfitted_models_are_refused(fitted):
    clf, X, labels = fitted

    with pytest.raises(ValueError, match=r"y must hold labels among .* got \['z'\]"):
        clf.surprisal(X[:1], ["z"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clf.surprisal(X, labels[:5])
    with pytest.raises(NotFittedError):
        SoftmaxRegressionClassifier().surprisal(X, labels)
    with pytest.raises(NotFittedError):
        SoftmaxRegressionClassifier().predictive_entropy(X)


@pytest.mark.parametrize("seed", range(3))
def test_most_surprising_labels_are_the_wrong_ones(digits, seed):
    X, y = digits
    rng = np.random.RandomState(seed)
    flipped = rng.permutation(len(y))[: round(0.03 * len(y))]
    given = y.copy()
    given[flipped] = (y[flipped] + rng.randint(1, 10, size=len(flipped))) % 10
    surprisal = np.empty(len(y))

    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(X, given):
        clf = SoftmaxRegressionClassifier(alpha=1e-2).fit(X[train], given[train])
        surprisal[test] = clf.surprisal(X[test], given[test])

    suspects = np.argsort(surprisal)[::-1][: round(0.05 * len(y))]
    assert np.isin(flipped, suspects).mean() >= 0.7
