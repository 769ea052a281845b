"""The converter to ONNX: onnxruntime computes what we predict."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax.onnx import register


@pytest.fixture
def run():
    """Return a function that converts an estimator and runs the result on X."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs the extra 'onnx'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    register()  # before each test, so also again and again

    def run(estimator, X, *, zipmap=False, **options):
        classes = SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
        options = {key: {"zipmap": zipmap, **options} for key in classes}
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


@TWO_AND_THREE
def test_pipeline_with_a_chosen_penalty(run, datasets, name):
    X, y = datasets[name]
    labels = np.array(["a", "b", "c"])[y]
    clf = SoftmaxRegressionClassifierCV(cv=3)
    model = make_pipeline(StandardScaler(), clf).fit(X, labels)

    label, proba = run(model, X)

    assert_array_equal(label, model.predict(X))
    assert_allclose(proba, model.predict_proba(X), rtol=0, atol=1e-13)


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


def test_float64_weights_of_float32_rows_keep_their_digits(run):
    rng = np.random.RandomState(0)
    t = rng.randint(-40, 41, 4000)
    X = (2.0**24 - 100 + t)[:, None].astype(np.float32)
    y = (t + rng.logistic(size=len(t)) > 0).astype(int)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    assert clf.coef_.dtype == np.float64

    label, proba = run(clf, X)

    assert_array_equal(label, clf.predict(X))
    assert_allclose(proba, clf.predict_proba(X), rtol=0, atol=1e-6)
    assert proba.dtype == np.float32


LABELS = {
    "str": np.array(["setosa", "één", "virginica"]),
    "objects": np.array(["setosa", "één", "virginica"], dtype=object),
    "empty": np.array(["", "日本", "😀"]),
    "spaces": np.array([" a", "a", "a "]),
    "NUL inside": np.array(["a\0b", "a", "\0c"], dtype=object),
    "text of numbers": np.array(["1", "01", "1.0"]),
    "int64": np.array([2**40, 5, -3]),
    "int64, limits": np.array([2**63 - 1, -(2**63), 0]),
    "int64, swapped": np.array([2**40, 5, -3], ">i8"),
    "int8": np.array([7, -128, 127], np.int8),
    "uint8": np.array([7, 0, 255], np.uint8),
    "uint64": np.array([7, 2**63 - 1, 255], np.uint64),
    "bool": np.array([False, True, True]),
    "float64": np.array([2.0, -5.0, 0.0]),
    "float64, large": np.array([2.0**53, -(2.0**62), -0.0]),
    "float32": np.array([2, -5, 2**24], np.float32),
    "float16": np.array([2, -5, 2048], np.float16),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("zipmap", [False, True, "columns"])
def test_labels(run, iris, labels, zipmap):
    X, y = iris[0], labels[iris[1]]
    clf = SoftmaxRegressionClassifier().fit(X, y)

    label, *proba = run(clf, X, zipmap=zipmap)

    assert label.tolist() == clf.predict(X).tolist()
    assert label.dtype == (object if labels.dtype.kind in "UO" else np.int64)
    if zipmap is True:
        assert list(proba[0][0]) == clf.classes_.tolist()


# labels, what the error says
REFUSED_LABELS = {
    "uint64": (np.array([2**63, 2**64 - 1, 3], np.uint64), "uint64: .9223372036854775"),
    "NUL": (np.array(["a", "a\0", "b"], object), r"object: \['a\\x00'\]"),
    "NULs": (np.array(["\0", "\0\0", "b"], object), r"object: \['\\x00', "),
    "surrogate": (np.array(["\ud800", "a", "b"], object), r"object: \['\\ud800'\]"),
    **{
        f"{kind}[{unit}]": (
            np.arange(3).astype(f"{kind}[{unit}]"),
            rf"{name}\[{unit}\]: ",
        )
        for kind, name in (("M8", "datetime64"), ("m8", "timedelta64"))
        for unit in ("Y", "D", "us", "ns", "as")
    },
}


@pytest.mark.parametrize("options", [{}, {"zipmap": True}, {"zipmap": "columns"}])
@pytest.mark.parametrize("kind", REFUSED_LABELS)
def test_labels_that_onnx_cannot_hold_are_refused(run, iris, kind, options):
    labels, message = REFUSED_LABELS[kind]
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, labels[y])

    with pytest.raises(ValueError, match=rf"classes_ .* got {message}.*nocl=True"):
        run(clf, X, **options)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.5, 1.0, 2.0]),
        np.array([np.nan, 1.0, np.inf]),
        np.array([2**63, 1, 2], object),
        np.array([1, "a", 2], object),
        np.array([b"a", b"b", b"c"]),
        np.array([None, "a", "b"], object),
        np.array([*np.arange(3).astype("m8[ns]")], object),
    ],
    ids=["halves", "NaN", "large", "mixed", "bytes", "None", "durations"],
)
def test_classes_set_by_hand_that_onnx_cannot_hold_are_refused(run, iris, labels):
    clf = SoftmaxRegressionClassifier().fit(*iris)
    clf.classes_ = labels

    with pytest.raises(ValueError, match="classes_ must hold"):
        run(clf, iris[0])


@pytest.mark.parametrize("kind", REFUSED_LABELS)
def test_positions_replace_labels_that_onnx_cannot_hold(run, iris, kind):
    X, y = iris
    labels = REFUSED_LABELS[kind][0]
    clf = SoftmaxRegressionClassifier().fit(X, labels[y])

    label = run(clf, X, nocl=True)[0]

    assert_array_equal(clf.classes_[label], clf.predict(X))


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


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, bool, float])
def test_class_labels_of_numbers_as_an_output(run, iris, dtype):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y.astype(dtype))

    if dtype in (np.int32, np.int64):
        *_, classes = run(clf, X, output_class_labels=True)
        assert_array_equal(classes, clf.classes_)
    else:
        with pytest.raises(ValueError, match="int32, int64 or strings for the option"):
            run(clf, X, output_class_labels=True)


@TWO_AND_THREE
@pytest.mark.parametrize("x_dtype", [np.float32, np.float64, np.int64, np.bool_])
@pytest.mark.parametrize("dtype", ["e", "f", ">f8", "g", "b", "i", "q", "?"])
def test_weights_of_other_dtypes_set_by_hand(run, datasets, name, dtype, x_dtype):
    X, y = datasets[name]
    X = X.astype(x_dtype)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    clf.coef_ = (3 * clf.coef_).astype(dtype)
    clf.intercept_ = clf.intercept_.astype(dtype)
    raw = X.astype(float) @ clf.coef_.astype(float).T + clf.intercept_.astype(float)
    proba = softmax(np.pad(raw, [(0, 0), (1, 0)]) if len(clf.classes_) == 2 else raw, 1)

    label, converted = run(clf, X)

    assert_allclose(converted, proba, rtol=0, atol=1e-5)
    assert (proba[np.arange(len(y)), label] > proba.max(axis=1) - 1e-5).all()


def test_attributes_that_do_not_agree_are_refused(run, iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y)
    clf.coef_ = clf.coef_[:2]

    with pytest.raises(ValueError, match="coef_ must be an array"):
        run(clf, X)


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
