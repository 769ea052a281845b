"""A tour of what the estimator does for its users: read this file first."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from sksoftmax import SoftmaxRegressionClassifier

TEXTBOOK = {"learning_rate": "constant", "average": False, "eta0": 0.1}


def equal(first, second):
    """Return whether two models are the same to the last bit."""
    return (
        np.array_equal(first.coef_, second.coef_)
        and np.array_equal(first.intercept_, second.intercept_)
        and first.n_iter_ == second.n_iter_
    )


@pytest.fixture
def counts():
    """Rows like word counts: mostly zeros, more columns than a batch touches."""
    rng = np.random.RandomState(0)
    X = sp.csr_array(sp.random(600, 150, density=0.03, random_state=rng))
    raw = X @ rng.standard_normal((150, 4)) * 5
    return X, raw.argmax(axis=1)


# The textbook


def ten_lines(X, y, batch_size, n_epochs, l2, l1=0, momentum=0, power_t=0, eta0=0.1):
    """Minibatch SGD as in a textbook, on consecutive batches."""
    W, b = np.zeros((y.max() + 1, X.shape[1])), np.zeros(y.max() + 1)
    vW, vb, t = 0, 0, 0
    for start in n_epochs * list(range(0, len(X), batch_size)):
        Xb, Y = X[start:][:batch_size], np.eye(len(W))[y[start:][:batch_size]]
        Z, t = np.exp(Xb @ W.T + b), t + 1
        G = (Z / Z.sum(axis=1, keepdims=True) - Y) / len(Xb)
        vW, vb = momentum * vW + G.T @ Xb + l2 * W, momentum * vb + G.sum(axis=0)
        step_size = eta0 / t**power_t
        W, b = W - step_size * vW, b - step_size * vb
        W = np.sign(W) * np.maximum(np.abs(W) - step_size * l1, 0)
    return W, b


@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("power_t", [0, 0.5])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_textbook_setting_equals_ten_lines_of_numpy(
    digits, layout, momentum, power_t, l1_ratio
):
    X, y = digits
    l2, l1 = 0.01 * (1 - l1_ratio), 0.01 * l1_ratio
    W, b = ten_lines(X, y, 256, 3, l2, l1, momentum, power_t)

    clf = SoftmaxRegressionClassifier(
        **TEXTBOOK | {"learning_rate": "invscaling" if power_t else "constant"},
        alpha=0.01,
        l1_ratio=l1_ratio,
        momentum=momentum,
        power_t=power_t,
        shuffle=False,
        max_iter=3,
        tol=None,
    ).fit(layout(X), y)

    assert_allclose(clf.coef_, W, rtol=0, atol=1e-12)
    assert_allclose(clf.intercept_, b, rtol=0, atol=1e-12)
    assert_array_equal(clf.coef_ == 0, W == 0)
    assert clf.t_ == 3 * 8


def test_textbook_setting_with_two_classes_equals_sigmoid_regression(digits):
    # One column and a sigmoid: as in ten_lines, but for a single row of weights.
    X, y = digits
    X, y = X[y < 2], y[y < 2]
    w, b = np.zeros(64), 0.0
    for _ in range(3):
        for start in range(0, len(X), 256):
            Xb, yb = X[start:][:256], y[start:][:256]
            g = (1 / (1 + np.exp(-(Xb @ w + b))) - yb) / len(Xb)
            w, b = w - 0.1 * (g @ Xb + 0.01 * w), b - 0.1 * g.sum()

    clf = SoftmaxRegressionClassifier(
        **TEXTBOOK, alpha=0.01, shuffle=False, max_iter=3, tol=None
    ).fit(X, y)

    assert_allclose(clf.coef_, [w], atol=1e-12)
    assert_allclose(clf.intercept_, [b], atol=1e-12)


def test_invscaling_steps_shrink_from_call_to_call(digits):
    X, y = digits
    params = {"average": False, "shuffle": False, "max_iter": 1, "tol": None}
    one = SoftmaxRegressionClassifier(
        learning_rate="constant", batch_size=len(y), **params
    ).fit(X, y)

    two = SoftmaxRegressionClassifier(
        learning_rate="invscaling", power_t=0.25, batch_size=len(y), **params
    ).fit(X, y)
    assert equal(one, two)
    one.set_params(eta0=0.1 / 2**0.25).partial_fit(X, y)
    two.partial_fit(X, y)
    assert_allclose(one.coef_, two.coef_, atol=1e-15)


# Any input, one model


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("offset", [0, 10])
def test_sparse_rows_in_minibatches_give_the_model_of_dense_rows(
    counts, n_classes, offset
):
    X, y = counts
    y = y % n_classes
    if offset:
        X = X.toarray()
        X[:, 7] += offset
        X = sp.csr_array(X)
    clf = SoftmaxRegressionClassifier(
        preconditioner="diagonal",
        alpha=1e-3,
        batch_size=32,
        random_state=0,
        max_iter=4,
        tol=None,
    )

    dense = copy.deepcopy(clf).fit(X.toarray(), y)
    sparse = clf.fit(X, y)

    assert_allclose(sparse.coef_, dense.coef_, atol=1e-10)
    assert_allclose(sparse.intercept_, dense.intercept_, atol=1e-10)


def test_gram_of_sparse_rows_gives_the_model_of_dense_rows(counts):
    X, y = counts
    clf = SoftmaxRegressionClassifier(
        preconditioner="gram", batch_size=64, random_state=0
    )

    dense = copy.deepcopy(clf).fit(X.toarray(), y)

    assert_allclose(clf.fit(X, y).coef_, dense.coef_, atol=1e-9)


@pytest.mark.parametrize("kind", ["F", "memmap", "list"])
def test_layout_of_dense_rows_does_not_matter(digits, tmp_path, kind):
    X, y = digits
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    expected = copy.deepcopy(clf).fit(X, y)
    if kind == "F":
        X = np.asfortranarray(X)
    elif kind == "memmap":
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = X.tolist()

    clf.fit(X, y)

    assert_allclose(clf.coef_, expected.coef_, atol=1e-9)
    assert_allclose(clf.predict_proba(X), expected.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array"])
def test_format_of_sparse_rows_does_not_matter(counts, kind):
    X, y = counts
    clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    expected = copy.deepcopy(clf).fit(X, y)
    X = getattr(sp, kind)(X)

    assert_allclose(clf.fit(X, y).coef_, expected.coef_, atol=1e-12)
    assert_array_equal(clf.predict(X), expected.predict(counts[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "trained_in"),
    [
        (np.uint8, np.float32),
        (np.int16, np.float32),
        (np.bool_, np.float32),
        (np.int64, np.float64),
        (object, np.float64),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ],
)
@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_integers_train_like_floats(digits, kind, trained_in, batch_size):
    X, y = digits
    X = (X * 16).astype(kind)
    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0)
    expected = copy.deepcopy(clf).fit(X.astype(trained_in), y)

    clf.fit(X, y)

    assert clf.coef_.dtype == clf.intercept_.dtype == trained_in
    assert clf.predict_proba(X).dtype == trained_in
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-5, atol=1e-7)
    assert_array_equal(clf.predict(X), expected.predict(X))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_give_the_model_of_their_values(datasets, library):
    module = pytest.importorskip(library)
    X, y = datasets["iris"]
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    expected = SoftmaxRegressionClassifier().fit(X, labels)
    columns = {f"column {j}": X[:, j] for j in range(4)}
    if library == "pyarrow":
        table, target = module.table(columns), module.array(labels.tolist())
    else:
        table, target = module.DataFrame(columns), module.Series(labels)

    clf = SoftmaxRegressionClassifier().fit(table, target)

    assert_allclose(clf.coef_, expected.coef_, atol=1e-12)
    assert_array_equal(clf.predict(table), expected.predict(X))
    if library != "pyarrow":  # scikit-learn reads no names from its tables
        assert list(clf.feature_names_in_) == list(columns)


@pytest.mark.parametrize("kind", ["str", "object", "bool", "float", "category"])
def test_labels_of_any_kind_are_predicted_as_they_came(datasets, kind):
    X, y = datasets["breast_cancer"]
    names = {
        "str": np.array(["no", "yes"]),
        "object": np.array(["no", "yes"], dtype=object),
        "bool": np.array([False, True]),
        "float": np.array([-1.0, 2.0]),
        "category": np.array(["no", "yes"]),
    }[kind]
    labels = names[y]
    if kind == "category":
        labels = pytest.importorskip("pandas").Series(labels, dtype="category")
    expected = SoftmaxRegressionClassifier().fit(X, y)

    clf = SoftmaxRegressionClassifier().fit(X, labels)

    assert equal(clf, expected)
    assert_array_equal(clf.predict(X), names[expected.predict(X)])
    assert_array_equal(clf.classes_, names)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", ["auto", 64])
@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float32, 1e15), (np.float64, 1e30), (np.float32, 1e-15)]
)
def test_huge_and_tiny_features_are_learned(
    digits, batch_size, preconditioner, dtype, size
):
    X, y = digits
    X = (X * size).astype(dtype)
    clf = SoftmaxRegressionClassifier(
        alpha=0, batch_size=batch_size, preconditioner=preconditioner, random_state=0
    )

    clf.fit(X, y)

    assert np.isfinite(clf.coef_).all()
    assert clf.score(X, y) > 0.97


# Predictions


@pytest.mark.parametrize("n_classes", [2, 10])
def test_predictions_agree_with_each_other(digits, n_classes):
    X, y = digits
    X, y = X[y < n_classes], y[y < n_classes]
    clf = SoftmaxRegressionClassifier(alpha=1e-2).fit(X, y)
    raw = X @ clf.coef_.T + clf.intercept_

    proba = clf.predict_proba(X)

    assert clf.coef_.shape == ((1 if n_classes == 2 else 10), 64)
    assert_allclose(clf.decision_function(X), np.squeeze(raw), atol=1e-12)
    assert_allclose(proba.sum(axis=1), 1, atol=1e-14)
    assert_allclose(np.exp(clf.predict_log_proba(X)), proba, atol=1e-14)
    assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
    assert clf.score(X, y) == np.mean(clf.predict(X) == y)
    if n_classes == 2:
        assert_allclose(proba[:, 1], 1 / (1 + np.exp(-raw[:, 0])), atol=1e-14)


def test_log_probabilities_do_not_underflow(datasets):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier().fit(X, y)

    log_proba = clf.predict_log_proba(1e4 * X)

    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1e4


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_many_rows_predicted_in_chunks_are_predicted_alike(digits, monkeypatch, layout):
    X, y = digits
    clf = SoftmaxRegressionClassifier().fit(X, y)
    whole = [getattr(clf, name)(layout(X)) for name in ("predict", "predict_proba")]

    monkeypatch.setattr(
        "sksoftmax._arrays.numpy_arrays.NumPyArrays.matmul_chunk_size", 16 * 100
    )

    assert_array_equal(clf.predict(layout(X)), whole[0])
    assert_allclose(clf.predict_proba(layout(X)), whole[1], rtol=1e-12)


def test_sparsified_coefficients_predict_the_same(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier().fit(X, y)
    expected, coef = clf.decision_function(X), clf.coef_.copy()

    clf.sparsify()

    assert sp.issparse(clf.coef_)
    assert_allclose(clf.decision_function(X), expected, atol=1e-12)
    assert_allclose(clf.decision_function(sp.csr_array(X)), expected, atol=1e-12)
    assert_array_equal(clf.densify().coef_, coef)


@pytest.mark.parametrize("method", ["sparsify", "densify"])
def test_unfitted_model_has_no_coefficients_to_convert(method):
    with pytest.raises(NotFittedError):
        getattr(SoftmaxRegressionClassifier(), method)()


def test_intercept_without_fit_intercept_is_zero(digits):
    clf = SoftmaxRegressionClassifier(fit_intercept=False).fit(*digits)

    assert_array_equal(clf.intercept_, np.zeros(10))


# Weights


def test_class_weights_multiply_sample_weights(digits):
    X, y = digits
    weight = np.linspace(0.5, 2, len(y))
    by_class = SoftmaxRegressionClassifier(class_weight={3: 5.0, 4: 0.1})

    by_class.fit(X, y, sample_weight=weight)

    factor = np.where(y == 3, 5.0, np.where(y == 4, 0.1, 1.0))
    by_row = SoftmaxRegressionClassifier().fit(X, y, sample_weight=weight * factor)
    assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-12)


def test_balanced_classes_have_equal_total_weight(digits):
    X, y = digits
    weight = np.linspace(0.5, 2, len(y))
    balanced = SoftmaxRegressionClassifier(class_weight="balanced")

    balanced.fit(X, y, sample_weight=weight)

    per_class = weight.sum() / (10 * np.bincount(y, weight))
    by_dict = SoftmaxRegressionClassifier(class_weight=dict(enumerate(per_class)))
    by_dict.fit(X, y, sample_weight=weight)
    assert_allclose(balanced.coef_, by_dict.coef_, rtol=1e-9)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(
    ("method", "batch_size"), [("fit", "auto"), ("fit", 16), ("partial_fit", 16)]
)
def test_class_without_weight_is_known_but_not_predicted(
    datasets, layout, method, batch_size
):
    X, y = layout(datasets["iris"][0]), datasets["iris"][1]
    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0)
    arguments = {"sample_weight": (y != 1).astype(float)}
    if method == "partial_fit":
        arguments["classes"] = [0, 1, 2]

    for _ in range(20 if method == "partial_fit" else 1):
        getattr(clf, method)(X, y, **arguments)

    assert_array_equal(clf.classes_, [0, 1, 2])
    assert clf.predict_proba(X)[:, 1].max() < 0.2
    assert_array_equal(np.unique(clf.predict(X)), [0, 2])


ONE_WEIGHTED = {
    "defaults": {},
    "minibatches": {"batch_size": 16},
    "svrg": {"solver": "svrg"},
    "svrg in minibatches": {"solver": "svrg", "batch_size": 16},
    "L1": {"l1_ratio": 1.0},
    "elastic net, svrg": {"l1_ratio": 0.5, "solver": "svrg"},
    "L1 in minibatches": {"l1_ratio": 1.0, "batch_size": 16},
    "no penalty": {"alpha": 0.0},
    "no penalty, svrg": {"alpha": 0.0, "solver": "svrg"},
    "no penalty, minibatches": {"alpha": 0.0, "batch_size": 16},
    "early stopping": {"early_stopping": True},
    "smoothing": {"label_smoothing": 0.1},
    "balanced": {"class_weight": "balanced"},
    "balanced minibatches": {"class_weight": "balanced", "batch_size": 16},
    "textbook": {"learning_rate": "constant", "eta0": 5.0},
    "tight": {"tol": 1e-6},
}


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("setting", ONE_WEIGHTED)
def test_one_class_with_weight_is_predicted(setting, n_classes, layout):
    X = layout(np.random.RandomState(0).standard_normal((60, 4)))
    names = np.array(["a", "b", "c"])
    y = names[np.arange(60) % n_classes]
    clf = SoftmaxRegressionClassifier(random_state=0, **ONE_WEIGHTED[setting])

    clf.fit(X, y, sample_weight=(y == "b") * 1.0)

    proba = clf.predict_proba(X)
    assert_array_equal(clf.classes_, names[:n_classes])
    assert np.isfinite(proba).all()
    assert proba[:, 1].min() > 0.5
    assert clf.n_iter_ < 200


@pytest.mark.parametrize("zero", ["sample_weight", "class_weight", "both"])
@pytest.mark.parametrize("how", ["fit", "warm start", "table", "partial_fit"])
def test_a_class_loses_its_weight_in_any_way(how, zero):
    X, y = np.random.RandomState(0).standard_normal((60, 4)), np.arange(60) % 2
    clf, weight = SoftmaxRegressionClassifier(random_state=0), None
    if how == "warm start":
        clf.set_params(warm_start=True).fit(X, y)
    if zero != "class_weight":
        weight = (y == 0) * 1.0
    if zero != "sample_weight":
        clf.set_params(class_weight={1: 0})

    if how == "partial_fit":
        for _ in range(20):
            clf.partial_fit(X, y, [0, 1], weight)
    else:
        clf.fit(X, np.eye(2)[y] if how == "table" else y, weight)

    assert_array_equal(clf.predict(X), np.zeros(60))
    assert np.isfinite(clf.predict_log_proba(X)).all()


@pytest.mark.parametrize("y", [[1, 1, 1], ["a", "a", "a"], np.eye(2)[[1, 1, 1]]])
@pytest.mark.parametrize("weight", [None, [1, 0, 0]])
def test_y_of_one_class_is_refused(y, weight):
    with pytest.raises(ValueError, match=r"at least two classes in all, got one class"):
        SoftmaxRegressionClassifier().fit(np.eye(3), y, weight)


def test_bagging_with_a_rare_class():
    X, y = np.random.RandomState(0).standard_normal((52, 2)), np.repeat([0, 1], [50, 2])
    ensemble = BaggingClassifier(
        SoftmaxRegressionClassifier(), n_estimators=10, max_samples=12, random_state=0
    )

    ensemble.fit(X, y)

    assert ensemble.score(X, y) > 0.9


# Absent classes

ABSENT = {
    "number": ({0: 1.0, 1: 3.0, 2: 5.0}, [0, 1]),
    "float": ({0.0: 1.0, 1.0: 3.0, 7.0: 5.0}, [0, 1]),
    "NumPy's": ({np.int64(0): 1.0, np.uint8(1): 3.0, np.int64(9): 5.0}, [0, 1]),
    "text": ({"a": 1.0, "b": 3.0, "rare": 5.0}, ["a", "b"]),
    "text beside numbers": ({0: 1.0, 1: 3.0, "1": 5.0, None: 2.0}, [0, 1]),
    "large": ({2**63: 1.0, 2**63 + 1: 3.0, 1: 9.0}, [2**63, 2**63 + 1]),
    "bool": ({False: 1.0, True: 3.0, 2: 5.0}, [False, True]),
    "dates": (
        {np.datetime64("2020-01-01"): 1.0, np.datetime64("2020-01-02", "us"): 3.0},
        list(np.array(["2020-01-01", "2020-01-02"], "M8[ns]")),
    ),
    "durations and text": (
        {np.timedelta64(1, "s"): 1.0, np.timedelta64(2, "s"): 3.0, "rare": 5.0},
        list(np.array([10**9, 2 * 10**9], "m8[ns]")),
    ),
    "weights without axes": ({0: np.array(1.0), 1: np.array(3), 2: 5}, [0, 1]),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm start"])
@pytest.mark.parametrize("kind", ABSENT)
def test_class_weights_of_absent_classes_are_ignored(kind, method):
    class_weight, names = ABSENT[kind]
    X, k = np.random.RandomState(0).standard_normal((60, 4)), np.arange(60) % 2
    y = [names[i] for i in k]
    expected = SoftmaxRegressionClassifier(random_state=0, tol=1e-8)
    clf = clone(expected).set_params(class_weight=class_weight)
    if method == "warm start":
        clf.set_params(warm_start=True).fit(X, y)

    if method == "partial_fit":
        clf.partial_fit(X, y, names)
        expected.partial_fit(X, y, names, 1.0 + 2 * k)
    else:
        clf.fit(X, y)
        expected.fit(X, y, 1.0 + 2 * k)

    assert_allclose(clf.coef_, expected.coef_, rtol=1e-4)


@pytest.mark.parametrize(
    "key", [np.datetime64("2020-01-01T05"), 18262, 10**30, "2020-01-01"], ids=repr
)
def test_keys_that_are_no_dates_of_the_classes_have_no_weight(key):
    X, y = np.arange(4.0)[:, None], np.array(["2020-01-01", "2020-01-02"] * 2, "M8[D]")
    clf = SoftmaxRegressionClassifier(class_weight={key: 9.0})

    with pytest.raises(ValueError, match="class_weight must name classes"):
        clf.fit(X, y)


def test_folds_without_a_class_of_class_weight():
    X, y = np.random.RandomState(0).standard_normal((150, 3)), np.arange(150) % 3
    y[:100] = np.minimum(y[:100], 1)
    clf = SoftmaxRegressionClassifier(class_weight={0: 1, 1: 1, 2: 5})

    scores = cross_val_score(clf, X, y, cv=TimeSeriesSplit(4), error_score="raise")

    assert np.isfinite(scores).all()


def test_class_weight_with_a_key_and_a_class_left_over_warns():
    X, y = np.random.RandomState(0).standard_normal((60, 4)), np.repeat(["a", "b"], 30)
    clf = SoftmaxRegressionClassifier(class_weight={"a": 3.0, "B": 2.0})

    with pytest.warns(UserWarning, match=r"names \['B'\], .* not the classes \['b'\]"):
        clf.fit(X, y)

    expected = SoftmaxRegressionClassifier(class_weight={"a": 3.0}).fit(X, y)
    assert_array_equal(clf.coef_, expected.coef_)


@pytest.mark.parametrize("keys", [["0", "1"], [2], [None], [0.5, 7]])
def test_class_weight_without_a_known_class_is_refused(keys):
    X, y = np.random.RandomState(0).standard_normal((60, 4)), np.arange(60) % 2
    clf = SoftmaxRegressionClassifier(class_weight=dict.fromkeys(keys, 1.0))

    with pytest.raises(
        ValueError, match=r"class_weight must name classes among \[0, 1"
    ):
        clf.fit(X, y)
    with pytest.raises(
        ValueError, match=r"class_weight must name classes among \[0, 1"
    ):
        clf.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(clf, "classes_")


# Stopping


def test_fit_that_does_not_converge_warns_with_advice(digits):
    clf = SoftmaxRegressionClassifier(max_iter=2)

    with pytest.warns(ConvergenceWarning, match=r"max_iter=2.*Raise max_iter or tol"):
        clf.fit(*digits)
    assert clf.n_iter_ == len(clf.loss_curve_) == 2


def test_fit_without_tol_makes_all_epochs_and_does_not_warn(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = SoftmaxRegressionClassifier(max_iter=7, tol=None, batch_size=512)
        clf.fit(*digits)

    assert clf.n_iter_ == 7
    assert clf.t_ == 7 * 4


@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_smaller_tol_takes_longer_and_comes_nearer(digits, batch_size):
    rough, fine = (
        SoftmaxRegressionClassifier(batch_size=batch_size, tol=tol, random_state=0)
        .fit(*digits)
        .loss_curve_
        for tol in (0.1, 1e-3)
    )

    assert len(fine) > len(rough)
    assert fine[-1] < rough[-1]


def test_larger_n_iter_no_change_waits_longer(digits):
    X, y = digits
    hasty, patient = (
        SoftmaxRegressionClassifier(
            batch_size=64, tol=0.02, n_iter_no_change=n, random_state=0
        ).fit(X, y)
        for n in (1, 3)
    )

    assert patient.n_iter_ >= hasty.n_iter_ + 2


def test_separable_data_without_penalty_stop_early(datasets):
    X, y = datasets["wine"]

    clf = SoftmaxRegressionClassifier(alpha=0).fit(X, y)

    assert clf.score(X, y) == 1
    assert clf.n_iter_ < 100


def test_loss_curve_is_the_objective_of_the_model(digits, objective):
    X, y = digits
    clf = SoftmaxRegressionClassifier(alpha=1e-3, batch_size=64).fit(X, y)

    ours = objective(X, y, np.ones(len(y)), 1e-3, clf.coef_, clf.intercept_)

    assert clf.loss_curve_[-1] == pytest.approx(ours, rel=1e-6)


def test_verbose_fit_prints_a_line_an_epoch(digits, capsys):
    clf = SoftmaxRegressionClassifier(batch_size=256, verbose=1, random_state=0)

    clf.fit(*digits)

    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == clf.n_iter_
    assert lines[0] == f"epoch 1: objective {clf.loss_curve_[0]:.6f}"
    assert last == "training ended: the stopping rule is met"


@pytest.mark.parametrize("tol", [1e-4, None])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_verbose_fit_says_that_it_ended_at_max_iter(digits, capsys, tol):
    SoftmaxRegressionClassifier(max_iter=2, tol=tol, verbose=1).fit(*digits)

    *_, last = capsys.readouterr().out.splitlines()
    assert last == "training ended: max_iter=2 was reached"


def test_float32_fit_converges_to_its_own_precision(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(batch_size=len(y), tol=1e-9)

    single = copy.deepcopy(clf).fit(X.astype(np.float32), y)

    expected = clf.fit(X, y).loss_curve_[-1]
    assert single.loss_curve_[-1] == pytest.approx(expected, rel=3e-6)


def test_fit_without_progress_before_tol_is_met_warns(digits, monkeypatch, capsys):
    monkeypatch.setattr("sksoftmax._solvers.newton.run_search", lambda *_: None)

    with pytest.warns(ConvergenceWarning, match=r"1 epochs.* no step .*Raise tol or"):
        SoftmaxRegressionClassifier(verbose=1).fit(*digits)

    assert "\ntraining ended: no step lowered the obj" in capsys.readouterr().out


def test_step_size_that_makes_the_model_worse_than_none_warns():
    X, y = load_wine(return_X_y=True)  # features in their own units
    clf = SoftmaxRegressionClassifier(learning_rate="constant", random_state=0)

    with pytest.warns(ConvergenceWarning, match=r"eta0=0.1 is too large"):
        clf.fit(X, y)


def test_a_bad_last_epoch_is_no_warning_if_the_best_one_is_returned(datasets):
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifier(
        learning_rate="constant", average=False, batch_size=1, random_state=3
    )

    clf.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])  # warnings are errors

    assert clf.loss_curve_[-1] > np.log(3)
    assert clf.best_validation_loss_ < 0.5


def test_textbook_steps_have_no_preconditioner(digits):
    params = {"learning_rate": "constant", "l1_ratio": 0.5, "max_iter": 2, "tol": None}
    clf = SoftmaxRegressionClassifier(preconditioner="gram", random_state=0, **params)

    clf.fit(*digits)

    expected = clone(clf).set_params(preconditioner="auto").fit(*digits)
    assert_array_equal(clf.coef_, expected.coef_)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {"eta0": 1e-5},
        {"eta0": 1e-2},
        {"eta0": 1.0, "average": False},
        {"learning_rate": "invscaling", "power_t": 1.0},
    ],
)
def test_textbook_plateau_far_from_the_optimum_warns(digits, params, sparse):
    X, y = digits
    params = {"learning_rate": "constant", "random_state": 0} | params
    clf = SoftmaxRegressionClassifier(**params)

    with pytest.warns(
        ConvergenceWarning, match=r"met far from the optimum.*change eta0"
    ):
        clf.fit(sp.csr_array(X) if sparse else X, y)


def test_textbook_plateau_near_the_optimum_of_noisy_labels_is_no_warning(digits):
    X, _ = digits
    y = np.random.default_rng(0).integers(10, size=len(X))
    clf = SoftmaxRegressionClassifier(alpha=0.1, learning_rate="constant", eta0=0.05)

    clf.set_params(random_state=0).fit(X, y)  # warnings are errors

    assert clf.loss_curve_[-1] > 2.0


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_power_t_may_be_an_integer_of_numpy(digits, dtype):
    params = {"learning_rate": "invscaling", "max_iter": 3, "tol": None}
    clf = SoftmaxRegressionClassifier(power_t=1, random_state=0, **params)
    expected = clone(clf).fit(*digits)

    clf.set_params(power_t=dtype(1)).fit(*digits)

    assert_array_equal(clf.coef_, expected.coef_)


# Early stopping


@pytest.mark.parametrize("batch_size", ["auto", 64])
def test_early_stopping_returns_the_best_epoch(digits, batch_size):
    X, y = digits
    clf = SoftmaxRegressionClassifier(
        alpha=0,
        early_stopping=True,
        validation_fraction=0.4,
        batch_size=batch_size,
        random_state=0,
    )

    clf.fit(X[:300], y[:300])

    curve = clf.validation_loss_curve_
    assert len(curve) == clf.n_iter_ == len(clf.loss_curve_)
    assert clf.best_validation_loss_ == min(curve)
    assert clf.n_iter_ < 100
    best_epoch = int(np.argmin(curve)) + 1
    again = SoftmaxRegressionClassifier(**clf.get_params())
    again.set_params(max_iter=best_epoch, tol=None).fit(X[:300], y[:300])
    assert_array_equal(clf.coef_, again.coef_)


def test_early_stopping_learns_nothing_from_rows_set_aside(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(
        early_stopping=True, validation_fraction=0.5, random_state=0
    ).fit(X, y)
    all_rows = SoftmaxRegressionClassifier().fit(X, y)

    # Half of the rows are strangers: the mean loss over all of them tells.
    ours, theirs = (
        -m.predict_log_proba(X)[np.arange(len(y)), y].mean() for m in (clf, all_rows)
    )
    half = 0.5 * (clf.loss_curve_[-1] + clf.best_validation_loss_)
    assert ours > 1.2 * theirs
    assert ours == pytest.approx(half, rel=0.2)


def test_rows_too_few_to_stratify_are_split_plainly():
    X, y = np.arange(8.0)[:, None], np.array([0, 1, 1, 1, 1, 1, 1, 2])

    clf = SoftmaxRegressionClassifier(early_stopping=True, random_state=0).fit(X, y)

    assert_array_equal(clf.classes_, [0, 1, 2])
    assert len(clf.validation_loss_curve_) == clf.n_iter_


def test_later_fit_without_validation_forgets_the_earlier_one(digits):
    clf = SoftmaxRegressionClassifier(early_stopping=True).fit(*digits)

    clf.set_params(early_stopping=False).fit(*digits)

    assert not hasattr(clf, "validation_loss_curve_")
    assert not hasattr(clf, "best_validation_loss_")


# Randomness


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"preconditioner": "diagonal"}, TEXTBOOK])
def test_same_seed_gives_the_same_bits(digits, params):
    clf = SoftmaxRegressionClassifier(batch_size=100, random_state=3, **params)

    first = copy.deepcopy(clf.fit(*digits))

    assert equal(first, clf.fit(*digits))
    assert not equal(first, clf.set_params(random_state=4).fit(*digits))


def test_one_batch_does_not_depend_on_the_seed(digits):
    first, second = (
        SoftmaxRegressionClassifier(random_state=seed).fit(*digits) for seed in (0, 1)
    )

    assert equal(first, second)


def test_minibatches_without_shuffle_do_not_depend_on_the_seed(digits):
    X, y = digits
    params = {"batch_size": 100, "max_iter": 2, "tol": None, **TEXTBOOK}

    models = [
        SoftmaxRegressionClassifier(shuffle=False, random_state=seed, **params)
        for seed in (0, 1)
    ]

    assert equal(*(model.fit(X, y) for model in models))


# Warm starts


def test_warm_start_from_a_near_model_takes_fewer_epochs(digits):
    X, y = digits
    cold = SoftmaxRegressionClassifier(alpha=1e-3, warm_start=True).fit(X, y)
    n_cold = cold.n_iter_

    cold.set_params(alpha=1.1e-3).fit(X, y)

    assert cold.n_iter_ < n_cold / 2


def test_warm_start_without_a_known_class_is_refused(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(warm_start=True).fit(X, y)

    with pytest.raises(ValueError, match=r"model, .* got \[0 1 2 3 4\]\. .*warm_start"):
        clf.fit(X[y < 5], y[y < 5])
    assert_array_equal(clf.classes_, np.arange(10))


def test_warm_start_with_other_features_is_refused(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(warm_start=True).fit(X, y)

    with pytest.raises(ValueError, match=r"with warm_start=True, .*got 3\."):
        clf.fit(X[:, :3], y)
    assert clf.n_features_in_ == 64


# partial_fit


@pytest.mark.parametrize(
    "params", [{}, {"preconditioner": "diagonal"}, {"average": False}, TEXTBOOK]
)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_one_partial_fit_is_one_epoch_of_fit(digits, params, layout):
    X, y = digits
    clf = SoftmaxRegressionClassifier(
        batch_size=100, random_state=0, max_iter=1, tol=None, **params
    )
    streamed = copy.deepcopy(clf).partial_fit(layout(X), y, classes=np.arange(10))

    assert equal(clf.fit(layout(X), y), streamed)
    assert clf.t_ == streamed.t_ == 18


def test_classes_announced_first_may_come_late(digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(X[y < 5], y[y < 5], classes=np.arange(10))

    for _ in range(20):
        clf.partial_fit(X, y)

    assert clf.score(X, y) > 0.9


@pytest.mark.parametrize("fitted", [True, False])
def test_partial_fit_of_rows_without_weight_changes_nothing(digits, fitted):
    X, y = digits
    clf = SoftmaxRegressionClassifier(random_state=0)
    if fitted:
        clf.partial_fit(X, y, classes=np.arange(10))
    before = copy.deepcopy(vars(clf))

    clf.partial_fit(X, y, classes=np.arange(10), sample_weight=np.zeros(len(y)))

    if fitted:
        assert vars(clf).keys() == before.keys()
        assert_array_equal(clf.coef_, before["coef_"])
        assert clf.t_ == before["t_"]
        assert clf.n_iter_ == before["n_iter_"]
    else:
        assert_array_equal(clf.coef_, np.zeros((10, 64)))
        assert_allclose(clf.predict_proba(X[:1]), np.full((1, 10), 0.1))


# Refusals


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": -1.0}, r"'alpha' parameter .* range \[0.0, inf\) or .* Got -1.0"),
        ({"batch_size": 0}, r"'batch_size' parameter .*'auto'.* Got 0"),
        ({"learning_rate": "adam"}, r"'learning_rate' parameter .*'constant'"),
        ({"preconditioner": "newton"}, r"'preconditioner' parameter .*'gram'"),
        ({"eta0": 0.0}, r"'eta0' parameter"),
        ({"momentum": 1.0}, r"'momentum' parameter .* range \[0.0, 1.0\)"),
        ({"tol": -1e-3}, r"'tol' parameter"),
        ({"max_iter": 0}, r"'max_iter' parameter"),
        ({"n_iter_no_change": 0}, r"'n_iter_no_change' parameter"),
        ({"power_t": -1.0}, r"'power_t' parameter"),
        ({"early_stopping": "yes"}, r"'early_stopping' parameter .*'auto'"),
        ({"validation_fraction": 1.0}, r"'validation_fraction' parameter"),
        ({"class_weight": "even"}, r"'class_weight' parameter .*'balanced'"),
        ({"average": 10}, r"'average' parameter"),
    ],
)
def test_bad_parameters_are_named(digits, params, message):
    clf = SoftmaxRegressionClassifier(**params)

    with pytest.raises(ValueError, match=message):
        clf.fit(*digits)
    assert not hasattr(clf, "classes_")


def test_gram_of_too_many_features_is_refused():
    X = sp.csr_array(sp.random(50, 30_000, density=0.01, random_state=0))
    clf = SoftmaxRegressionClassifier(preconditioner="gram")

    with pytest.raises(ValueError, match=r"30000 features.*Use 'diagonal' or 'auto'"):
        clf.fit(X, np.arange(50) % 2)
