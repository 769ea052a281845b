"""The Dask classifier that chooses its penalty: one machine's choice, in few passes."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold, PredefinedSplit, StratifiedKFold

from sksoftmax import SoftmaxRegressionClassifierCV

dask = pytest.importorskip("dask", reason="the extra dask is not installed")
da = pytest.importorskip("dask.array", reason="the extra dask is not installed")
dd = pytest.importorskip("dask.dataframe", reason="the extra dask is not installed")
pd = pytest.importorskip("pandas")

from sksoftmax.dask import DaskSoftmaxRegressionClassifierCV  # noqa: E402
from sksoftmax.dask.folds import make_folds  # noqa: E402
from sksoftmax.dask.tasks import summarize  # noqa: E402

N_ROWS, N_FEATURES, CHUNK = 400, 6, 90
ALPHAS = [1, 0.01, 1e-6]  # the best one is no edge
NO_FOLDS = r"Partition \d: cv must hold fold numbers, integers from 0 on, .* got "


@pytest.fixture(autouse=True)
def _one_task_at_a_time():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_FEATURES)) * [1, 1, 3, 0.1, 1, 1] + 2
    y = (X[:, :3] + rng.gumbel(size=(N_ROWS, 3))).argmax(axis=1)
    return X, y


@pytest.fixture(scope="module")
def weight():
    weight = np.random.default_rng(1).exponential(size=N_ROWS)
    weight[CHUNK : 2 * CHUNK + 20] = 0  # a partition without any, and one with some
    return weight


def cut(rows, chunk=CHUNK):
    return da.from_array(rows, chunks=(chunk, *rows.shape[1:]))


def compare(clf, expected, tol=1e-6):
    """Check that both classifiers have the same path and the same model."""
    assert clf.alpha_ == expected.alpha_
    for name in ("alphas_", "scores_", "standard_error_", "coef_path_", "C_"):
        assert_allclose(getattr(clf, name), getattr(expected, name), tol, tol)
    for name in ("coef_", "intercept_", "best_score_", "alpha_1se_", "std_score_"):
        assert_allclose(getattr(clf, name), getattr(expected, name), tol, tol)
    assert clf.n_splits_ == expected.n_splits_
    assert clf.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"cv": 3, "scoring": "accuracy"},
        {"class_weight": "balanced"},
        {"class_weight": {0: 3.0, 1: 0.0}, "selection": "1se"},
        {"label_smoothing": 0.1},
        {"fit_intercept": False},
        {"preconditioner": "diagonal"},
        {"alphas": ALPHAS},
        {"selection": lambda results: 1},
    ],
    ids=lambda params: next(iter(params), "defaults"),
)
def test_the_choice_is_that_of_one_machine(data, weight, params, weighted):
    X, y = data
    weights = (weight, cut(weight)) if weighted else (None, None)
    expected = SoftmaxRegressionClassifierCV(**params).fit(X, y, weights[0])

    clf = DaskSoftmaxRegressionClassifierCV(**params).fit(cut(X), cut(y), weights[1])

    compare(clf, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_without_weight_may_hold_any_number(data, weight, dtype):
    X, y = data[0].astype(dtype), data[1]
    X[weight == 0] = np.finfo(dtype).max
    expected = SoftmaxRegressionClassifierCV().fit(X, y, weight)

    clf = DaskSoftmaxRegressionClassifierCV()
    clf.fit(cut(X), cut(y), sample_weight=cut(weight))

    compare(clf, expected, 1e-4)


@pytest.mark.parametrize("factor", [1e5, 1e180])
def test_values_of_a_class_of_weight_zero_change_no_model(data, factor):
    X, y = data[0].copy(), data[1]
    X[y == 1] *= factor
    clf = DaskSoftmaxRegressionClassifierCV(class_weight={0: 3.0, 1: 0.0, 2: 1.0})
    expected = SoftmaxRegressionClassifierCV(**clf.get_params()).fit(X, y)

    clf.fit(cut(X), cut(y))

    compare(clf, expected, 1e-4)
    kept = y != 1
    assert clf.to_local().score(X[kept], y[kept]) > 0.8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_huge_values_of_a_class_of_weight_zero_change_no_model(data, kind, dtype):
    X, y = (data[0] - data[0].mean(axis=0)).astype(dtype), data[1]
    # Sums over such a row have infinities of both signs.
    X[y == 1] = np.sign(X[y == 1]) * np.finfo(dtype).max
    clf = DaskSoftmaxRegressionClassifierCV(
        class_weight={0: 3.0, 1: 0.0, 2: 1.0}, alphas=ALPHAS, cv=2, max_iter=20
    )
    expected = SoftmaxRegressionClassifierCV(**clf.get_params()).fit(X, y)

    clf.fit([dask.delayed(kind(x.compute())) for x in blocks(X)], blocks(y))

    compare(clf, expected, 1e-2)


@pytest.mark.parametrize("chunk", [7, 100, N_ROWS])
def test_cuts_and_the_order_of_classes_change_nothing(data, chunk):
    X, y = data
    order = np.argsort(y, kind="stable")[::-1]
    X, y = X[order], np.array(["a", "b", "b"])[y[order]]
    expected = SoftmaxRegressionClassifierCV().fit(X, y)

    clf = DaskSoftmaxRegressionClassifierCV().fit(cut(X, chunk), cut(y, chunk))

    compare(clf, expected)
    assert_array_equal(clf.predict(cut(X)).compute(), expected.predict(X))


def test_many_rows_of_float32_with_a_far_column():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9000, 5)).astype(np.float32) * 100 + 50
    y = (X[:, :2] / 50 + rng.gumbel(size=(len(X), 2))).argmax(axis=1)
    expected = SoftmaxRegressionClassifierCV().fit(X, y)

    clf = DaskSoftmaxRegressionClassifierCV().fit(cut(X, 1000), cut(y, 1000))

    compare(clf, expected, 1e-3)
    assert clf.coef_.dtype == clf.coef_path_.dtype == np.float32


@pytest.mark.parametrize(
    ("counts", "n_splits"),
    [
        (counts, n_splits)
        for counts in ([200, 100, 33], [5, 2, 400], [3, 1, 2], [7, 7, 7, 7, 1])
        for n_splits in (2, 3, 5, 7)
        if n_splits <= max(counts)  # else StratifiedKFold raises
    ],
)
@pytest.mark.parametrize("has_zeros", [False, True])
def test_folds_are_those_of_stratified_k_fold(counts, n_splits, has_zeros):
    rng = np.random.RandomState(sum(counts))
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    weighted = np.ones(len(y), bool)
    if has_zeros:  # among the rows of each class, before and between the others
        y = np.concatenate([np.arange(len(counts))[::-1], np.repeat(y, 2)])
        weighted = np.arange(len(y)) % 2 == len(counts) % 2
        weighted[: len(counts)] = False
    rows = [*np.array_split(np.arange(len(y)), 4), np.arange(0)]
    summaries = [
        summarize(p, np.zeros((len(r), 1)), y[r], weighted[r] * 1.0, None)[0]
        for p, r in enumerate(rows)
    ]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        n, folds = make_folds(n_splits, summaries, np.arange(len(counts)))
        splits = list(StratifiedKFold(n_splits).split(y[weighted], y[weighted]))

    assert n == n_splits
    fold = np.concatenate(
        [f.assign(y[r], None, weighted[r]) for f, r in zip(folds, rows, strict=True)]
    )
    assert_array_equal(fold[~weighted], -1)
    for k, (_, test) in enumerate(splits):
        assert_array_equal(np.flatnonzero(fold[weighted] == k), test)


def arrays(values):
    return cut(values)


def series(values):
    return dd.from_pandas(pd.Series(values), chunksize=CHUNK, sort=False)


def blocks(values):
    return [dask.delayed(v) for v in np.split(values, range(CHUNK, N_ROWS, CHUNK))]


@pytest.mark.parametrize("kind", [arrays, series, blocks])
@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 3, 7, -1), (4, -1)], ids=str)
def test_given_folds_are_those_of_a_predefined_split(data, kind, numbers):
    X, y = data
    fold = np.random.default_rng(0).choice(numbers, N_ROWS)
    expected = SoftmaxRegressionClassifierCV(cv=PredefinedSplit(fold)).fit(X, y)

    clf = DaskSoftmaxRegressionClassifierCV(cv=kind(fold)).fit(blocks(X), blocks(y))

    compare(clf, expected)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
@pytest.mark.parametrize("first", [0, -1])
def test_a_class_that_the_training_rows_of_a_split_lack(data, weight, first, scoring):
    X, y = data
    n_folds = 3 + 2 * first  # three, or one of half of the rows
    fold = np.where(y == 2, 0, np.arange(N_ROWS) % (n_folds - first) + first)
    expected = SoftmaxRegressionClassifierCV(cv=PredefinedSplit(fold), scoring=scoring)
    clf = DaskSoftmaxRegressionClassifierCV(cv=cut(fold), scoring=scoring)
    for sample_weight in (None, weight):
        expected.fit(X, y, sample_weight)

        clf.fit(
            cut(X),
            cut(y),
            sample_weight=sample_weight
            if sample_weight is None
            else cut(sample_weight),
        )

        compare(clf, expected)
        assert expected.n_splits_ == n_folds


def test_rare_classes_warn_as_on_one_machine(data):
    X, y = data[0][:60], data[1][:60].copy()
    y[:2] = 3

    with pytest.warns(UserWarning, match="least populated class in y has only 2 mem"):
        DaskSoftmaxRegressionClassifierCV(alphas=[0.1]).fit(cut(X), cut(y))


def test_sparse_rows_have_the_path_of_dense_ones(data):
    X, y = data
    X = np.where(X > 2, X, 0)
    expected = SoftmaxRegressionClassifierCV().fit(X, y)

    clf = DaskSoftmaxRegressionClassifierCV()
    clf.fit([dask.delayed(sp.csr_array(x.compute())) for x in blocks(X)], blocks(y))

    compare(clf, expected)


def test_frames_of_unknown_lengths(data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(
        y=y, fold=np.arange(N_ROWS) // 7 % 4
    )
    lazy = dd.from_pandas(frame, npartitions=3)
    lazy, frame = lazy[lazy["a"] > 1], frame[frame["a"] > 1]
    names = list("abcdef")
    expected = SoftmaxRegressionClassifierCV(cv=PredefinedSplit(frame["fold"]))
    expected.fit(frame[names], frame["y"])

    clf = DaskSoftmaxRegressionClassifierCV(cv=lazy["fold"])
    clf.fit(lazy[names], lazy["y"])

    compare(clf, expected)
    assert clf.feature_names_in_.tolist() == names


@pytest.mark.parametrize("unweighted", [(), (9,)])
def test_passes_are_few_and_shared_by_all_models(digits, unweighted):
    X, y = digits
    params = {"class_weight": dict.fromkeys(unweighted, 0.0)}
    n_loads = [0, 0, 0]

    def load(p, block):
        n_loads[p] += 1
        return block

    chunks = np.array_split(X, 3)
    lazy = [dask.delayed(load)(p, block) for p, block in enumerate(chunks)]
    labels = [dask.delayed(block) for block in np.array_split(y, 3)]
    expected = SoftmaxRegressionClassifierCV(**params).fit(X, y)

    clf = DaskSoftmaxRegressionClassifierCV(**params).fit(lazy, labels)

    assert n_loads == [clf.n_passes_] * 3
    assert clf.n_passes_ == expected.n_passes_ + 4
    assert clf.n_passes_ < 50


def test_a_small_tol_comes_near_to_the_optimum(data, objective):
    X, y = data
    params = {"alphas": ALPHAS, "cv": 3}
    exact = SoftmaxRegressionClassifierCV(tol=1e-8, **params).fit(X, y)
    model = {"X": X, "y": y, "sample_weight": np.ones(N_ROWS), "alpha": exact.alpha_}

    clf = DaskSoftmaxRegressionClassifierCV(tol=1e-6, **params).fit(cut(X), cut(y))

    assert clf.alpha_ == exact.alpha_
    optimum, value = (
        objective(**model, coef=m.coef_, intercept=m.intercept_) for m in (exact, clf)
    )
    assert_allclose(value, optimum, 1e-5)


def test_rows_sure_of_their_class_hide_no_plateau():
    rng = np.random.default_rng(1)
    Z, B = rng.standard_normal((500, 4)), rng.standard_normal((4, 4))
    X, y = np.exp(2 * Z), (5 * Z @ B + rng.gumbel(size=(500, 4))).argmax(axis=1)

    clf = DaskSoftmaxRegressionClassifierCV().fit(cut(X, 250), cut(y, 250))

    assert clf.best_score_ == pytest.approx(-0.815, abs=0.015)  # with tol=1e-6
    compare(clf, SoftmaxRegressionClassifierCV().fit(X, y))


@pytest.mark.filterwarnings("ignore:Training ended before the stopping rule")
def test_a_class_of_nearly_all_the_weight_has_an_automatic_path(data):
    X, y = data

    clf = DaskSoftmaxRegressionClassifierCV(class_weight={2: 1e50}).fit(cut(X), cut(y))

    assert_array_equal(clf.predict(X[y == 2]), 2)
    assert np.isfinite(clf.best_score_)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("scale", [1.0, 1e20, 1e200])
def test_a_predicted_class_of_weight_zero_counts_in_the_accuracy(scale, layout):
    rng, y = np.random.default_rng(0), np.arange(150) % 3
    X = rng.normal(0, 0.3, (150, 2)) + np.array([[2, 0], [0, 2], [-3, -3]])[y]
    X[::10] *= -1  # these predictions are wrong
    X[y == 2] *= scale
    params = {
        "alphas": [1e-2],
        "fit_intercept": False,
        "class_weight": {0: 1, 1: 1, 2: 0},
        "scoring": "accuracy",
    }

    blocks = cut(X, 50).map_blocks(layout)
    clf = DaskSoftmaxRegressionClassifierCV(**params).fit(blocks, cut(y, 50))

    expected = SoftmaxRegressionClassifierCV(**params).fit(X, y)
    assert_allclose(clf.scores_, expected.scores_)
    assert 0.8 < clf.best_score_ < 0.95


def test_a_loss_of_zero_does_not_warn(data):
    X, y = data
    class_weight = {0: 0, 1: 0, 2: 1}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = DaskSoftmaxRegressionClassifierCV(
            alphas=[1e-3, 1e-5, 1e-7, 0], cv=2, class_weight=class_weight
        ).fit(cut(X, 200), cut(y, 200))

    assert clf.best_score_ > -1e-6


class Source:
    """Blocks that are loaded in each pass, and change in load number `first`."""

    def __init__(self, values, change, first):
        self._blocks = np.split(values, range(CHUNK, N_ROWS, CHUNK))
        self._change, self._first, self._n_loads = change, first, 0

    def __call__(self, p):
        self._n_loads += p == 2
        is_changed = p == 2 and self._n_loads >= self._first
        return self._change(self._blocks[p]) if is_changed else self._blocks[p]

    def delayed(self):
        task = dask.delayed(self, pure=False, traverse=False)
        return [task(p) for p in range(len(self._blocks))]


@pytest.mark.parametrize(
    ("name", "first"), [("X", 2), ("X", 3), ("X", 5), ("X", 9), ("y", 2), ("cv", 2)]
)
def test_blocks_that_change_end_the_fit(data, name, first):
    X, y = data
    fold = np.arange(N_ROWS) % 3
    columns = {"X": X, "y": y, "cv": fold}
    source = Source(columns[name], lambda block: block[::-1], first)
    columns = {key: cut(values) for key, values in columns.items()}
    columns = columns | {name: source.delayed()}
    clf = DaskSoftmaxRegressionClassifierCV(cv=columns["cv"])

    with pytest.raises(ValueError, match=f"Partition 2: {name} must hold the same"):
        clf.fit(columns["X"], columns["y"])

    assert not hasattr(clf, "coef_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"l1_ratio": 0.5}, r"l1_ratio must be 0 .* got 0.5\. Fit "),
        ({"cv": KFold(3)}, r"cv must be None, a number .* got KFold.* Give each row"),
        ({"cv": 1}, "cv must be None, a number of folds of at least 2.* got 1"),
        ({"cv": np.zeros(N_ROWS, int)}, "cv must be None, .* got array"),
        ({"cv": 1000}, "n_splits=1000 greater than the number of samples"),
        ({"scoring": "roc_auc"}, "'scoring' parameter of Dask.*'accuracy'.* or None"),
        ({"alphas": [-1]}, "alphas must be finite numbers of at least 0"),
        ({"cv": cut(np.full(N_ROWS, -1))}, "cv must give at least one split, got"),
        (
            {"cv": cut(np.full(N_ROWS, -2))},
            NO_FOLDS,
        ),
        (
            {"cv": cut(np.full(N_ROWS, 0.5))},
            NO_FOLDS,
        ),
        (
            {"cv": cut(np.full(N_ROWS, "a"))},
            NO_FOLDS,
        ),
        ({"cv": cut(np.zeros(N_ROWS - 1, int))}, "cv must have as many rows as X"),
        ({"cv": blocks(np.zeros(N_ROWS, int))[1:]}, "cv must have as many partitions"),
        (
            {"cv": blocks(np.zeros(N_ROWS, int))[::-1]},
            r"n \d: cv must have as many rows as X",
        ),
        ({"cv": cut(np.zeros(N_ROWS, int))}, "Split 0 of cv must have a training row"),
    ],
)
def test_errors_leave_the_estimator_unchanged(data, params, message):
    X, y = map(cut, data)
    clf = DaskSoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, y)
    clf.set_params(**params)
    before = vars(clf).copy()

    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)

    after = vars(clf)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in after)


@pytest.mark.filterwarnings("ignore:The best score is at")
def test_a_split_whose_test_rows_have_a_class_of_their_own(data):
    X, y = data
    fold = np.where(y == 2, 0, 1 + np.arange(N_ROWS) % 2)
    clf = DaskSoftmaxRegressionClassifierCV(cv=cut(fold), alphas=ALPHAS)

    with pytest.raises(ValueError, match="Split 0 of cv must have a test row"):
        clf.fit(cut(X), cut(y))

    clf.set_params(scoring="accuracy").fit(cut(X), cut(y))
    expected = SoftmaxRegressionClassifierCV(
        cv=PredefinedSplit(fold), alphas=ALPHAS, scoring="accuracy"
    ).fit(X, y)
    compare(clf, expected)
    assert_array_equal(clf.scores_[:, 0], 0.0)


def test_a_best_strength_at_the_edge_warns_where_fit_is_called(data):
    clf = DaskSoftmaxRegressionClassifierCV(alphas=[100, 10])

    with pytest.warns(UserWarning, match=r"10, the smallest of alphas") as caught:
        clf.fit(*map(cut, data))

    assert caught[0].filename == __file__


def test_too_few_steps_warn(data):
    clf = DaskSoftmaxRegressionClassifierCV(alphas=[1e-4], max_iter=1)

    with pytest.warns(UserWarning, match="max_iter=1 was reached"):
        clf.fit(*map(cut, data))


@pytest.fixture(params=["number", "numbers"])
def fitted(request, data):
    X, y = data
    cv = 3 if request.param == "number" else cut(np.arange(N_ROWS) % 3)
    return DaskSoftmaxRegressionClassifierCV(cv=cv, alphas=ALPHAS).fit(cut(X), cut(y))


def test_copies_are_fitted_and_clones_are_not(data, fitted):
    X, y = map(cut, data)

    stored, copied = pickle.loads(pickle.dumps(fitted)), clone(fitted)

    assert_array_equal(stored.predict(X).compute(), fitted.predict(X).compute())
    assert stored.get_params().keys() == fitted.get_params().keys()
    assert not hasattr(copied, "coef_")
    assert_array_equal(copied.fit(X, y).coef_, fitted.coef_)
    assert_array_equal(stored.fit(X, y).coef_, fitted.coef_)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_predictions_are_lazy_and_those_of_the_local_model(data, fitted, method):
    X, _ = data

    result = getattr(fitted, method)(cut(X))

    expected = getattr(fitted.to_local(), method)(X)
    assert isinstance(result, da.Array)
    assert_array_equal(result.compute(), expected)
    assert_array_equal(getattr(fitted, method)(X), expected)


def test_attributes_set_by_hand_predict(data, fitted):
    X, _ = data
    clf = DaskSoftmaxRegressionClassifierCV()
    for name in ("classes_", "coef_", "intercept_"):
        setattr(clf, name, getattr(fitted, name))

    assert_array_equal(clf.predict(cut(X)).compute(), fitted.to_local().predict(X))
    assert fitted.to_local().n_passes_ == fitted.n_passes_


def test_a_second_fit_without_coef_path_has_no_earlier_one(data, monkeypatch):
    X, y = data
    clf = DaskSoftmaxRegressionClassifierCV(alphas=[1e-2], cv=3)
    clf.fit(cut(X), cut(y))
    assert hasattr(clf, "coef_path_")

    monkeypatch.setattr("sksoftmax._cross_validation.LARGEST_COEF_PATH", 0)
    clf.fit(cut(X), cut(y))

    assert not hasattr(clf, "coef_path_")


def test_the_local_model_goes_on_at_the_same_strength(data, fitted):
    X, y = data
    local, before = fitted.to_local(), fitted.coef_.copy()

    local.partial_fit(X, y)

    assert isinstance(local, SoftmaxRegressionClassifierCV)
    assert local.alpha_ == fitted.alpha_
    assert local.cv in (3, None)
    assert local.n_passes_ == fitted.n_passes_
    assert not np.array_equal(local.coef_, before)
    assert_array_equal(fitted.coef_, before)
    assert fitted.score(cut(X), cut(y)) == fitted.to_local().score(X, y)
