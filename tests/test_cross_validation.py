"""The choice of the penalty: exact models, no leak, and a path that ends by itself."""

import copy
import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.preprocessing import normalize

from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    _strategy,
)

# Test data are so small that weak penalties are at the edge now and then.
pytestmark = pytest.mark.filterwarnings("ignore:The best score is at")

ALPHAS = [1e-1, 1e-2, 1e-4]
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def make_rows(n_classes=3, n_rows=120, n_features=5, seed=0):
    """Return rows that no hyperplane separates."""
    rng = np.random.RandomState(seed)
    y = np.arange(n_rows) % n_classes
    X = rng.standard_normal((n_rows, n_features)) * [1, 2, 0.3, 5, 1][:n_features]
    X[np.arange(n_rows), y % n_features] += 1
    return X, y


def path_models(clf, *arguments, **keywords):
    """Return a fitted copy, and the model of each strength and split, in order."""
    models = []

    def scorer(model, X, y, sample_weight=None):
        models.append(model)
        return -len(models)

    clf = clone(clf).set_params(scoring=scorer, selection=lambda results: 0)
    return clf.fit(*arguments, **keywords), models


# Exactness


def soften(y, n_classes=3):
    return 0.8 * np.eye(n_classes)[y] + 0.2 / n_classes


VARIANTS = {
    "plain": {},
    "weights": {"weighted": True},
    "class weight": {"class_weight": {0: 3.0, 2: 0.5}},
    "balanced": {"class_weight": "balanced"},
    "balanced weights": {"class_weight": "balanced", "weighted": True},
    "smoothing": {"label_smoothing": 0.2},
    "soft": {"soft": True},
    "soft balanced": {"soft": True, "class_weight": "balanced", "weighted": True},
    "no intercept": {"fit_intercept": False},
    "diagonal": {"preconditioner": "diagonal"},
    "gram": {"preconditioner": "gram"},
    "elastic net": {"l1_ratio": 0.5},
    "l1": {"l1_ratio": 1.0},
    "two classes": {"n_classes": 2},
    "five classes": {"n_classes": 5},
    "far from zero": {"change": lambda X: X + 100},
    "constant columns": {"change": lambda X: np.hstack([X, X[:, :2] * 0 + 3])},
    "collinear columns": {"change": lambda X: np.hstack([X, X[:, ::2] + 1e-3])},
    "float32": {"change": np.float32},
    "wide": {"change": lambda X: np.hstack([X, np.sin(np.outer(X[:, 0], range(90)))])},
}


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_models_of_splits_are_the_optima_on_their_rows(variant, layout):
    params = dict(VARIANTS[variant])
    X, y = make_rows(params.pop("n_classes", 3))
    X = params.pop("change", lambda X: X)(X)
    weight = None
    if params.pop("weighted", False):
        weight = np.random.RandomState(1).randint(4, size=len(y)) * 1.0
    if layout is sp.csr_array and variant != "far from zero":
        X = np.where(X > -1, X, 0)
    splits, target = list(FOLDS.split(X, y)), y
    if params.pop("soft", False):
        target = soften(y)
    X = layout(X)
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, tol=1e-8, cv=splits, **params)

    clf, models = path_models(clf, X, target, sample_weight=weight)

    tolerance = 1e-3 if X.dtype == np.float32 else 1e-4
    everything = [(np.arange(len(y)), None)]
    for k, alpha in enumerate(ALPHAS):
        rows = [*splits, *everything] if k == 0 else splits
        fitted = [*models[k * 3 : k * 3 + 3], clf]
        for (train, _), model in zip(rows, fitted, strict=False):
            row_weight = None if weight is None else weight[train]
            exact = SoftmaxRegressionClassifier(
                alpha=alpha, solver="svrg", tol=1e-10, **params
            ).fit(X[train], target[train], row_weight)
            proba = exact.predict_proba(X)
            assert_allclose(model.predict_proba(X), proba, atol=tolerance)
            if params.get("l1_ratio") == 1.0:
                assert_array_equal(model.coef_ != 0, exact.coef_ != 0)
            if variant in ("plain", "weights", "two classes", "no intercept"):
                total = len(train) if weight is None else row_weight.sum()
                reference = LogisticRegression(
                    C=1 / (alpha * total),
                    tol=1e-10,
                    max_iter=10_000,
                    fit_intercept=params.get("fit_intercept", True),
                ).fit(X[train], y[train], row_weight)
                assert_allclose(reference.predict_proba(X), proba, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize(
    "scoring",
    [
        "neg_log_loss",
        "accuracy",
        "f1_macro",
        "neg_brier_score",
        "roc_auc_ovr",
        "balanced_accuracy",
        None,
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_cross_val_score(n_classes, scoring, weighted):
    X, y = make_rows(n_classes, n_rows=90)
    weight = np.random.RandomState(1).exponential(size=len(y)) if weighted else None
    clf = SoftmaxRegressionClassifierCV(
        alphas=ALPHAS, tol=1e-9, cv=FOLDS, scoring=scoring
    ).fit(X, y, weight)

    scorer = get_scorer(scoring or "neg_log_loss")
    for alpha, scores in zip(clf.alphas_, clf.scores_, strict=True):
        exact = SoftmaxRegressionClassifier(alpha=alpha, solver="svrg", tol=1e-9)
        expected = []
        for train, test in FOLDS.split(X, y):
            parts = [weight[part] for part in (train, test)] if weighted else [None] * 2
            model = clone(exact).fit(X[train], y[train], parts[0])
            keyword = {"sample_weight": parts[1]} if weighted else {}
            expected.append(scorer(model, X[test], y[test], **keyword))
        assert_allclose(scores, expected, atol=1e-4)
        if not weighted:
            name = scoring or "neg_log_loss"
            shown = cross_val_score(exact, X, y, cv=FOLDS, scoring=name)
            assert_allclose(scores, shown, atol=1e-4)


# No leak


def test_random_labels_are_not_predicted_better_than_by_chance():
    excess = []
    for seed in range(20):
        rng = np.random.RandomState(seed)
        X, y = rng.standard_normal((60, 200)), rng.randint(3, size=60)
        clf = SoftmaxRegressionClassifierCV(random_state=0).fit(X, y)
        excess.append(-clf.best_score_ - math.log(3))

    # The best of some strengths is lucky by some hundredths.
    assert np.mean(excess) > -0.02


@pytest.mark.parametrize("params", [{}, {"class_weight": "balanced"}, {"l1_ratio": 0.5}])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_labels_of_test_rows_do_not_change_the_models_of_their_split(params, layout):
    X, y = make_rows(n_rows=60, n_features=5)
    X = layout(np.hstack([X, np.random.RandomState(0).standard_normal((60, 40))]))
    splits = list(FOLDS.split(X, y))
    # Few strengths, the first one weak: a start from elsewhere would leave traces.
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2, 1e-3], cv=splits, random_state=0, **params
    )
    _, models = path_models(clf, X, y)
    for k, (_, test) in enumerate(splits):
        permuted = y.copy()
        permuted[test] = np.roll(permuted[test], 1)

        _, others = path_models(clf, X, permuted)

        pairs = list(zip(models, others, strict=True))
        for model, other in pairs[k :: len(splits)]:
            # Products of several models round as their number, which may change.
            assert_allclose(model.coef_, other.coef_, rtol=0, atol=1e-9)
            assert_allclose(model.intercept_, other.intercept_, rtol=0, atol=1e-9)
        for number, (model, other) in enumerate(pairs):
            if number % len(splits) != k:  # these are trained on the rows
                assert abs(model.coef_ - other.coef_).max() > 1e-3


# The path


def scaled_by_exponentials(X):
    tails = np.random.RandomState(0).standard_cauchy(X.shape).clip(-3, 3)
    return X * np.exp(2 * tails)


def random_classes(n_classes, n_rows=400, n_features=8):
    rng = np.random.RandomState(3)
    centers = rng.standard_normal((n_classes, n_features))
    y = np.sort(rng.randint(n_classes, size=n_rows))
    return centers[y] + rng.standard_normal((n_rows, n_features)), y


def words():
    """Return rows like those of TfidfVectorizer, with a column of zeros."""
    rng = np.random.RandomState(0)
    X = sp.random(300, 400, 0.03, format="lil", random_state=rng)
    y = rng.randint(4, size=300)
    X[np.arange(300), 5 * y + rng.randint(5, size=300)] = 1
    X[:, 399] = 0
    return normalize(X.tocsr()), y


def rare_class():
    X, y = random_classes(2, n_features=5)
    y = y * (np.arange(len(y)) % 20 == 0)
    return X + y[:, None], y


PATHS = {
    "raw pixels": lambda sets: (sets["digits"][0] * 255, sets["digits"][1]),
    "unit norm": lambda sets: (normalize(sets["digits"][0]), sets["digits"][1]),
    "words": lambda sets: words(),
    "unscaled wine": lambda sets: load_wine(return_X_y=True),
    "unscaled breast cancer": lambda sets: load_breast_cancer(return_X_y=True),
    "iris": lambda sets: sets["iris"],
    "outliers": lambda sets: (
        np.where(np.arange(120)[:, None] % 40, 1, 1e3) * make_rows()[0],
        make_rows()[1],
    ),
    "heavy tails": lambda sets: (
        scaled_by_exponentials(make_rows(n_rows=300)[0]),
        make_rows(n_rows=300)[1],
    ),
    "collinear": lambda sets: (
        np.hstack([make_rows()[0], make_rows()[0] + 1e-3]),
        make_rows()[1],
    ),
    "constant columns": lambda sets: (
        np.hstack([make_rows()[0], np.full((120, 2), 1e4), np.zeros((120, 1))]),
        make_rows()[1],
    ),
    "rare class": lambda sets: rare_class(),
    "many classes": lambda sets: random_classes(40, n_features=20),
    "units": lambda sets: (sets["iris"][0] * [1e-8, 1, 1e8, 1], sets["iris"][1]),
    "noise": lambda sets: (np.random.RandomState(0).randn(99, 9), np.arange(99) % 3),
    "nothing": lambda sets: (np.zeros((60, 3)), np.arange(60) % 3),
}
QUICK_L1 = ["words", "iris", "unscaled wine", "nothing"]


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(
    ("name", "l1_ratio"), [*((k, 0.0) for k in PATHS), *((k, 1.0) for k in QUICK_L1)]
)
def test_an_automatic_path_ends_by_itself(datasets, name, l1_ratio):
    X, y = PATHS[name](datasets)

    clf = SoftmaxRegressionClassifierCV(l1_ratio=l1_ratio, random_state=0).fit(X, y)

    assert 6 <= len(clf.alphas_) <= 25
    assert (np.diff(clf.alphas_) < 0).all()
    assert clf.scores_.shape == (len(clf.alphas_), 5)
    # The begin is near the constant model, and the end is past the best one.
    share = np.bincount(y) / len(y)
    constant = -(share * np.log(share)).sum()
    assert -clf.mean_score_[0] > 0.5 * constant
    if name not in ("noise", "nothing", "outliers", "heavy tails"):
        assert -clf.best_score_ < 0.99 * constant
        assert clf.alpha_ > clf.alphas_[-1]


def test_given_alphas_are_evaluated_whole_in_any_order():
    X, y = make_rows()
    given = [1e-9, 1.0, 1e-3, 1e3, 1e-3, 1e-6, 0.0, 1e-1]

    clf = SoftmaxRegressionClassifierCV(alphas=given).fit(X, y)

    assert_array_equal(clf.alphas_, [1e3, 1.0, 1e-1, 1e-3, 1e-6, 1e-9, 0.0])
    ordered = SoftmaxRegressionClassifierCV(alphas=tuple(clf.alphas_)).fit(X, y)
    assert_array_equal(clf.scores_, ordered.scores_)
    assert_array_equal(clf.coef_, ordered.coef_)


@pytest.mark.parametrize("n", [1, 2, 13])
def test_a_number_of_alphas(n):
    clf = SoftmaxRegressionClassifierCV(alphas=n).fit(*make_rows())

    expected = [1e-3] if n == 1 else np.logspace(3, -9, n)
    assert_allclose(clf.alphas_, expected)


@pytest.mark.parametrize(
    ("alphas", "edge"),
    [([1e3, 1e2], "smallest"), ([1e-6, 1e-8], "largest"), ([1, 1e-2, 1e-6], None)],
)
def test_the_best_alpha_at_an_edge_warns(alphas, edge):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegressionClassifierCV(alphas=alphas).fit(*make_rows())

    messages = [str(w.message) for w in caught]
    assert all(f"the {edge} of alphas" in message for message in messages)
    assert [w.filename for w in caught] == [__file__] * (edge is not None)


def test_an_automatic_path_warns_of_no_edge():
    rng = np.random.RandomState(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftmaxRegressionClassifierCV().fit(rng.randn(60, 9), np.arange(60) % 3)


INVALID_ALPHAS = [
    [], [-1], [math.nan], [math.inf], [[1, 2]], ["0.1"], [None], [1j], {1: 2},
    np.array(0.1), np.array(["2020"], "M8[Y]"), "abc", 0, -3, 0.1, (x for x in [1]),
]  # fmt: skip


@pytest.mark.parametrize("alphas", INVALID_ALPHAS, ids=repr)
def test_invalid_alphas(alphas):
    clf = SoftmaxRegressionClassifierCV(alphas=alphas)

    with pytest.raises(ValueError, match="alphas"):
        clf.fit(*make_rows())

    assert vars(clf).keys() == clf.get_params().keys()


# Splits

GROUPS = np.arange(120) // 10
PAIRS = list(KFold(3).split(np.zeros(120)))
SPLITTERS = {
    "group folds": GroupKFold(3),
    "stratified group folds": StratifiedGroupKFold(3),
    "a group each": LeaveOneGroupOut(),
    "shuffled": ShuffleSplit(3, random_state=0),
    "repeated": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "predefined": PredefinedSplit(np.arange(120) // 5 % 4 - 1),
    "one row": LeaveOneOut(),
    "pairs": PAIRS,
    "lists": [tuple(map(np.ndarray.tolist, pair)) for pair in PAIRS],
    "masks": [tuple(np.isin(range(120), part) for part in pair) for pair in PAIRS],
    "negative": [(np.arange(-120, -30), np.arange(-30, 0))],
    "int8": [(np.arange(90, dtype=np.int8), np.arange(90, 120, dtype=np.int8))],
    "uint64": [tuple(part.astype(np.uint64) for part in pair) for pair in PAIRS],
    "rows twice": [(np.arange(90) // 2, np.arange(90, 180) // 2 + 30)],
}


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("name", SPLITTERS)
def test_splits_of_all_kinds(name):
    X, y = make_rows()
    X = np.vstack([X, X])[:120] if name != "int8" else np.vstack([X, X])
    y = np.tile(y, 2)[: len(X)]
    cv = SPLITTERS[name]

    clf = SoftmaxRegressionClassifierCV(alphas=[1e-2], tol=1e-8, cv=cv)
    clf.fit(X, y, groups=GROUPS if len(X) == 120 else None)

    splits = cv if isinstance(cv, list) else list(cv.split(X, y, GROUPS))
    assert clf.n_splits_ == len(splits)
    for k, (train, test) in enumerate(splits[:4]):
        exact = SoftmaxRegressionClassifier(alpha=1e-2, solver="svrg", tol=1e-8)
        proba = exact.fit(X[train], y[train]).predict_proba(X[test])
        loss = log_loss(y[test], proba, labels=[0, 1, 2])
        assert -clf.scores_[0, k] == pytest.approx(loss, abs=1e-4)


def test_a_generator_of_splits():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=iter(PAIRS)).fit(X, y)

    listed = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=PAIRS).fit(X, y)

    assert_array_equal(clf.scores_, listed.scores_)


ROWS = np.arange(60)
INVALID_SPLITS = {
    "float rows": ([(ROWS * 1.0, ROWS)], "training rows, as numbers .* float64"),
    "too large": ([(ROWS, ROWS + 100)], "test rows, .* got numbers from 100 to 159"),
    "too small": ([(ROWS - 200, ROWS)], "training rows, .* got numbers from -200"),
    "three parts": ([(ROWS, ROWS, ROWS)], "Split 0 of cv must be a pair"),
    "one part": ([ROWS], "Split 0 of cv must be a pair"),
    "a number": ([3], "Split 0 of cv must be a pair"),
    "none": ([], "cv must give at least one split"),
    "no training": ([([], ROWS)], "must have training rows"),
    "no test": ([(ROWS, [])], "must have test rows"),
    "empty": ([(None, None)], "must have training rows"),
    "short mask": ([(np.ones(5, bool), ROWS)], "must have training rows"),
    "column": ([(ROWS[:, None], ROWS)], r"training rows, .* shape \(60, 1\)"),
    "unknown class": ([(ROWS * 3 % 120, [1])], "of a class that its training rows"),
    "many": (121, "n_splits=121"),
    "no groups": (GroupKFold(3), "groups"),
    "text": ("five", "cv"),
    "one": (1, "cv"),
}


@pytest.mark.parametrize("name", INVALID_SPLITS)
def test_invalid_splits(name):
    cv, message = INVALID_SPLITS[name]
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=cv)

    with pytest.raises(ValueError, match=message):
        clf.fit(*make_rows())

    assert vars(clf).keys() == clf.get_params().keys()


@pytest.mark.parametrize("params", [{}, {"class_weight": "balanced"}, {"l1_ratio": 1.0}])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_rows_of_a_class_that_a_split_lacks(layout, params):
    X, y = make_rows()
    y[:80], y[80:90] = y[:80] % 2, 2  # of which the training rows know two classes
    cv = [(np.arange(80), np.arange(80, 120))]
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-2], tol=1e-7, cv=cv, **params)

    clf.fit(layout(X), y)
    accuracy = clone(clf).set_params(scoring="accuracy").fit(layout(X), y)

    exact = SoftmaxRegressionClassifier(
        alpha=1e-2, solver="svrg", tol=1e-8, **params
    ).fit(X[:80], y[:80])
    known = 80 + np.flatnonzero(y[80:] < 2)
    assert len(known) < 40
    loss = log_loss(y[known], exact.predict_proba(X[known]))
    # The class that is missing keeps a probability, which the penalty lets vanish.
    assert -clf.scores_[0, 0] == pytest.approx(loss, abs=0.03)
    assert accuracy.scores_[0, 0] == pytest.approx(exact.score(X[80:], y[80:]))
    assert clf.predict_proba(X).shape == (120, 3)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_a_split_with_one_class(layout):
    X, y = make_rows()
    X, y = X[np.argsort(y)], np.sort(y)
    cv = [(np.arange(40), np.arange(120))]

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=cv).fit(layout(X), y)

    assert -0.5 < clf.best_score_ <= 0  # of the rows of this class


def test_a_class_of_weight_zero_is_not_scored():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2], tol=1e-7, cv=FOLDS, class_weight={0: 0.0, 1: 1.0, 2: 1.0}
    ).fit(X, y)

    others = SoftmaxRegressionClassifierCV(
        alphas=[1e-2],
        tol=1e-7,
        cv=[(t[y[t] > 0], s[y[s] > 0]) for t, s in FOLDS.split(X, y)],
    ).fit(X, y)
    assert_allclose(clf.scores_, others.scores_, atol=0.05)


def test_weights_that_leave_a_split_empty():
    X, y = make_rows()
    weight = np.ones(120)
    weight[PAIRS[1][1]] = 0
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=PAIRS[1:])

    with pytest.raises(ValueError, match="Split 0 of cv must have a test row with"):
        clf.fit(X, y, weight)
    with pytest.raises(ValueError, match="Split 0 of cv must have a training row with"):
        clf.fit(X, y, 1 - weight)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("n_rows", range(1, 9))
def test_tiny_data(n_rows):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV()
    if n_rows < 4:
        message = "at least two classes" if n_rows == 1 else "with at least two rows"
        with pytest.raises(ValueError, match=message):
            clf.fit(X[:n_rows], y[:n_rows])
        return

    clf.fit(X[:n_rows], y[:n_rows])

    assert np.isfinite(clf.scores_).all()
    assert clf.n_splits_ == max(2, n_rows // 3 + (n_rows % 3 > 0))


@pytest.mark.parametrize("factor", [1e-300, 1e-60, 1e60, 1e300])
@pytest.mark.parametrize("work", [0, None], ids=["float32", "float64"])
def test_a_common_factor_of_weights_changes_nothing(monkeypatch, work, factor):
    if work is not None:  # small data are trained on as large data are
        policy = _strategy.DENSE._replace(full_batch_work=work)
        monkeypatch.setattr(_strategy, "DENSE", policy)
    X, y = make_rows()
    X, weight = X.astype(np.float32), np.random.RandomState(1).exponential(size=120)
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, y, weight)

    scaled = clone(clf).fit(X, y, weight * factor)

    assert_allclose(scaled.scores_, clf.scores_, rtol=1e-4)
    assert scaled.C_ * factor == pytest.approx(clf.C_)
    assert scaled.alpha_ == clf.alpha_


def test_a_row_of_weight_k_is_k_rows():
    X, y = make_rows()
    count = np.random.RandomState(1).randint(4, size=120)
    rows = np.repeat(np.arange(120), count)
    splits = [(t, s) for t, s in FOLDS.split(X, y)]
    repeated = [tuple(np.flatnonzero(np.isin(rows, p)) for p in pair) for pair in splits]
    params = {"alphas": ALPHAS, "tol": 1e-9}

    for scoring in ("neg_log_loss", "accuracy", "f1_macro"):
        clf = SoftmaxRegressionClassifierCV(scoring=scoring, cv=splits, **params)
        clf.fit(X, y, count)
        clone_ = clone(clf).set_params(cv=repeated).fit(X[rows], y[rows])

        assert_allclose(clf.scores_, clone_.scores_, atol=1e-5)
        assert clf.C_ == pytest.approx(clone_.C_)
