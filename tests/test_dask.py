"""The Dask classifier against the one for one machine: the same optimum."""

import copy
import importlib
import inspect
import io
import pickle
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import (
    ConvergenceWarning,
    InconsistentVersionWarning,
    NotFittedError,
)
from sklearn.feature_selection import SelectFromModel

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._compat import array_namespace
from sksoftmax._oracle import Oracle, OracleProtocol

dask = pytest.importorskip("dask", reason="the extra dask is not installed")
da = pytest.importorskip("dask.array", reason="the extra dask is not installed")
dd = pytest.importorskip("dask.dataframe", reason="the extra dask is not installed")
pd = pytest.importorskip("pandas")
cloudpickle = pytest.importorskip("cloudpickle")

from sksoftmax.dask import DaskSoftmaxRegressionClassifier  # noqa: E402
from sksoftmax.dask.oracle import PartitionedOracle  # noqa: E402
from sksoftmax.dask.placement import Placement  # noqa: E402
from sksoftmax.dask.tasks import add_tuples  # noqa: E402

ALPHA = 1e-3


@pytest.fixture(scope="module", autouse=True)
def _one_task_at_a_time():
    with dask.config.set(scheduler="synchronous"):
        yield


def cut(X, y, n_partitions=8):
    size = -(-len(y) // n_partitions)
    return da.from_array(X, chunks=(size, -1)), da.from_array(y, chunks=size)


def fitted(X, y, sample_weight=None, n_partitions=8, **params):
    params = {"alpha": ALPHA, "tol": 1e-6, "random_state": 0, **params}
    if sample_weight is not None:
        sample_weight = cut(X, sample_weight, n_partitions)[1]
    clf = DaskSoftmaxRegressionClassifier(**params)
    return clf.fit(*cut(X, y, n_partitions), sample_weight)


@pytest.fixture(scope="module")
def quick_model(digits):
    """Return a fitted model, for tests that do not change it."""
    return fitted(*digits, tol=0.1)


@pytest.fixture(scope="module")
def gap(objective, digits):
    """Return how far a model of the digits is above the optimum, relatively."""
    X, y = digits
    optima = {}

    def gap(clf, sample_weight=None):
        weighted = sample_weight is not None
        weight = sample_weight if weighted else np.ones(len(y))
        if weighted not in optima:
            exact = SoftmaxRegressionClassifier(alpha=ALPHA, solver="svrg", tol=1e-9)
            exact.fit(X, y, weight)
            optima[weighted] = objective(
                X, y, weight, ALPHA, exact.coef_, exact.intercept_
            )
        value = objective(X, y, weight, ALPHA, clf.coef_, clf.intercept_)
        return value / optima[weighted] - 1

    return gap


@pytest.mark.parametrize("n_partitions", [1, 8, 40])
def test_same_optimum_however_many_partitions(digits, gap, n_partitions):
    clf = fitted(*digits, n_partitions=n_partitions)

    assert abs(gap(clf)) < 2e-6


def test_same_optimum_in_threads(digits, gap):
    with dask.config.set(scheduler="threads"):
        clf = fitted(*digits)

    assert abs(gap(clf)) < 2e-6


def test_same_optimum_where_partitions_hold_one_class_each(digits, gap):
    X, y = digits
    order = np.argsort(y, kind="stable")

    clf = fitted(X[order], y[order], n_partitions=10)

    assert abs(gap(clf)) < 2e-6


def test_same_optimum_with_weights_some_of_them_zero(digits, gap):
    weight = np.random.RandomState(0).exponential(size=len(digits[1]))
    weight[:500] = 0  # two partitions without any, and one with some

    clf = fitted(*digits, weight)

    assert abs(gap(clf, weight)) < 2e-6


def test_rows_without_weight_change_no_step(digits):
    X, y = digits
    blocks = [slice(at, at + 300) for at in range(0, len(y), 300)]
    # In each partition they come first: 100 rows of noise.
    noise = np.random.RandomState(0).uniform(size=(100, 64))
    with_noise = [dask.delayed(np.vstack([noise, X[some]])) for some in blocks]
    labels = [dask.delayed(np.append(np.zeros(100, int), y[some])) for some in blocks]
    weight = [dask.delayed(np.repeat([0.0, 1.0], [100, len(y[s])])) for s in blocks]
    clf = DaskSoftmaxRegressionClassifier(alpha=ALPHA, random_state=0)
    expected = clone(clf).fit(*delayed_blocks(X, y))

    clf.fit(with_noise, labels, weight)

    assert_allclose(clf.loss_curve_, expected.loss_curve_, rtol=1e-9)
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("by_class", [False, True], ids=["weights", "class weights"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array, pd.DataFrame])
def test_rows_without_weight_may_hold_any_number(digits, layout, dtype, by_class):
    X, y = digits[0].astype(dtype), digits[1].copy()
    weight, params = np.ones(len(y)), {"alpha": ALPHA, "tol": 1e-4, "random_state": 0}
    X[:1000:9], weight[:1000:9] = np.finfo(dtype).max, 0
    X[:100:18] *= -1
    X.flags.writeable = False
    expected = DaskSoftmaxRegressionClassifier(**params)
    expected.fit(*cut(X[weight > 0], y[weight > 0]))
    if by_class:
        y[weight == 0] = 10
        params["class_weight"] = {10: 0}
    clf = DaskSoftmaxRegressionClassifier(**params)
    X_parts, y_parts = delayed_blocks(X, y)
    X_parts = [dask.delayed(layout)(block) for block in X_parts]

    clf.fit(X_parts, y_parts, None if by_class else delayed_blocks(X, weight)[1])

    assert_allclose(clf.loss_curve_[-1], expected.loss_curve_[-1], rtol=2e-4)
    assert_allclose(clf.coef_[:10], expected.coef_, atol=0.05)


def test_weights_that_vanish_in_float32_are_weights(digits):
    X, y = digits
    weight = np.where(np.arange(len(y)) < 300, 1e-60, 1.0)

    clf = fitted(X.astype(np.float32), y, weight, tol=1e-2)

    exact = SoftmaxRegressionClassifier(alpha=ALPHA, solver="svrg", tol=1e-4)
    exact.fit(X, y, weight)
    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=1e-2)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": "balanced"},
        {"class_weight": {3: 0, 5: 2.5}},
        {"label_smoothing": 0.1},
        {"fit_intercept": False},
        {"l1_ratio": 0.5},
        {"preconditioner": "diagonal"},
    ],
    ids=str,
)
def test_parameters_mean_what_they_mean_on_one_machine(digits, params):
    X, y = digits[0][:500], digits[1][:500]
    exact = SoftmaxRegressionClassifier(
        alpha=ALPHA, solver="svrg", tol=1e-7, random_state=0, **params
    ).fit(X, y)

    clf = fitted(X, y, **params)

    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=2e-5)
    assert_allclose(clf.coef_, exact.coef_, atol=0.02)
    assert_array_equal(clf.coef_[3] == 0, exact.coef_[3] == 0)


@pytest.mark.parametrize("class_weight", [None, "balanced", {3: 0, 5: 2.5}], ids=str)
def test_alpha_of_one_by_the_weights_counts_all_rows(digits, class_weight):
    X, y = digits[0][:500], digits[1][:500]
    weight, params = 1.0 + np.arange(500) % 3, {"class_weight": class_weight}
    params["alpha"] = "1/n_samples"
    exact = SoftmaxRegressionClassifier(
        solver="svrg", tol=1e-7, random_state=0, **params
    ).fit(X, y, weight)

    clf = fitted(X, y, weight, **params)

    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=2e-5)
    assert_allclose(clf.coef_, exact.coef_, atol=0.02)
    with pytest.raises(ValueError, match="alpha must be a number in partial_fit"):
        clf.to_local().partial_fit(X, y)


def at_odd_addresses(value):
    """Return arrays as they may arrive from another process."""
    if not isinstance(value, np.ndarray):
        return value
    room = np.empty(value.nbytes + 1, np.uint8)
    odd = room[1:].view(value.dtype).reshape(value.shape)
    odd[...] = value
    return odd


def test_arrays_may_lie_at_odd_addresses(digits, monkeypatch):
    expected = fitted(*digits, tol=1e-3)
    result = Placement.result

    def moved(self, task):
        value = result(self, task)
        return tuple(map(at_odd_addresses, value)) if type(value) is tuple else value

    monkeypatch.setattr(Placement, "result", moved)
    X, y = delayed_blocks(*digits)
    X = [dask.delayed(at_odd_addresses)(block) for block in X]

    clf = clone(expected).fit(X, y)

    assert_allclose(clf.coef_, expected.coef_, rtol=1e-6, atol=1e-9)


def test_two_classes_with_labels_that_are_strings():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-7).fit(X, names)

    clf = fitted(X, names, alpha=1e-4)

    assert_array_equal(clf.classes_, ["benign", "malignant"])
    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=1e-5)
    assert clf.decision_function(cut(X, y)[0]).shape == (569,)


LABELS = {
    "int64, uint64": (10**18 + np.arange(3), np.uint64),
    "uint64, int64": ((10**18 + np.arange(3)).astype(np.uint64), np.int64),
    "integers, whole floats": (np.arange(3), np.float32),
    "floats, integers": (np.arange(3.0), np.int8),
    "integers, objects": (10**18 + np.arange(3), object),
    "text, objects": (np.array(["a", "bcd", "e"]), object),
    "text, other width": (np.array(["a", "bcd", "e"]), "U7"),
    "large, small": (2**63 + np.arange(3, dtype=np.uint64), object),
}


@pytest.mark.parametrize("kind", LABELS)
def test_partitions_may_hold_the_same_labels_in_other_dtypes(kind):
    names, dtype = LABELS[kind]
    X, k = np.random.RandomState(0).standard_normal((90, 3)), np.arange(90) % 3
    X[:, 0] += k
    blocks = [names[k[:30]], names[k[30:60]].astype(dtype), names[k[60:]]]
    y = [dask.delayed(block) for block in blocks]
    parts = [dask.delayed(X[start : start + 30]) for start in (0, 30, 60)]

    clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(parts, y)

    expected = DaskSoftmaxRegressionClassifier(random_state=0)
    expected.fit(parts, [dask.delayed(names[k[s : s + 30]]) for s in (0, 30, 60)])
    assert clf.classes_.tolist() == names.tolist()
    assert_allclose(clf.coef_, expected.coef_, rtol=1e-9)
    assert clf.score(parts, y) == expected.score(parts, y) > 0.4


def test_classes_of_partitions_are_not_rounded_together():
    X, ids = np.random.RandomState(0).standard_normal((40, 3)), 10**18 + np.arange(4)
    blocks = [ids[np.arange(20) % 2], ids[2 + np.arange(20) % 2].astype(np.uint64)]
    parts = [dask.delayed(X[:20]), dask.delayed(X[20:])]

    clf = DaskSoftmaxRegressionClassifier().fit(parts, map_delayed(blocks))

    assert_array_equal(clf.classes_, ids)
    assert clf.classes_.dtype.kind in "iu"


def map_delayed(blocks):
    return [dask.delayed(block) for block in blocks]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([[10, 11, 10], ["10", "11", "10"]], "Partition 1: y must hold labels like"),
        ([["a", "b", "a"], np.array([1, 2, 1], object)], "Partition 1: y must hold la"),
        (
            [["a", "b", "a"], np.array([1, 2, 1], "M8[D]")],
            "Partition 1: y must hold la",
        ),
        ([[1, 2, 1], [1, "2", 1]], "Partition 1: y must hold labels that are all text"),
        (
            [["a", "b", "a"], ["a", None, "b"]],
            "Partition 1: .* missing label in row 1 ",
        ),
        ([[1, 2, 1], [1.0, 2.0, np.nan]], "Partition 1: .* missing label in row 2 "),
        (
            [["a", "b", "a"], pd.Series(["a", pd.NA, "b"])],
            "1: .* missing label in row 1",
        ),
    ],
    ids=["digits", "objects", "dates", "mixed", "None", "NaN", "NA"],
)
def test_labels_of_partitions_that_cannot_be_used(blocks, message):
    parts = [dask.delayed(np.eye(3))] * 2

    with pytest.raises(ValueError, match=message):
        DaskSoftmaxRegressionClassifier().fit(parts, map_delayed(blocks))


def test_score_refuses_text_of_numbers():
    X, y = [dask.delayed(np.eye(3))], [dask.delayed(np.arange(3))]
    clf = DaskSoftmaxRegressionClassifier().fit(X, y)

    assert clf.score(X, [dask.delayed(np.array([0, 1, 7]))]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"Partition 0: y must hold labels among"):
        clf.score(X, [dask.delayed(np.array(["0", "1", "2"]))])


def test_class_weight_of_an_absent_class_and_one_class_with_weight():
    X, y = np.random.RandomState(0).standard_normal((60, 3)), np.arange(60) % 2
    weight = (y == 1) * 1.0
    absent = fitted(X, y, class_weight={0: 1, 1: 2, 2: 5})

    one = fitted(X, y, weight)

    assert_allclose(absent.coef_, fitted(X, y, class_weight={1: 2}).coef_, rtol=1e-9)
    assert_array_equal(one.predict(cut(X, y)[0]).compute(), np.ones(60))
    assert_array_equal(
        fitted(X, y, class_weight={0: 0}).predict(cut(X, y)[0]).compute(), np.ones(60)
    )
    with pytest.raises(ValueError, match="class_weight must name classes among"):
        fitted(X, y, class_weight={"0": 1, "1": 2})
    with pytest.raises(ValueError, match="at least two classes"):
        fitted(X, np.ones(60))


def wild_row(rng):
    """Return rows of which one is 100000 times as large as the others."""
    X = rng.standard_normal((2000, 20))
    y = (X[:, :4] + 0.3 * rng.gumbel(size=(2000, 4))).argmax(axis=1)
    X[1234] *= 1e5
    return X, y


def collinear(rng):
    """Return lags of a series that was integrated twice."""
    series = np.cumsum(np.cumsum(rng.standard_normal(1020)))
    X = np.lib.stride_tricks.sliding_window_view(series, 20)[:1000].copy()
    change = np.diff(X[:, -3:], 2)[:, 0]
    return X, (change + 0.5 * rng.standard_normal(1000) > 0).astype(int)


@pytest.mark.parametrize("kind", [wild_row, collinear], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("tol", "rtol"), [(1e-2, 1e-2), (1e-6, 1e-6)])
def test_wild_rows_and_collinear_columns_reach_the_optimum(
    kind, tol, rtol, monkeypatch
):
    X, y = kind(np.random.RandomState(0))
    monkeypatch.setattr("sksoftmax.dask.training._SAMPLED_ROWS", 200)
    exact = SoftmaxRegressionClassifier(alpha=1e-4, solver="svrg", tol=1e-9).fit(X, y)

    clf = fitted(X, y, alpha=1e-4, tol=tol)

    assert exact.score(X, y) > 0.6
    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=rtol)
    assert_allclose(clf.to_local().score(X, y), exact.score(X, y), atol=0.01)


def test_float32_far_from_zero_is_trained_in_float64():
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((400, 4))
    y = (Z[:, :3] + 0.5 * rng.gumbel(size=(400, 3))).argmax(axis=1)
    X = (np.round(3 * Z) + 1e7).astype(np.float32)
    exact = SoftmaxRegressionClassifier(solver="svrg", tol=1e-8, alpha=ALPHA)
    exact.fit(X.astype(np.float64) - 1e7, y)

    clf = fitted(X, y)

    assert clf.coef_.dtype == np.float64
    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=1e-5)
    assert_allclose(clf.score(*cut(X, y)), exact.score(X.astype(float) - 1e7, y))


def test_few_weights_take_few_passes():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((4000, 6)) ** 3
    y = (X[:, :3] + rng.gumbel(size=(4000, 3))).argmax(axis=1)

    clf = fitted(X, y, tol=1e-6)

    assert clf.n_passes_ < 40


def test_sums_over_partitions_may_lack_a_place():
    row = np.ones(2)

    total = add_tuples((1.0, None), (2.0, row), (), (3.0, None))

    assert total[0] == 6
    assert_array_equal(total[1], row)
    assert add_tuples((1.0, None), (2.0, None)) == (3.0, None)


def test_a_class_that_the_sample_misses(digits, monkeypatch, gap):
    X, y = digits
    monkeypatch.setattr("sksoftmax.dask.training._SAMPLED_ROWS", 12)

    clf = fitted(X, y)

    assert len(clf.classes_) == 10
    assert abs(gap(clf)) < 2e-6


def test_a_sample_of_one_class(digits, monkeypatch, gap):
    monkeypatch.setattr("sksoftmax.dask.training._SAMPLED_ROWS", 1)

    assert abs(gap(fitted(*digits))) < 2e-6


def frames(X, y):
    frame = pd.DataFrame(X, columns=[f"p{i}" for i in range(X.shape[1])]).assign(y=y)
    cut = dd.from_pandas(frame, npartitions=4, sort=False)
    return cut.drop(columns="y"), cut["y"]


def delayed_blocks(X, y):
    some = [slice(at, at + 300) for at in range(0, len(y), 300)]
    return [dask.delayed(X[s]) for s in some], [dask.delayed(y[s]) for s in some]


def sparse_blocks(X, y):
    X, y = cut(X, y)
    return X.map_blocks(sp.csr_array), y


def unknown_lengths(X, y):
    X, y = cut(np.vstack([X, X]), np.append(y, y))
    some = da.from_array(np.repeat([True, False], len(y) // 2), chunks=y.chunks)
    return X[some], y[some]  # the last four partitions are empty


def columns_apart(X, y):
    return da.from_array(X, chunks=(300, 20)), da.from_array(y, chunks=250)


KINDS = [frames, delayed_blocks, sparse_blocks, unknown_lengths, columns_apart]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_rows_may_come_in_any_collection(digits, kind):
    expected = fitted(*digits)
    X, y = kind(*digits)
    clf = clone(expected).fit(X, y)

    predicted = clf.predict(X)

    assert_allclose(clf.coef_, expected.coef_, atol=2e-3)
    assert_array_equal(predicted.compute(), expected.to_local().predict(digits[0]))
    assert_allclose(clf.score(X, y), expected.to_local().score(*digits))


def test_labels_of_one_parquet_file_a_partition(digits, tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    frame = pd.DataFrame(digits[0]).add_prefix("x").assign(y=digits[1])
    for p in range(8):
        frame[p::8].to_parquet(tmp_path / f"{p}.parquet")
    clf = DaskSoftmaxRegressionClassifier(alpha=ALPHA, random_state=0)

    # Dask joins the partitions of y, a small part of each file, and not those of X.
    with dask.config.set({"dataframe.parquet.minimum-partition-size": 1}):
        rows = dd.read_parquet(tmp_path)
        X, y = rows.drop(columns="y"), rows["y"]
        assert len(y.to_delayed()) < len(X.to_delayed()) == 8
        clf.fit(X, y)
        assert clf.score(X, y) > 0.95
        assert clf.predict(X).numblocks == (8,)


def test_wide_sparse_rows_in_the_diagonal_metric():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((600, 3000))
    X = sp.csr_array(X * (rng.uniform(size=X.shape) < 0.01))
    y = rng.randint(4, size=600)
    exact = SoftmaxRegressionClassifier(alpha=ALPHA, solver="svrg", tol=1e-8).fit(X, y)
    cuts = [slice(at, at + 100) for at in range(0, 600, 100)]

    clf = DaskSoftmaxRegressionClassifier(alpha=ALPHA, tol=1e-6).fit(
        [dask.delayed(X[some], traverse=False) for some in cuts],
        [dask.delayed(y[some]) for some in cuts],
    )

    assert_allclose(clf.loss_curve_[-1], exact.loss_curve_[-1], rtol=1e-5)
    assert_allclose(clf.coef_, exact.coef_, atol=0.02)


@pytest.mark.parametrize(
    "method",
    ["predict", "predict_proba", "predict_log_proba", "decision_function"],
)
def test_predictions_are_lazy_and_those_of_the_local_model(digits, method):
    clf, X = fitted(*digits), cut(*digits)[0]

    lazy = getattr(clf, method)(X)

    expected = getattr(clf.to_local(), method)(digits[0])
    assert isinstance(lazy, da.Array)
    assert lazy.chunks[0] == X.chunks[0]
    assert lazy.shape == expected.shape
    assert lazy.dtype == expected.dtype
    assert_allclose(lazy.compute(), expected, rtol=1e-12, atol=1e-13)


def test_score_counts_weights(digits):
    clf, (X, y) = fitted(*digits, tol=0.1), cut(*digits)
    weight = np.random.RandomState(0).exponential(size=len(digits[1]))

    score = clf.score(X, y, da.from_array(weight, chunks=100))

    assert_allclose(score, clf.to_local().score(*digits, weight))


def array(values):
    return da.from_array(values, chunks=450)


def series(values):
    return dd.from_pandas(pd.Series(values), chunksize=450, sort=False)


def blocks(values):
    return [dask.delayed(values[at : at + 450]) for at in range(0, len(values), 450)]


WITHOUT_WEIGHT = {
    "none": slice(0, 0),
    "first rows": slice(0, 30),
    "first partition": slice(0, 450),
    "second and third partition": slice(450, 1350),
    "last partition": slice(1350, None),
    "all but a row": slice(1, None),
}


@pytest.mark.parametrize("kind", [array, series, blocks])
@pytest.mark.parametrize("rows", WITHOUT_WEIGHT.values(), ids=list(WITHOUT_WEIGHT))
@pytest.mark.parametrize("names", [False, True], ids=["numbers", "strings"])
def test_score_of_partitions_without_weight(digits, quick_model, rows, kind, names):
    X, y = digits
    clf = copy.copy(quick_model)
    if names:
        clf.classes_ = np.array(list("abcdefghij"))
        y = clf.classes_[y]
    weight = np.random.RandomState(0).exponential(size=len(y))
    weight[rows] = 0

    score = clf.score(da.from_array(X, chunks=(450, -1)), kind(y), kind(weight))

    assert_allclose(score, clf.to_local().score(X, y, weight), rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_partitions", [1, 4])
@pytest.mark.parametrize("empty", [0, 2, "last"])
def test_score_of_partitions_without_rows(
    digits, quick_model, empty, n_partitions, weighted
):
    X, y = digits
    clf, weight = quick_model, np.linspace(0, 1, len(y))
    collections = [
        [dask.delayed(part) for part in np.array_split(values, n_partitions)]
        for values in (X, y, weight)
    ]
    for blocks, values in zip(collections, (X, y, weight), strict=True):
        at = len(blocks) if empty == "last" else min(empty, len(blocks))
        blocks.insert(at, dask.delayed(values[:0]))

    score = clf.score(*collections[: 3 if weighted else 2])

    expected = clf.to_local().score(X, y, weight if weighted else None)
    assert_allclose(score, expected, rtol=1e-12)


def without_rows(X, y, weight):
    return X[:0], y[:0], None


def without_weight(X, y, weight):
    return X, y, 0 * weight


def without_rows_or_weight(X, y, weight):
    return X[:0], y[:0], weight[:0]


@pytest.mark.parametrize("n_partitions", [1, 4])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_rows, "X must have rows, got"),
        (without_weight, "sample_weight must be positive in some row, got zeros"),
        (without_rows_or_weight, "X must have rows, got"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_score_of_nothing_is_an_error(
    digits, quick_model, change, message, n_partitions
):
    clf = quick_model
    X, y, weight = change(*digits, np.ones(len(digits[1])))
    X, y, weight = (
        values if values is None else cut_evenly(values, n_partitions)
        for values in (X, y, weight)
    )

    with pytest.raises(ValueError, match=message):
        clf.score(X, y, weight)


def cut_evenly(values, n_partitions):
    parts = np.array_split(values, n_partitions)
    return [dask.delayed(part, traverse=False) for part in parts]


@pytest.mark.parametrize("method", ["fit", "score"])
@pytest.mark.parametrize(
    ("X_rows", "y_rows", "weight_rows"),
    [(0, 5, 5), (5, 0, 5), (5, 5, 0), (0, 0, 5), (5, 4, 5), (5, 5, 4)],
)
def test_lengths_of_a_partition_must_match(
    digits, quick_model, method, X_rows, y_rows, weight_rows
):
    X, y = digits
    clf, weight = quick_model, np.ones(len(y))
    X, y, weight = (
        [*cut_evenly(values, 3), dask.delayed(values[:n_rows])]
        for values, n_rows in ((X, X_rows), (y, y_rows), (weight, weight_rows))
    )

    with pytest.raises(ValueError, match=r"Partition 3: "):
        getattr(clf, method)(X, y, weight)


@pytest.mark.parametrize("method", ["fit", "score"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weight: -weight, r"Partition \d: Negative values"),
        (lambda weight: weight * np.nan, r"Partition \d: Input sample_weight contains"),
        (lambda weight: weight * 1e308, "sample_weight .* sum of at most"),
    ],
    ids=["negative", "nan", "huge"],
)
def test_weights_that_cannot_be_used(digits, quick_model, method, change, message):
    clf = quick_model
    weight = change(np.repeat([1.0, 0.0], [1, 449]))[np.arange(1797) % 450]

    with pytest.raises(ValueError, match=message):
        getattr(clf, method)(*map(blocks, (*digits, weight)))


def test_score_of_probabilities_is_that_of_the_local_model(digits, quick_model):
    clf, X = quick_model, digits[0]
    proba = np.random.RandomState(0).dirichlet(np.ones(10), len(X))

    score = clf.score(blocks(X), blocks(proba))

    assert_allclose(score, clf.to_local().score(X, proba), rtol=1e-12)


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
IN_MEMORY = {
    "array": np.asarray,
    "row": lambda X: X[:1],
    "frame": lambda X: pd.DataFrame(X, columns=[f"p{i}" for i in range(64)]),
    "list": lambda X: X.tolist(),
    "tuple": lambda X: tuple(map(tuple, X)),
    "csr": sp.csr_array,
}


@pytest.mark.parametrize("convert", IN_MEMORY.values(), ids=list(IN_MEMORY))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_predictions_for_rows_in_memory_are_in_memory(
    digits, quick_model, method, convert
):
    clf, X = quick_model, convert(digits[0])

    predicted = getattr(clf, method)(X)

    assert type(predicted) is np.ndarray
    assert_array_equal(predicted, getattr(clf.to_local(), method)(X))


@pytest.mark.parametrize("convert", IN_MEMORY.values(), ids=list(IN_MEMORY))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_score_of_rows_in_memory(digits, quick_model, weighted, convert):
    clf, X = quick_model, convert(digits[0])
    y = digits[1][:1] if convert is IN_MEMORY["row"] else digits[1]
    weight = np.linspace(0.1, 1, len(y)) if weighted else None

    assert clf.score(X, y, weight) == clf.to_local().score(X, y, weight)


@pytest.mark.parametrize("kind", [array, blocks, np.asarray])
def test_score_takes_all_arguments_in_memory_or_none(digits, quick_model, kind):
    clf = quick_model
    X, y, weight = (*digits, np.ones(len(digits[1])))
    lazy = kind is not np.asarray
    X = blocks(X) if lazy else X
    other = np.asarray if lazy else blocks

    with pytest.raises(TypeError, match="y must be"):
        clf.score(X, other(y))
    with pytest.raises(TypeError, match="sample_weight must be"):
        clf.score(X, kind(y), other(weight))


def test_rows_in_memory_are_checked(digits, quick_model):
    clf = quick_model

    with pytest.raises(ValueError, match="63 features"):
        clf.predict(digits[0][:, 1:])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        DaskSoftmaxRegressionClassifier().predict(digits[0])


def test_the_local_model_keeps_the_unit_of_weights(digits):
    X, y = digits
    models = []
    for unit in (1.0, 1e-4):
        weight = np.full(len(y), unit)
        local = fitted(X, y, weight, alpha=0.0).to_local()
        for _ in range(5):
            local.partial_fit(X, (y + 1) % 10, sample_weight=weight)
        models.append(local)

    assert_allclose(*(model.predict_proba(X) for model in models), atol=0.05)
    assert models[1].score(X, (y + 1) % 10) > 0.5


@pytest.mark.skipif(array_namespace is None, reason="scikit-learn is older than 1.9")
@pytest.mark.parametrize("name", ["X", "y"])
def test_the_local_class_refuses_lazy_arrays_under_dispatch(digits, name):
    data = dict(zip(("X", "y"), digits, strict=True))
    data[name] = da.from_array(data[name])
    message = rf"{name} must be a.* array.* got dask\.array.* Convert {name}"

    with (
        config_context(array_api_dispatch=True),
        pytest.raises(TypeError, match=message),
    ):
        SoftmaxRegressionClassifier().fit(**data)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
def test_scales_of_the_local_model_follow_a_stream_in_any_unit_of_weights(digits, unit):
    X, y = digits
    weight = np.full(len(y), unit)
    local = fitted(X, y, weight).to_local()
    mean = local._state["moments"]["mean"]

    local.partial_fit(X + 10, y, sample_weight=weight)

    assert_allclose(local._state["moments"]["mean"], mean + 5)


def test_the_local_model_goes_on_and_leaves_this_one(digits):
    X, y = digits
    clf = fitted(X, y)
    before = clf.coef_.copy()

    local = clf.to_local()
    local.partial_fit(X[:200], y[:200])

    assert type(local) is SoftmaxRegressionClassifier
    assert local.t_ > clf.t_
    assert local.score(X, y) > 0.97
    assert_array_equal(clf.coef_, before)


def test_attributes(digits):
    X, y = frames(*digits)

    clf = DaskSoftmaxRegressionClassifier(tol=0.1).fit(X, y)

    assert clf.n_features_in_ == 64
    assert_array_equal(clf.feature_names_in_, [f"p{i}" for i in range(64)])
    assert clf.n_iter_ == len(clf.loss_curve_)
    assert clf.n_passes_ >= clf.n_iter_ + 4
    assert clf.coef_.shape == (10, 64)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_selection_by_a_model_on_a_cluster_is_that_on_one_machine(digits, l1_ratio):
    X, y = digits
    on_cluster = fitted(X, y, alpha=1e-2, l1_ratio=l1_ratio)

    selectors = [
        SelectFromModel(model, prefit=True).fit(X, y)
        for model in (on_cluster, on_cluster.to_local())
    ]

    assert selectors[0].threshold_ == selectors[1].threshold_
    assert (selectors[0].threshold_ == 1e-5) == (l1_ratio == 1)


def test_a_second_fit_forgets_the_names_of_the_first(digits):
    clf = DaskSoftmaxRegressionClassifier(tol=0.1).fit(*frames(*digits))

    clf.fit(*cut(*digits))

    assert not hasattr(clf, "feature_names_in_")


def test_float32_stays_float32(digits):
    X, y = digits

    clf = fitted(X.astype(np.float32), y, tol=1e-3)

    assert clf.coef_.dtype == np.float32
    assert clf.predict_proba(cut(X, y)[0]).dtype == np.float32


def test_the_same_seed_gives_the_same_bits(digits):
    first, second = fitted(*digits, tol=1e-2), fitted(*digits, tol=1e-2)

    assert_array_equal(first.coef_, second.coef_)


def test_a_fitted_model_can_be_stored(digits):
    clf = fitted(*digits, tol=0.1)

    copy = pickle.loads(pickle.dumps(clf))

    assert_array_equal(copy.coef_, clf.coef_)
    assert copy.score(*cut(*digits)) == clf.score(*cut(*digits))


def by_joblib(clf):
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "joblib": by_joblib,
    "cloudpickle": lambda clf: cloudpickle.loads(cloudpickle.dumps(clf)),
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    **{
        f"protocol {p}": lambda clf, p=p: pickle.loads(pickle.dumps(clf, p))
        for p in (0, 2, 4)
    },
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=list(COPIES))
def test_copies_know_all_that_the_model_knows(digits, quick_model, copied):
    X, y = digits
    clf = quick_model

    again = copied(clf)

    assert vars(again).keys() == vars(clf).keys()
    assert again.get_params() == clf.get_params()
    models = [model.to_local() for model in (clf, again)]
    for model in models:
        assert type(model) is SoftmaxRegressionClassifier
        model.partial_fit(X, y)
    assert_array_equal(models[0].coef_, models[1].coef_)
    assert_array_equal(clone(again).fit(*cut(X, y)).coef_, clf.coef_)


def test_an_unfitted_model_can_be_stored():
    clf = DaskSoftmaxRegressionClassifier(alpha=0.5, class_weight={"a": 2.0})

    again = pickle.loads(pickle.dumps(clf))

    assert again.get_params() == clf.get_params()
    assert vars(again).keys() == vars(clf).keys()


@pytest.mark.parametrize("is_fitted", [False, True])
def test_pickles_name_the_version_and_hold_no_generator(digits, is_fitted, monkeypatch):
    clf = DaskSoftmaxRegressionClassifier(tol=0.1, random_state=0)
    pickled = pickle.dumps(clf.fit(*cut(*digits)) if is_fitted else clf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickled)
    monkeypatch.setattr("sksoftmax.__version__", "9.9")

    with pytest.warns(
        InconsistentVersionWarning, match=r"DaskSoftmaxRegressionClassifier from ver"
    ):
        pickle.loads(pickled)

    assert b"randomstate" not in pickled.lower()


def test_a_pickle_without_a_parameter_gets_its_default():
    state = DaskSoftmaxRegressionClassifier(alpha=0.5).__getstate__()
    del state["verbose"], state["l1_ratio"]

    clf = DaskSoftmaxRegressionClassifier.__new__(DaskSoftmaxRegressionClassifier)
    clf.__setstate__(state)

    assert clf.get_params() == DaskSoftmaxRegressionClassifier(alpha=0.5).get_params()


def test_too_few_steps_warn(digits):
    with pytest.warns(ConvergenceWarning, match="max_iter=2 was reached"):
        fitted(*digits, max_iter=2)


def test_not_fitted(digits):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        DaskSoftmaxRegressionClassifier().predict(cut(*digits)[0])


def with_nan(X, y):
    X = X.copy()
    X[700, 3] = np.nan
    return cut(X, y)


def with_another_width(X, y):
    X, y = delayed_blocks(X, y)
    X[2] = dask.delayed(np.ones((300, 63)))
    return X, y


def with_other_names(X, y):
    X, y = (list(frame.to_delayed()) for frame in frames(X, y))
    X[2] = X[2].rename(columns={"p0": "q0"})
    return X, y


def with_strings_among_numbers(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.repeat("two", 300))
    return X, y


def with_missing_labels(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.ones(200))
    return X, y


def with_fractions_as_labels(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.linspace(0, 1, 300))
    return X, y


def with_dates_among_numbers(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.datetime64("2025-01-01") + np.arange(300))
    return X, y


def with_durations_among_numbers(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.arange(300).astype("timedelta64[D]"))
    return X, y


def with_numbers_among_dates(X, y):
    X, y = delayed_blocks(X, np.datetime64("2025-01-01") + y)
    y[2] = dask.delayed(np.arange(300))
    return X, y


def with_durations_among_dates(X, y):
    X, y = delayed_blocks(X, np.datetime64("2025-01-01") + y)
    y[2] = dask.delayed(np.arange(300).astype("timedelta64[D]"))
    return X, y


def with_nothing(X, y):
    X, y = delayed_blocks(X, y)
    X[2] = dask.delayed(None)
    return X, y


def with_probabilities(X, y):
    X, y = delayed_blocks(X, y)
    y[2] = dask.delayed(np.full((300, 10), 0.1))
    return X, y


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (with_nan, r"Partition 3: Input X contains NaN"),
        (
            with_another_width,
            r"Partition 2: X .* partition 0, .* got 63 features",
        ),
        (with_other_names, r"Partition 2: X must .* got 64 features named \['q0'"),
        (with_strings_among_numbers, r"Partition 2: y must hold labels like"),
        (with_dates_among_numbers, r"Partition 2: y must hold labels like"),
        (with_durations_among_numbers, r"Partition 2: y must hold labels like"),
        (with_numbers_among_dates, r"Partition 2: y must hold labels like"),
        (with_durations_among_dates, r"Partition 2: y must hold labels like"),
        (with_nothing, r"Partition 2: X must be rows, .* got NoneType"),
        (with_missing_labels, r"Partition 2: .*inconsistent numbers of samples"),
        (with_fractions_as_labels, r"Partition 2: Unknown label type: continuous"),
        (
            with_probabilities,
            r"Partition 2: y must be labels.* got the shape \(300, 10\)",
        ),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_errors_name_the_partition_and_leave_the_model(digits, kind, message):
    clf = fitted(*digits, tol=0.1)
    before = pickle.dumps(vars(clf))

    with pytest.raises(ValueError, match=message):
        clf.fit(*kind(*digits))

    assert pickle.dumps(vars(clf)) == before


def test_negative_weights_name_the_partition(digits):
    weight = np.ones(len(digits[1]))
    weight[-1] = -1

    with pytest.raises(ValueError, match=r"Partition 7: Negative values in"):
        fitted(*digits, weight)


def test_weights_travel_in_pieces_without_loss(digits, monkeypatch):
    expected = fitted(*digits, tol=1e-3)
    monkeypatch.setattr("sksoftmax.dask.oracle._PIECE_SIZE", 1000)

    clf = fitted(*digits, tol=1e-3)

    assert_array_equal(clf.coef_, expected.coef_)
    assert clf.score(*cut(*digits)) == expected.score(*cut(*digits))


def test_fits_in_threads_leave_the_configuration_alone(digits):
    X, y = digits
    before, received = copy.deepcopy(dask.config.config), []

    def load(rows):
        received.append(copy.deepcopy(dask.config.config))
        return rows

    def fit(tol):
        clf = DaskSoftmaxRegressionClassifier(tol=tol, random_state=0)
        clf.fit([dask.delayed(load)(X[:900]), dask.delayed(load)(X[900:])], y_blocks)

    y_blocks = [dask.delayed(y[:900]), dask.delayed(y[900:])]
    threads = [threading.Thread(target=fit, args=(tol,)) for tol in (0.1, 1e-3, 0.01)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(received) > 20
    assert all(config == before for config in received)
    assert dask.config.config == before


def test_predictions_name_the_partition(digits):
    clf, (X, _) = fitted(*digits, tol=0.1), with_another_width(*digits)

    with pytest.raises(ValueError, match=r"Partition 2: X has 63 features"):
        clf.predict(X).compute()


def test_lengths_must_match(digits):
    X, y = cut(*digits)

    with pytest.raises(ValueError, match="as many rows as X, 1797, got 100"):
        DaskSoftmaxRegressionClassifier().fit(X, y[:100])


def test_numbers_of_partitions_must_match(digits):
    X, y = delayed_blocks(*digits)

    with pytest.raises(ValueError, match="as many partitions as X, 6, got 5"):
        DaskSoftmaxRegressionClassifier().fit(X, y[:5])


def test_no_rows_at_all():
    X, y = [dask.delayed(np.empty((0, 3)))], [dask.delayed(np.empty(0))]

    with pytest.raises(ValueError, match="X must have rows"):
        DaskSoftmaxRegressionClassifier().fit(X, y)


def test_one_class(digits):
    with pytest.raises(ValueError, match="y must hold at least two classes"):
        fitted(digits[0], np.zeros(1797))


@pytest.mark.parametrize("name", ["X", "y"])
def test_a_grid_with_cuts_between_columns_is_refused(digits, quick_model, name):
    X, y = (rows.to_delayed() for rows in cut(*digits))
    grid = da.from_array(digits[0], chunks=(225, 32)).to_delayed()
    X, y = (grid, y) if name == "X" else (X, grid)
    message = rf"{name} must be cut into rows alone, got .* grid \(8, 2\)"

    with pytest.raises(ValueError, match=message):
        quick_model.fit(X, y)
    with pytest.raises(ValueError, match=message):
        quick_model.score(X, y)
    for rows in (grid, grid.tolist(), list(grid)):
        with pytest.raises(
            ValueError, match=r"X must be cut .* X\.rechunk\(\{1: -1\}\)"
        ):
            quick_model.predict(rows)


@pytest.mark.parametrize("kind", [np.ndarray.tolist, list, lambda g: tuple(g.tolist())])
def test_rows_of_a_grid_in_lists_are_blocks(digits, quick_model, kind):
    X, y = cut(*digits)

    score = quick_model.score(kind(X.to_delayed()), kind(y.to_delayed()))

    assert score == quick_model.score(X, y)


def test_an_array_of_one_block_without_axes_is_one_partition(digits, quick_model):
    X, y = (np.array(dask.delayed(rows), dtype=object) for rows in digits)
    assert X.shape == ()

    score = quick_model.score(X, y)

    assert score == quick_model.score(*cut(*digits))


NO_BLOCKS = {
    "numbers": [[1.0, 2.0], [3.0, 4.0]],
    "numbers as objects": np.array([[1.0], [3.0]], dtype=object),
    "None as an object": np.array(None, dtype=object),
    "arrays": [np.eye(3)],
    "an array without axes": [np.array(1.0)],
    "empty lists": [[], []],
}


@pytest.mark.parametrize("kind", NO_BLOCKS)
def test_lists_and_objects_without_blocks_are_refused(digits, kind):
    y = cut(*digits)[1]

    with pytest.raises(TypeError, match=r"^X must be a dask array or data frame, "):
        DaskSoftmaxRegressionClassifier().fit(NO_BLOCKS[kind], y)


def test_arrays_with_cuts_between_columns_are_joined(digits, quick_model):
    X, y = cut(*digits)
    grid = X.rechunk((225, 32))

    assert quick_model.score(grid, y) == quick_model.score(X, y)
    assert_array_equal(clone(quick_model).fit(grid, y).coef_, quick_model.coef_)


def test_parquet_files_that_dask_joins_are_refused_with_the_way_out(digits, tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    for p, (X, y) in enumerate(zip(*map(np.array_split, digits, [8, 8]), strict=True)):
        names = [f"pixel{k}" for k in range(64)]
        frame = pd.DataFrame(X, columns=names).assign(digit=y)
        frame.to_parquet(tmp_path / f"{p}.parquet")
    frame, clf = dd.read_parquet(tmp_path), DaskSoftmaxRegressionClassifier(tol=0.1)
    X, y = frame[names], frame["digit"]

    with pytest.raises(ValueError, match=r"8, got \d\..* dask\.persist\(X, y\)\. Dask"):
        clf.fit(X.persist(), y.persist())

    few = frame[names[20:24]].to_delayed(optimize_graph=False)
    for rows in [(X, y), (few, y.to_delayed(optimize_graph=False))]:
        assert clf.fit(*dask.persist(*rows)).score(*rows) > 0.3


def test_graphs_of_predictions_hold_no_memory_of_training(digits, quick_model):
    graph = quick_model.predict(cut(*digits)[0]).dask

    pickled = cloudpickle.dumps(dict(graph))

    assert b"intercept_" in pickled
    assert b"solver_state" not in pickled


def test_fit_refuses_rows_in_memory_with_the_way_out(digits, quick_model):
    clf = quick_model

    with pytest.raises(TypeError, match=r"X must be a dask array .* got ndarray"):
        clf.fit(*digits)


@pytest.mark.parametrize("kind", [dask.delayed, lambda X: cut(X, X[:, 0])[0][0, 0]])
def test_one_block_must_be_in_a_list(digits, quick_model, kind):
    X, y = digits
    clf = quick_model
    with pytest.raises((TypeError, ValueError), match="X must"):
        clf.fit(kind(X), blocks(y))
    with pytest.raises((TypeError, ValueError), match="X must"):
        clf.predict(kind(X))


@pytest.mark.parametrize("name", ["y", "sample_weight"])
@pytest.mark.parametrize("kind", [dask.delayed, lambda y: da.from_array(y[0])])
def test_labels_and_weights_must_be_cut(digits, kind, name):
    X, y = digits
    arguments = {"y": blocks(y), name: kind(y)}

    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        DaskSoftmaxRegressionClassifier().fit(blocks(X), **arguments)


def sparse_blocks_of_all_formats(X, y):
    X, y = delayed_blocks(X, y)
    formats = sp.csc_matrix, sp.coo_array, sp.csr_array, sp.lil_matrix, sp.dok_array
    converted = [
        dask.delayed(to_sparse)(block)
        for to_sparse, block in zip(formats, X, strict=False)
    ]
    return [*converted, *X[len(formats) :]], y  # the last one is dense


def lists(X, y):
    X, y = delayed_blocks(X, y)
    return [dask.delayed(list)(block) for block in X], [
        dask.delayed(np.ndarray.tolist)(block) for block in y
    ]


def grids_of_delayed_blocks(X, y):
    X, y = cut(X, y)
    return X.to_delayed(), y.to_delayed()


def bags(X, y):
    db = pytest.importorskip("dask.bag")
    return [db.from_sequence(values.tolist(), npartitions=4) for values in (X, y)]


def nullable_frames(X, y):
    X, y = delayed_blocks(X, y)
    X = [dask.delayed(lambda X: pd.DataFrame(X).convert_dtypes())(block) for block in X]
    return X, [dask.delayed(lambda y: pd.Series(y, dtype="Int64"))(b) for b in y]


def mixed_dtypes(X, y):
    X, y = delayed_blocks(X, y)
    dtypes = np.float32, np.int64, np.float64, np.uint8, np.float16, np.int16
    return [
        dask.delayed(np.ndarray.astype)(block, dtype)
        for block, dtype in zip(X, dtypes, strict=True)
    ], y


@pytest.mark.parametrize(
    "kind",
    [
        sparse_blocks_of_all_formats,
        lists,
        grids_of_delayed_blocks,
        bags,
        nullable_frames,
        mixed_dtypes,
    ],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize("weights", [False, True])
def test_blocks_of_unusual_kinds(digits, kind, weights):
    X, y = 16 * digits[0], digits[1]
    expected = fitted(X, y, tol=1e-3)
    dX, dy = kind(X, y)
    n_partitions = getattr(dX, "npartitions", None) or len(dX)
    weight = [dask.delayed(2.0)] * n_partitions if weights else None

    clf = clone(expected).fit(dX, dy, weight)

    local = expected.to_local()
    assert_allclose(clf.loss_curve_[-1], expected.loss_curve_[-1], rtol=1e-2)
    assert_allclose(clf.score(dX, dy, weight), local.score(X, y), atol=2e-3)
    assert clf.predict(dX).compute().shape == y.shape


@pytest.mark.parametrize("kind", [array, blocks])
def test_probabilities_are_refused_with_the_way_out(digits, kind):
    X, y = digits
    message = r"Partition \d: y must be labels.* 10\).*Classifier for probabilities"

    with pytest.raises(ValueError, match=message):
        DaskSoftmaxRegressionClassifier().fit(blocks(X), kind(np.eye(10)[y]))


def test_parameters_are_checked(digits):
    with pytest.raises(ValueError, match="The 'alpha' parameter"):
        fitted(*digits, alpha=-1.0)


def test_nothing_of_the_size_of_x_is_kept(monkeypatch):
    monkeypatch.setattr("sksoftmax.dask.training._SAMPLED_ROWS", 1000)
    n_rows, n_partitions = 20_000, 20

    def rows(p):
        return np.random.RandomState(p).standard_normal((n_rows, 20))

    X = [dask.delayed(rows)(p) for p in range(n_partitions)]
    y = [dask.delayed(lambda X: (X[:, 0] > 0).astype(int))(block) for block in X]
    clf = DaskSoftmaxRegressionClassifier(max_iter=3, tol=None)
    tracemalloc.start()

    clf.fit(X, y)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    partition, kept = n_rows * 20 * 8, n_partitions * n_rows * 12
    assert peak < 3 * partition + kept


@pytest.mark.parametrize(("tol", "most"), [(1e-2, 25), (1e-3, 50)])
def test_passes_are_few(digits, tol, most):
    clf = fitted(*digits, tol=tol)

    assert clf.n_passes_ <= most


def test_oracles_have_the_methods_of_their_protocol():
    expected = vars(OracleProtocol)
    names = [name for name in expected if not name.startswith("_")]

    assert names
    for name in names:
        signature = inspect.signature(expected[name])
        for oracle in (Oracle, PartitionedOracle):
            assert inspect.signature(getattr(oracle, name)) == signature


def test_a_model_of_dask_keeps_its_attributes_while_it_is_trained(monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    clf = DaskSoftmaxRegressionClassifier(random_state=0)
    rows = [dask.delayed(X)], [dask.delayed(y)]
    before = vars(clf.fit(*rows))
    training = importlib.import_module("sksoftmax.dask.training")
    function, seen = training.train, []

    def look(*args, **kwargs):
        seen.append(vars(clf) is before)
        return function(*args, **kwargs)

    monkeypatch.setattr(training, "train", look)

    clf.fit(*rows)

    assert seen == [True]
    assert vars(clf) is not before


def test_a_model_of_dask_corrects_its_prior():
    X, y = load_breast_cancer(return_X_y=True)
    X = X[y.argsort()[150:]]
    y = np.sort(y)[150:]
    clf = DaskSoftmaxRegressionClassifier(class_weight="balanced", random_state=0)
    clf.fit([dask.delayed(X)], [dask.delayed(y)])

    model = clf.to_local().correct_prior()

    assert model.predict_proba(X)[:, 0].mean() < clf.predict_proba(X)[:, 0].mean()
    assert abs(model.predict_proba(X)[:, 0].mean() - (y == 0).mean()) < 0.01


def test_attributes_set_on_a_new_classifier_predict(digits, quick_model):
    X, y = digits
    clf = DaskSoftmaxRegressionClassifier()
    for name in ("classes_", "coef_", "intercept_"):
        setattr(clf, name, getattr(quick_model, name))

    assert_array_equal(clf.predict(cut(X, y)[0]).compute(), quick_model.predict(X))
    assert clf.score(X, y) == quick_model.score(X, y)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predictions_have_the_partitions_of_x_also_empty_ones(
    digits, quick_model, method
):
    X, _ = digits
    chunks = (0, 500, 0, 0, len(X) - 500), (64,)

    result = getattr(quick_model, method)(da.from_array(X, chunks=chunks))

    assert result.chunks[0] == chunks[0]
    expected = getattr(quick_model.to_local(), method)(X)
    assert_allclose(result.compute(), expected, rtol=1e-9)
    assert_allclose(result.blocks[1].compute(), expected[:500], rtol=1e-9)


def test_a_prediction_is_of_one_model_while_another_thread_fits(digits, monkeypatch):
    X, y = digits
    clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(*cut(X, y))
    to_local, few = DaskSoftmaxRegressionClassifier.to_local, y < 3

    def copy_and_fit(self):
        model = to_local(self)
        monkeypatch.undo()
        self.fit(*cut(X[few], y[few]))
        return model

    monkeypatch.setattr(DaskSoftmaxRegressionClassifier, "to_local", copy_and_fit)

    proba = clf.predict_proba(cut(X, y)[0])

    assert len(clf.classes_) == 3
    assert proba.shape[1] == proba.compute().shape[1] == 10
