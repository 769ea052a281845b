"""The converter to ONNX: onnxruntime computes what we predict."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.onnx import register


@pytest.fixture
def run():
    """Return a function that converts an estimator and runs the result on X."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs the extra 'onnx'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    register()  # before each test, so also again and again

    def run(estimator, X, *, zipmap=False, **options):
        options = {SoftmaxRegressionClassifier: {"zipmap": zipmap, **options}}
        model = skl2onnx.to_onnx(estimator, X[:1], options=options)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"X": X})

    return run


@pytest.fixture
def iris(datasets):
    X, y = datasets["iris"]
    return X.astype(np.float32), y


def with_weights(coef, intercept):
    """Return a classifier with these weights, one row for two classes."""
    n_classes = max(2, len(coef))
    clf = SoftmaxRegressionClassifier(max_iter=1, tol=None)
    clf.fit(np.zeros((n_classes, len(coef[0]))), np.arange(n_classes))
    clf.coef_, clf.intercept_ = np.array(coef, float), np.array(intercept, float)
    return clf


ALL_SIZES = pytest.mark.parametrize("name", ["breast_cancer", "iris", "digits"])
TWO_AND_THREE = pytest.mark.parametrize("name", ["breast_cancer", "iris"])


@ALL_SIZES
@pytest.mark.parametrize(
    ("dtype", "atol"), [(np.float32, 1e-6), (np.float64, 1e-13)], ids=["f32", "f64"]
)
def test_pipeline(run, datasets, name, dtype, atol):
    X, y = datasets[name]
    X = X.astype(dtype)
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).fit(X, y)

    label, proba = run(model, X)

    assert_array_equal(label, model.predict(X))
    assert_allclose(proba, model.predict_proba(X), rtol=0, atol=atol)
    assert (label.dtype, proba.dtype) == (np.int64, dtype)


@ALL_SIZES
def test_small_probabilities_keep_their_digits(run, datasets, name):
    X, y = datasets[name]
    clf = SoftmaxRegressionClassifier(alpha=1e-6).fit(X, y)
    expected = clf.predict_proba(X)
    assert expected.min() < 1e-18  # 1 - p and a rounded sigmoid give 0

    _, proba = run(clf, X)

    assert_allclose(proba, expected, rtol=1e-11)


@TWO_AND_THREE
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_huge_raw_predictions(run, datasets, name, dtype):
    X, y = datasets[name]
    X = X.astype(dtype)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    clf.coef_ *= 1000
    assert np.abs(clf.decision_function(X)).max() > 5000  # exp overflows

    label, proba = run(clf, X)

    assert_array_equal(label, clf.predict(X))
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    assert_allclose(proba, clf.predict_proba(X), rtol=0, atol=1e-3)


@pytest.mark.parametrize("n_rows", [1, 3], ids=["two classes", "three classes"])
def test_ties_go_to_the_first_class(run, n_rows):
    clf = with_weights(np.zeros((n_rows, 2)), np.zeros(n_rows))

    label, _ = run(clf, np.ones((1, 2)))

    assert_array_equal(label, [0])


@pytest.mark.parametrize(
    "intercept", [[1e-20], [0, 1e-20, -1]], ids=["two classes", "three classes"]
)
def test_label_is_that_of_the_largest_raw_prediction(run, intercept):
    clf = with_weights(np.zeros((len(intercept), 2)), intercept)

    label, proba = run(clf, np.ones((1, 2)))

    assert_array_equal(label, [1])
    assert proba[0, 0] == proba[0, 1]


@pytest.mark.parametrize("dtype", [np.int64, np.bool_], ids=["int64", "bool"])
def test_other_numbers_than_floats(run, datasets, dtype):
    X, y = datasets["digits"]
    X = (16 * X if dtype == np.int64 else X > 0.5).astype(dtype)
    clf = SoftmaxRegressionClassifier().fit(X, y)

    label, proba = run(clf, X)

    assert_array_equal(label, clf.predict(X))
    assert_allclose(proba, clf.predict_proba(X), rtol=0, atol=1e-6)
    assert proba.dtype == np.float32


def test_integers_keep_their_digits(run):
    clf = with_weights([[1]], [-(2**40) - 0.5])
    X = np.array([[2**40], [2**40 + 1]])

    label, proba = run(clf, X)

    assert_array_equal(label, [0, 1])
    assert_allclose(proba, clf.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["setosa", "één", "virginica"]),
        np.array(["setosa", "één", "virginica"], dtype=object),
        np.array([2**40, 5, -3]),
        np.array([7, 0, 255], np.uint8),
        np.array([False, True, True]),
    ],
    ids=["str", "object", "int64", "uint8", "bool"],
)
@pytest.mark.parametrize("zipmap", [False, True, "columns"])
def test_labels(run, iris, labels, zipmap):
    X, y = iris[0], labels[iris[1]]
    clf = SoftmaxRegressionClassifier().fit(X, y)

    label = run(clf, X, zipmap=zipmap)[0]

    assert_array_equal(label, clf.predict(X))
    assert label.dtype == (object if labels.dtype.kind in "UO" else np.int64)


def test_zipmap_gives_a_dictionary_a_row(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, np.array(["a", "b", "c"])[y])

    _, proba = run(clf, X, zipmap=True)

    expected = clf.predict_proba(X)
    assert proba[70] == pytest.approx(dict(zip("abc", expected[70], strict=True)))


def test_zipmap_gives_a_column_a_class(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y)

    _, *columns = run(clf, X, zipmap="columns")

    assert_allclose(np.transpose(columns), clf.predict_proba(X), rtol=0, atol=1e-6)


def test_raw_scores_of_three_classes(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y)

    label, raw = run(clf, X, raw_scores=True)

    assert_array_equal(label, clf.predict(X))
    assert_allclose(raw, clf.decision_function(X), rtol=1e-5, atol=1e-5)


def test_raw_scores_of_two_classes_are_zeros_and_the_decision_function(run, datasets):
    X, y = datasets["breast_cancer"]
    clf = SoftmaxRegressionClassifier().fit(X, y)

    label, raw = run(clf, X, raw_scores=True)

    assert_array_equal(label, clf.predict(X))
    assert_array_equal(raw[:, 0], 0)
    assert_allclose(raw[:, 1], clf.decision_function(X), rtol=1e-12, atol=1e-12)


def test_class_labels_as_an_output(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, np.array(["a", "b", "c"])[y])

    *_, classes = run(clf, X, output_class_labels=True)

    assert_array_equal(classes, ["a", "b", "c"])


@TWO_AND_THREE
def test_no_intercept(run, datasets, name):
    X, y = datasets[name]
    clf = SoftmaxRegressionClassifier(fit_intercept=False).fit(X, y)

    label, proba = run(clf, X)

    assert_array_equal(label, clf.predict(X))
    assert_allclose(proba, clf.predict_proba(X), rtol=0, atol=1e-13)


@TWO_AND_THREE
def test_sparse_weights(run, datasets, name):
    X, y = datasets[name]
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=1).fit(X, y)
    expected = clf.predict_proba(X)

    _, proba = run(clf.sparsify(), X)

    assert_allclose(proba, expected, rtol=0, atol=1e-13)


def test_float_labels_are_refused(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y.astype(float))

    with pytest.raises(ValueError, match=r"classes_ .* float64: \[0.0, .*nocl=True"):
        run(clf, X)


@pytest.mark.parametrize("zipmap", [False, True])
def test_positions_for_other_labels(run, iris, zipmap):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, 10.0 * y)

    label = run(clf, X, zipmap=zipmap, nocl=True)[0]

    assert_array_equal(label, clf.predict(X) / 10)
    assert label.dtype == np.int64


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)

    with pytest.raises(ImportError, match=r'needs skl2onnx.*"sksoftmax\[onnx\]"'):
        register()
