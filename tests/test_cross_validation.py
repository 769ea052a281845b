"""The choice of the penalty: exact models, no leak, splits and rows of all kinds."""

import copy
import math
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    f1_score,
    get_scorer,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    _hidden_columns,
    _strategy,
)
from sksoftmax._compat import complete_scorer, takes_sample_weight

# Test data are so small that weak penalties are at the edge now and then.
pytestmark = pytest.mark.filterwarnings("ignore:The best score is at")

ALPHAS = [1e-1, 1e-2, 1e-4]
PROBABILITIES = {"response_method": "predict_proba"}
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def make_rows(n_classes=3, n_rows=120, n_features=5, seed=0):
    """Return rows that no hyperplane separates."""
    rng = np.random.RandomState(seed)
    y = np.arange(n_rows) % n_classes
    X = rng.standard_normal((n_rows, n_features)) * [1, 2, 0.3, 5, 1][:n_features]
    X[np.arange(n_rows), y % n_features] += 1
    return X, y


def matching(y_true, y_pred):
    """Return the share of right predictions; the metric takes no weights."""
    return np.mean(y_true == y_pred)


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


SPARSE_TOO = ["plain", "l1"]


@pytest.mark.parametrize(
    ("variant", "layout"),
    [
        *((variant, np.asarray) for variant in VARIANTS),
        *(
            pytest.param(
                variant,
                sp.csr_array,
                marks=[pytest.mark.slow] * (variant not in SPARSE_TOO),
            )
            for variant in VARIANTS
        ),
    ],
)
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


@pytest.mark.parametrize(
    ("scoring", "n_classes"),
    [
        (None, 3),
        ("neg_log_loss", 2),
        ("neg_log_loss", 3),
        ("accuracy", 2),
        ("accuracy", 3),
        ("f1", 2),
        ("f1_macro", 3),
        ("neg_brier_score", 2),
        ("roc_auc", 2),
        ("roc_auc_ovr", 3),
    ],
)
def test_scores_are_those_of_cross_val_score(scoring, n_classes):
    X, y = make_rows(n_classes, n_rows=90)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-1, 1e-3], tol=1e-8, cv=FOLDS, scoring=scoring
    ).fit(X, y)

    for alpha, scores in zip(clf.alphas_, clf.scores_, strict=True):
        exact = SoftmaxRegressionClassifier(alpha=alpha, solver="svrg", tol=1e-8)
        expected = cross_val_score(
            exact, X, y, cv=FOLDS, scoring=scoring or "neg_log_loss"
        )
        assert_allclose(scores, expected, atol=1e-4)


WEIGHTED = ["neg_log_loss", "accuracy", "f1_macro"]  # the other metrics take no weights


@pytest.mark.parametrize(
    "scoring", [*WEIGHTED, "adjusted_rand_score", make_scorer(matching)], ids=str
)
def test_scores_are_weighted(scoring):
    X, y = make_rows(n_rows=90)
    weight = np.random.RandomState(1).exponential(size=90)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2], tol=1e-8, cv=FOLDS, scoring=scoring
    ).fit(X, y, weight)

    exact = SoftmaxRegressionClassifier(alpha=1e-2, solver="svrg", tol=1e-8)
    for score, (train, test) in zip(clf.scores_[0], FOLDS.split(X, y), strict=True):
        model = exact.fit(X[train], y[train], weight[train])
        weights = {"sample_weight": weight[test]} if scoring in WEIGHTED else {}
        expected = get_scorer(scoring)(model, X[test], y[test], **weights)
        assert score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("positive", ["yes", 2])
def test_metrics_of_one_of_two_classes_are_those_of_the_second(positive):
    X, y = make_rows(2)
    y = np.array(["no", "yes"] if positive == "yes" else [1, 2])[y]
    other = y[y != positive][0]
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-1, 1e-2], cv=FOLDS)
    by_name = clone(clf).set_params(scoring="f1").fit(X, y)

    given, opposite = (
        clone(clf).set_params(scoring=make_scorer(f1_score, pos_label=label)).fit(X, y)
        for label in (positive, other)
    )

    for metric, expected in (
        (partial(f1_score, pos_label=positive), given),
        (partial(f1_score, pos_label=other), opposite),
        (lambda y, p, *, pos_label=other: f1_score(y, p, pos_label=other), opposite),
        (f1_score, given),
    ):
        scored = clone(clf).set_params(scoring=make_scorer(metric)).fit(X, y)
        assert_array_equal(scored.scores_, expected.scores_)
    assert_array_equal(by_name.scores_, given.scores_)
    assert np.abs(by_name.scores_ - opposite.scores_).max() > 1e-3
    for scoring in ("f1_macro", make_scorer(partial(f1_score, average="macro"))):
        macro = clone(clf).set_params(scoring=scoring).fit(X, y)  # without a warning
        assert_allclose(macro.scores_, (given.scores_ + opposite.scores_) / 2)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_of_probabilities_know_the_classes_that_test_rows_lack(n_classes):
    X, y = make_rows(n_classes)
    X, y = np.vstack([X[y > 0], X[y == 0][:3]]), np.append(y[y > 0], [0, 0, 0])
    y = np.array(["rare", "some", "others"])[y]
    metric = make_scorer(log_loss, greater_is_better=False, **PROBABILITIES)
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-1, 1e-2], tol=1e-6)
    expected = clone(clf).fit(X, y)

    by_metric = clone(clf).set_params(scoring=metric).fit(X, y)
    by_brier = clone(clf).set_params(scoring="neg_brier_score")

    assert_allclose(by_metric.scores_, expected.scores_, rtol=1e-6)
    if n_classes == 2:
        assert -0.25 < by_brier.fit(X, y).best_score_ < 0


@pytest.mark.slow
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("by_name", [True, False])
def test_test_rows_of_untrained_classes_count_as_wrong(layout, by_name):
    X, y = make_rows(n_rows=31)
    y[:30], y[30] = y[:30] % 2, 2
    scoring = "accuracy" if by_name else lambda clf, X, y: clf.score(X, y)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-1, 1e-2], cv=LeaveOneOut(), scoring=scoring
    )

    clf.fit(layout(X), y)
    known = clone(clf).fit(layout(X[:30]), y[:30])

    assert_array_equal(clf.scores_[:, 30], 0.0)
    assert_array_equal(clf.scores_[:, :30].mean(axis=1) > 0.6, True)
    assert clf.best_score_ == pytest.approx(30 / 31 * known.best_score_, abs=0.1)
    with pytest.raises(ValueError, match="Split 30 of cv must have a test row with"):
        clone(clf).set_params(scoring=None).fit(layout(X), y)


def test_weights_go_to_scorers_that_take_them_and_do_not_decline():
    X, y = make_rows(n_rows=90)
    weight = np.random.RandomState(1).exponential(size=90)
    metric = make_scorer(roc_auc_score, multi_class="ovo", **PROBABILITIES)
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-2], cv=FOLDS, scoring=metric)

    with pytest.raises(ValueError, match="sample_weight is not supported"):
        clf.fit(X, y, weight)
    with config_context(enable_metadata_routing=True):
        metric.set_score_request(sample_weight=False)
    clf.fit(X, y, weight)

    assert 0.5 < clf.best_score_ < 1


def test_equal_weights_are_weights():
    X, y = make_rows(n_rows=90)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2], scoring=lambda clf, X, y, sample_weight: sample_weight.sum()
    )

    clf.fit(X, y, np.full(90, 2.0))

    assert_array_equal(clf.scores_, np.full((1, 5), 36.0))


def test_a_scorer_is_shown_one_hot_rows_as_they_were_given():
    X, y = make_rows(n_rows=90)
    seen = []

    def scorer(model, X, y):
        seen.append(y)
        return 0.0

    clf = SoftmaxRegressionClassifierCV(alphas=[1e-2], cv=FOLDS, scoring=scorer)
    clf.fit(X, np.eye(3)[y])

    for shown, (_, test) in zip(seen, FOLDS.split(X, y), strict=True):
        assert_array_equal(shown, np.eye(3)[y][test])
    metric = make_scorer(log_loss, greater_is_better=False, **PROBABILITIES)
    by_metric = clone(clf).set_params(scoring=metric).fit(X, np.eye(3)[y])
    expected = clone(clf).set_params(scoring=None).fit(X, y)
    assert_allclose(by_metric.scores_, expected.scores_, rtol=1e-6)


@pytest.mark.parametrize("is_table", [False, True])
@pytest.mark.parametrize("is_val_table", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.8], ids=["one-hot", "soft"])
def test_a_scorer_is_shown_validation_rows_as_they_were_given(
    is_table, is_val_table, share
):
    X, y = make_rows(n_rows=90)
    table = share * np.eye(3)[y] + (1 - share) / 3
    targets = {False: y, True: table}
    train, test, seen = np.arange(60), np.arange(60, 90), []

    def scorer(model, X, y):
        seen.append(y)
        return 0.0

    SoftmaxRegressionClassifierCV(alphas=[1e-2], scoring=scorer).fit(
        X[train],
        targets[is_table][train],
        X_val=X[test],
        y_val=targets[is_val_table][test],
    )

    assert_allclose(seen[0], targets[is_val_table][test], atol=1e-12)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_folds_of_a_number_leave_rows_without_weight_out(cv, layout):
    X, y = make_rows()
    weight = np.ones(120)
    weight[:40] = 0  # all test rows of the first fold, if they were counted
    clf = SoftmaxRegressionClassifierCV(cv=cv, alphas=ALPHAS, tol=1e-6, random_state=0)
    expected = clone(clf).fit(layout(X[40:]), y[40:])

    clf.fit(layout(X), y, weight)

    assert_allclose(clf.scores_, expected.scores_, rtol=1e-4)
    assert_allclose(clf.coef_, expected.coef_, atol=1e-3)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_groups_beside_rows_without_weight():
    X, y = make_rows()
    weight = np.where(np.arange(120) < 5, 0.0, 1.0)
    clf = SoftmaxRegressionClassifierCV(cv=3, alphas=ALPHAS)
    expected = clone(clf).fit(X, y, weight)

    assert_array_equal(clf.fit(X, y, weight, groups=y.tolist()).coef_, expected.coef_)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clf.fit(X, y, weight, groups=y[:60])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_without_weight_may_hold_any_number(dtype, n_classes):
    X, y = make_rows(n_classes)
    X, weight = X.astype(dtype), np.ones(120)
    X[::9], weight[::9] = np.finfo(dtype).max, 0
    X[[0, 18]] *= -1
    X.flags.writeable = False
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, tol=1e-5)
    expected = clone(clf).fit(X[weight > 0], y[weight > 0])

    clf.fit(X, y, weight)

    assert_allclose(clf.scores_, expected.scores_, rtol=1e-3)
    assert_allclose(clf.coef_, expected.coef_, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("factor", [1e4, 1e30, 1e180])
def test_values_of_a_class_of_weight_zero_change_no_model(layout, factor):
    rng = np.random.default_rng(0)
    X = np.hstack(
        [rng.standard_normal((1500, 40)), rng.random((1500, 10)) < [0.4] * 10]
    )
    y = (2 * X[:, 40:] @ rng.standard_normal((10, 10))).argmax(axis=1)
    y[rng.random(1500) < 0.1] = 10
    X[y == 10] *= factor
    kept, weight = y < 10, {label: float(label < 10) for label in range(11)}
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2, 1e-3], cv=PredefinedSplit(np.arange(1500) % 5)
    )
    expected = clone(clf).set_params(cv=PredefinedSplit(np.arange(1500)[kept] % 5))
    expected.fit(X[kept], y[kept])

    clf.set_params(class_weight=weight).fit(layout(X), y)

    assert_allclose(clf.scores_, expected.scores_, rtol=0.02)
    assert clf.score(X[kept], y[kept]) > expected.score(X[kept], y[kept]) - 0.02


def test_rows_without_weight_leave_the_number_of_passes_alone():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 30))
    raw = X @ rng.standard_normal((30, 10))
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    kept = rng.random(40_000) < 0.03
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)
    expected = clone(clf).fit(X[kept], y[kept]).n_passes_

    clf.fit(X, y, sample_weight=1.0 * kept)

    assert clf.n_passes_ <= expected + 2


@pytest.mark.slow
def class_of_another_scale(n_features, scale):
    rng, y = np.random.default_rng(0), np.repeat([0, 1, 2], [600, 600, 300])
    X = rng.standard_normal((1500, n_features))
    X[:, 0] += np.array([-1.5, 1.5, 0])[y]
    X[y == 2] = scale * rng.uniform(0.9, 1.1, (300, n_features))
    return X, y


def rows_of_another_scale(n_features, n_classes, scale):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, n_features))
    raw = X @ rng.standard_normal((n_features, n_classes)) * 3 / n_features**0.5
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    X[::5] *= scale
    return X, y


def lognormal_rows():
    X, y = rows_of_another_scale(30, 3, 1.0)
    return X * np.exp(4 * np.random.default_rng(1).standard_normal((600, 1))), y


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alpha", [0.3, 0.06, 1e-3, 1e-4])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        class_of_another_scale(2, 1e3),
        class_of_another_scale(2, 1e5),
        class_of_another_scale(20, 1e3),
        class_of_another_scale(20, 1e5),
        rows_of_another_scale(40, 2, 1e6),
        rows_of_another_scale(40, 3, 1e6),
        rows_of_another_scale(12, 10, 1e5),
        lognormal_rows(),
    ],
    ids=["2 1e3", "2 1e5", "20 1e3", "20 1e5", "40 2", "40 3", "12 10", "lognormal"],
)
def test_rows_of_another_scale_leave_no_model_silently_far_from_its_optimum(
    X, y, alpha, dtype, objective
):
    X, cv = X.astype(dtype), StratifiedKFold(5, shuffle=True, random_state=0)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        clf = SoftmaxRegressionClassifierCV(alphas=[10 * alpha, alpha], cv=cv)
        clf.fit(X, y)

    optimum = SoftmaxRegressionClassifier(alpha=clf.alpha_, solver="svrg", tol=1e-5)
    optimum.fit(X.astype(float), y)
    model = {"X": X, "y": y, "sample_weight": np.ones(len(y)), "alpha": clf.alpha_}
    least, value = (
        objective(**model, coef=m.coef_, intercept=m.intercept_) for m in (optimum, clf)
    )
    has_warned = any(w.category is ConvergenceWarning for w in caught)
    assert value < 1.06 * least or (has_warned and dtype is np.float32)


def test_a_rare_column_of_an_easy_class_is_not_of_another_scale(monkeypatch):
    rng, y = np.random.default_rng(0), np.arange(900) % 3
    X = rng.standard_normal((900, 12))
    X[:, 0] += y == 1
    X[y == 2, 1:] += 2
    X[:, 11] = (y == 2) & (rng.random(900) < 0.2)
    monkeypatch.setattr(_hidden_columns, "_measure_sizes", pytest.fail)

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, y)

    assert clf.best_score_ > -0.5


def test_whether_rows_are_one_batch_follows_from_all_rows(monkeypatch):
    seen, decide = [], _strategy.takes_all_rows

    def spy(params, data, n_rows, n_outputs):
        seen.append(n_rows)
        return decide(params, data, n_rows, n_outputs)

    monkeypatch.setattr(_strategy, "takes_all_rows", spy)
    X, y = make_rows()
    SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(sp.csr_array(X), y)

    assert len(seen) > 6
    assert set(seen) == {120}


def test_scores_of_class_probabilities():
    X, y = make_rows(n_rows=90)
    table = 0.7 * np.eye(3)[y] + 0.1
    seen = []

    def scorer(model, X, y):
        seen.append(y)
        return 0.0

    named = SoftmaxRegressionClassifierCV(alphas=[1e-2], cv=FOLDS, scoring="f1_macro")
    accuracy = clone(named).set_params(scoring="recall_micro").fit(X, table)
    clone(named).set_params(scoring=scorer).fit(X, table)

    assert 0 < named.fit(X, table).best_score_ < 1
    expected = clone(named).set_params(scoring="accuracy").fit(X, table)
    assert_allclose(accuracy.scores_, expected.scores_)
    for shown, (_, test) in zip(seen, FOLDS.split(X, y), strict=True):
        assert_array_equal(shown, table[test])


# No leak


@pytest.mark.slow
def test_random_labels_are_not_predicted_better_than_by_chance():
    excess = []
    for seed in range(20):
        rng = np.random.RandomState(seed)
        X, y = rng.standard_normal((60, 200)), rng.randint(3, size=60)
        clf = SoftmaxRegressionClassifierCV(random_state=0).fit(X, y)
        excess.append(-clf.best_score_ - math.log(3))

    # The best of some strengths is lucky by some hundredths.
    assert np.mean(excess) > -0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    "params", [{}, {"class_weight": "balanced"}, {"l1_ratio": 0.5}]
)
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


# Scores of one split


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
def test_error_of_a_single_split_is_that_of_its_weighted_rows(scoring):
    X, y = make_rows(n_rows=240)
    train, test = np.arange(120), np.arange(120, 240)
    y[220:] = 3  # a class without training rows
    weight = np.random.RandomState(0).exponential(size=240) ** 2
    weight *= 1e180  # whose squares are infinite
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2], cv=[(train, test)], scoring=scoring, tol=1e-8
    ).fit(X, y, weight)

    exact = SoftmaxRegressionClassifier(alpha=1e-2, tol=1e-10)
    exact.fit(X[train], y[train], weight[train])
    scored = test if scoring == "accuracy" else test[y[test] < 3]
    if scoring == "accuracy":
        values = (exact.predict(X[scored]) == y[scored]) * 1.0
    else:
        values = exact.predict_log_proba(X[scored])[np.arange(len(scored)), y[scored]]
    share = weight[scored] / weight[scored].sum()
    variance = share @ (values - share @ values) ** 2
    # Kish's formula; rows of equal weight would give their number.
    assert_allclose(clf.scores_[0], share @ values, rtol=1e-3)
    assert_allclose(clf.standard_error_[0], np.sqrt(variance * (share @ share)), 1e-2)


@pytest.mark.parametrize("share", [1.0, 0.5, 1e-3])
def test_rows_with_a_share_of_an_unknown_class_are_not_scored(share):
    X, y = make_rows()
    table = np.eye(4)[y]
    table[1] = [0.6, 0.4, 0, 0]  # no labels
    table[0] *= 1 - share
    table[0, 3] = share  # the one row of this class
    train, test = np.arange(1, 80), np.arange(80, 120)
    params = {"alphas": [1e-1, 1e-3]}
    expected = SoftmaxRegressionClassifierCV(cv=[(train, test)], **params)
    expected.fit(X, table)

    clf = SoftmaxRegressionClassifierCV(cv=[(train, np.append(test, 0))], **params)
    clf.fit(X, table)

    assert_allclose(clf.scores_, expected.scores_, rtol=1e-6)


# Given strengths


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
    [
        ([1e3, 1e2], "smallest"),
        ([1e-6, 1e-8], "largest"),
        ([1, 1e-2, 1e-6], None),
        ([1e3, 0], None),
        ([1e3], None),
    ],
)
def test_the_best_alpha_at_an_edge_warns(alphas, edge):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegressionClassifierCV(alphas=alphas).fit(*make_rows())

    messages = [str(w.message) for w in caught]
    assert all(f"the {edge} of alphas" in message for message in messages)
    assert [w.filename for w in caught] == [__file__] * (edge is not None)


INVALID_ALPHAS = [
    [], [-1], [math.nan], [math.inf], [[1, 2]], ["0.1"], [None], [1j], {1: 2},
    np.array(0.1), np.array(["2020"], "M8[Y]"), "abc", 0, -3, 0.1, (x for x in [1]),
]  # fmt: skip


@pytest.mark.parametrize("alphas", INVALID_ALPHAS, ids=lambda a: type(a).__name__)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "params", [{}, {"class_weight": "balanced"}, {"l1_ratio": 1.0}]
)
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


@pytest.mark.parametrize("size", [1e16, 1e50, 1e300])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("by_class", [True, False])
def test_a_class_of_nearly_all_the_weight_has_an_automatic_path(
    by_class, dtype, n_classes, size
):
    X, y = make_rows(n_classes)
    heavy = n_classes - 1
    weight = None if by_class else np.where(y == heavy, size, 1.0)
    clf = SoftmaxRegressionClassifierCV(class_weight={heavy: size} if by_class else {})

    clf.fit(X.astype(dtype), y, weight)

    assert_array_equal(clf.predict(X[y == heavy]), heavy)
    assert np.isfinite(clf.best_score_)


@pytest.mark.parametrize("size", [3.0, 1e20, 1e200])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("layout", [np.asarray, np.float32, sp.csr_array])
def test_a_predicted_class_of_weight_zero_counts_in_the_accuracy(
    layout, l1_ratio, size
):
    rng, y = np.random.RandomState(0), np.arange(150) % 3
    X = 0.3 * rng.standard_normal((150, 2))
    X[y == 0, 0] += 2
    X[y == 1, 1] += 2
    X[y == 2] = -min(size, 1e20 if layout is np.float32 else np.inf)
    X[::10] *= -1  # these predictions are wrong
    weight = rng.uniform(0.5, 2, 150)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1e-2, 1e-3],
        l1_ratio=l1_ratio,
        fit_intercept=False,
        class_weight={0: 1, 1: 1, 2: 0},
        scoring="accuracy",
    ).fit(layout(X), y, weight)

    def score(model, X, y, sample_weight):
        return model.score(X, y, sample_weight)

    expected = clone(clf).set_params(scoring=score).fit(layout(X), y, weight)
    assert_allclose(clf.scores_, expected.scores_)
    assert 0.8 < clf.best_score_ < 0.95
    assert_array_equal(clf.coef_, expected.coef_)


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
    repeated = [
        tuple(np.flatnonzero(np.isin(rows, p)) for p in pair) for pair in splits
    ]
    params = {"alphas": ALPHAS, "tol": 1e-9}

    for scoring in ("neg_log_loss", "accuracy", "f1_macro"):
        clf = SoftmaxRegressionClassifierCV(scoring=scoring, cv=splits, **params)
        clf.fit(X, y, count)
        clone_ = clone(clf).set_params(cv=repeated).fit(X[rows], y[rows])

        assert_allclose(clf.scores_, clone_.scores_, atol=1e-5)
        assert pytest.approx(clone_.C_) == clf.C_


# Scores and the choice


def test_a_scorer_is_shown_fitted_classifiers_and_the_test_rows():
    X, y = make_rows()
    labels, weight = np.array(["a", "b", "c"])[y], 1.0 + y
    seen = []

    def scorer(model, X, y, sample_weight=None):
        seen.append((X, y, sample_weight))
        assert type(model) is SoftmaxRegressionClassifier
        assert_array_equal(model.classes_, ["a", "b", "c"])
        return model.score(X, y, sample_weight)

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=PAIRS, scoring=scorer)
    clf.fit(X, labels, weight)
    accuracy = clone(clf).set_params(scoring="accuracy").fit(X, labels, weight)

    assert_allclose(clf.scores_, accuracy.scores_)
    for (shown, y_shown, weight_shown), (_, test) in zip(seen, PAIRS, strict=False):
        assert_array_equal(shown, X[test])
        assert_array_equal(y_shown, labels[test])
        assert_array_equal(weight_shown, weight[test])


def test_a_scorer_that_writes_to_what_it_is_shown_changes_no_model():
    X, y = make_rows()

    def scorer(model, X, y):
        score = model.score(X, y)
        model.partial_fit(X, y)
        for array in (X, y, model.coef_, model.intercept_):
            array[...] = 0
        return score

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=PAIRS, scoring=scorer)
    clf.fit(X, y)

    accuracy = clone(clf).set_params(scoring="accuracy").fit(*make_rows())
    assert_allclose(clf.scores_, accuracy.scores_)
    assert_array_equal(clf.coef_, accuracy.coef_)


@pytest.mark.parametrize(
    "result", [None, "1", {"a": 1.0}, [1.0], np.ones(2), 1j], ids=repr
)
def test_a_scorer_that_returns_no_number(result):
    clf = SoftmaxRegressionClassifierCV(
        alphas=ALPHAS, scoring=lambda model, X, y: result
    )

    with pytest.raises(ValueError, match="scoring must return a number, got"):
        clf.fit(*make_rows())

    assert vars(clf).keys() == clf.get_params().keys()


def test_alphas_with_scores_of_nan_are_not_chosen():
    def scorer(model, X, y):
        return math.nan if model.alpha > 0.05 else model.score(X, y)

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, scoring=scorer)
    clf.fit(*make_rows())

    assert np.isnan(clf.mean_score_[0])
    assert clf.alpha_ in ALPHAS[1:]
    clf.set_params(alphas=None).fit(*make_rows())
    assert np.isnan(clf.mean_score_[0])
    assert clf.alpha_ < 0.05
    clf.set_params(scoring=lambda model, X, y: math.nan)
    with pytest.raises(ValueError, match="got NaN for all"):
        clf.fit(*make_rows())


def test_a_selection_sees_scores_of_nan_ranked_last():
    def scorer(model, X, y):
        return math.nan if model.alpha > 0.05 else model.score(X, y)

    ranks = []

    def select(results):
        ranks.append(results["rank_test_score"])
        return ranks[0].argmin()

    clf = SoftmaxRegressionClassifierCV(
        alphas=ALPHAS, scoring=scorer, selection=select
    ).fit(*make_rows())

    assert ranks[0][0] == 3
    assert ranks[0].min() == 1
    assert clf.best_score_ == np.nanmax(clf.mean_score_)


def test_selections():
    X, y = make_rows(n_rows=60)
    params = {"alphas": np.logspace(1, -6, 15), "cv": FOLDS}
    clf = SoftmaxRegressionClassifierCV(**params).fit(X, y)
    best = clf.mean_score_.argmax()
    error = clf.scores_[best].std(ddof=1) / math.sqrt(3)
    strongest = np.flatnonzero(clf.mean_score_ >= clf.mean_score_[best] - error)[0]
    assert strongest < best

    sparing = SoftmaxRegressionClassifierCV(selection="1se", **params).fit(X, y)
    last = SoftmaxRegressionClassifierCV(
        selection=lambda results: len(results["params"]) - 1, **params
    ).fit(X, y)

    assert clf.alpha_ == clf.alpha_min_ == clf.alphas_[best]
    assert sparing.alpha_ == clf.alpha_1se_ == clf.alphas_[strongest]
    assert clf.standard_error_[best] == pytest.approx(error)
    assert_allclose(clf.std_score_, clf.scores_.std(axis=1))
    for model in (clf, sparing, last):
        k = list(model.alphas_).index(model.alpha_)
        assert model.best_score_ == model.mean_score_[k]
        assert_array_equal(model.coef_path_, clf.coef_path_)
        assert_array_equal(model.coef_, clf.coef_path_[k])
        assert pytest.approx(1 / (60 * model.alpha_)) == model.C_
    assert last.alpha_ == clf.alphas_[-1]


def test_selection_gets_the_results_of_a_grid_search():
    X, y = make_rows()
    results = {}
    clf = SoftmaxRegressionClassifierCV(
        alphas=ALPHAS[::-1],
        tol=1e-9,
        cv=FOLDS,
        selection=lambda r: results.update(r) or 1,
    ).fit(X, y)

    search = GridSearchCV(
        SoftmaxRegressionClassifier(solver="svrg", tol=1e-9),
        {"alpha": ALPHAS},
        scoring="neg_log_loss",
        cv=FOLDS,
    ).fit(X, y)

    assert clf.alpha_ == ALPHAS[1]
    assert results.keys() < search.cv_results_.keys()
    for name, values in results.items():
        expected = search.cv_results_[name]
        if name == "params":
            assert values == expected
        else:
            assert_allclose(
                np.asarray(values, float), np.asarray(expected, float), atol=1e-4
            )


@pytest.mark.parametrize("result", [-1, 3, 1.0, None, "0"], ids=repr)
def test_a_selection_that_is_no_number_of_an_alpha(result):
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, selection=lambda r: result)

    with pytest.raises(ValueError, match="selection must return the number"):
        clf.fit(*make_rows())

    assert vars(clf).keys() == clf.get_params().keys()


# Validation rows

TRAIN, TEST = np.arange(80), np.arange(80, 120)
CONVERSIONS = {
    "lists": np.ndarray.tolist,
    "float32": np.float32,
    "big-endian": lambda X: X.astype(">f8"),
    "by column": np.asfortranarray,
    "CSR": sp.csr_array,
    "COO": sp.coo_array,
    "integers": np.int64,
    "int8": np.int8,
    "booleans": lambda X: X > 0,
}


def assert_same_path(clf, other, atol=1e-5):
    for name in ("alphas_", "scores_", "coef_", "intercept_", "coef_path_"):
        assert_allclose(getattr(clf, name), getattr(other, name), atol=atol)
    assert (clf.alpha_, clf.C_) == (other.alpha_, pytest.approx(other.C_))


@pytest.mark.parametrize(
    ("to", "to_val"),
    [
        *((to, to_val) for to in ("lists", "CSR") for to_val in CONVERSIONS),
        *((to, to) for to in CONVERSIONS),
        *((to, "lists") for to in CONVERSIONS),
        ("integers", "int8"),
        ("int8", "booleans"),
    ],
)
def test_validation_rows_of_all_kinds(to, to_val):
    X, y = make_rows()
    parts = CONVERSIONS[to](X[TRAIN]), CONVERSIONS[to_val](X[TEST])
    whole = np.vstack(
        [
            part.toarray() if sp.issparse(part) else np.asarray(part, float)
            for part in parts
        ]
    )
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, tol=1e-9)

    clf.fit(parts[0], y[TRAIN], X_val=parts[1], y_val=y[TEST])

    joined = clone(clf).set_params(cv=[(TRAIN, TEST)]).fit(whole, y)
    assert_same_path(clf, joined, atol=1e-2 if sp.issparse(parts[0]) else 1e-3)
    assert clf.n_splits_ == 1


@pytest.mark.parametrize("is_soft", [(0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("weighted", [(0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_targets_and_weights_of_validation_rows(is_soft, weighted, class_weight):
    X, y = make_rows()
    weight = np.random.RandomState(0).exponential(size=120)
    parts = []
    for part, soft, has_weight in zip((TRAIN, TEST), is_soft, weighted, strict=True):
        if not has_weight:
            weight[part] = 1
        target = soften(y[part]) if soft else y[part]
        parts.append((target, weight[part] if has_weight else None))
    table = np.vstack(
        [t if t.ndim == 2 else np.eye(3)[t] for t in (parts[0][0], parts[1][0])]
    )
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, class_weight=class_weight)

    (target, w), (target_val, w_val) = parts
    clf.fit(
        X[TRAIN], target, w, X_val=X[TEST], y_val=target_val, sample_weight_val=w_val
    )

    joined = clone(clf).set_params(cv=[(TRAIN, TEST)]).fit(X, table, weight)
    assert_same_path(clf, joined)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": 0}, "y_val must be passed with X_val"),
        ({"y_val": 0}, "X_val must be passed with y_val"),
        ({"X_val": 0, "y_val": 0, "groups": np.arange(80)}, "groups must be None if"),
        (
            {"X_val": 0, "y_val": 1},
            "validation data cannot be used: y must hold labels",
        ),
        ({"X_val": 1, "y_val": 0}, "validation data cannot be used: X has 3 features"),
    ],
)
def test_invalid_validation_rows(arguments, message):
    X, y = make_rows()
    given = {"X_val": (X[TEST], X[TEST, :3]), "y_val": (y[TEST], y[TEST] + 1)}
    arguments = {k: given[k][v] if k in given else v for k, v in arguments.items()}
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)

    with pytest.raises(ValueError, match=message):
        clf.fit(X[TRAIN], y[TRAIN], **arguments)

    assert vars(clf).keys() == clf.get_params().keys()


def test_validation_rows_beside_splits():
    X, y = make_rows()
    with pytest.raises(ValueError, match="cv must be None if X_val is passed"):
        SoftmaxRegressionClassifierCV(cv=3).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize("layout", ["sparse", "dense with L1"])
@pytest.mark.parametrize("work", [0, None], ids=["minibatches", "one batch"])
def test_weaker_penalties_do_not_change_the_models_of_stronger_ones(
    monkeypatch, layout, work
):
    if work is not None:
        for name in ("DENSE", "SPARSE"):
            policy = getattr(_strategy, name)._replace(full_batch_work=work)
            monkeypatch.setattr(_strategy, name, policy)
    X, y = make_rows(n_rows=600)
    clf = SoftmaxRegressionClassifierCV(
        l1_ratio=0.0 if layout == "sparse" else 0.5, random_state=0
    )
    X = sp.csr_array(X) if layout == "sparse" else X
    alone = clone(clf).set_params(alphas=[1e-1]).fit(X, y)

    clf.set_params(alphas=[1e-1, 1e-5], selection=lambda results: 0).fit(X, y)

    assert clf.alpha_ == 1e-1
    assert_array_equal(clf.coef_, alone.coef_)
    assert_array_equal(clf.intercept_, alone.intercept_)
    assert_array_equal(clf.coef_path_[0], alone.coef_path_[0])


# As an estimator


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_partial_fit_begins_with_a_choice_and_goes_on(layout):
    X, y = make_rows()
    X, labels = layout(X), np.array(["a", "b", "d"])[y]
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, random_state=0)
    fitted = clone(clf).fit(X, labels)

    clf.partial_fit(X, labels, classes=["a", "b", "c", "d"])

    assert clf.alpha_ == fitted.alpha_
    assert_allclose(clf.coef_[[0, 1, 3]], fitted.coef_)
    t, n_iter = clf.t_, clf.n_iter_
    clf.partial_fit(X, labels)
    assert (clf.t_, clf.n_iter_) == (t + 1, n_iter + 1)
    assert clf.score(X, labels) > 0.7
    assert_array_equal(clf.scores_, fitted.scores_)
    clf.partial_fit(X[:9], np.full(9, "e"), classes=list("abcde"))
    assert clf.predict_proba(X).shape == (120, 5)


@pytest.mark.parametrize("classes", [["a", "b", "c"], [1, 2, 3]], ids=str)
def test_a_first_partial_fit_names_the_columns_of_a_table(classes):
    X, y = make_rows()
    table = 0.7 * np.eye(3)[y] + 0.1
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, class_weight={classes[1]: 2})
    labelled = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(
        X, table, 1.0 + (y == 1)
    )

    clf.partial_fit(X, table, classes=classes)

    assert_array_equal(clf.classes_, classes)
    agreement = clf.predict(X) == np.array(classes)[labelled.predict(X)]
    assert agreement.mean() > 0.9


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 3], [5, 6, 7]], ids=str)
def test_a_first_partial_fit_refuses_labels_that_are_no_classes(classes):
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)

    with pytest.raises(ValueError, match="y must hold labels among the classes"):
        clf.partial_fit(*make_rows(), classes=classes)

    assert vars(clf).keys() == clf.get_params().keys()


def test_partial_fit_equals_that_of_the_classifier():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, random_state=0).fit(X, y)
    model = SoftmaxRegressionClassifier(alpha=clf.alpha_, random_state=0)
    parameters = clf.get_params().keys()
    learned = {k: v for k, v in vars(clf).items() if k not in parameters}
    vars(model).update(copy.deepcopy(learned))  # with a generator of its own

    for _ in range(3):
        clf.partial_fit(X, y, None, 1.0 + y)
        model.partial_fit(X, y, None, 1.0 + y)

    assert_array_equal(clf.coef_, model.coef_)
    assert clf.progressive_loss_curve_ == model.progressive_loss_curve_


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize(
    "params",
    [{"tol": None}, {"alphas": "a"}, {"cv": "x"}, {"scoring": "no"}, {"max_iter": 0}],
)
def test_parameters_of_partial_fit(params, is_fitted):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)
    if is_fitted:
        clf.fit(X, y)
    clf.set_params(**params)
    before = vars(clf).copy()

    message = f"'{next(iter(params))}' parameter of SoftmaxRegressionClassifierCV"
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(X, y, classes=[0, 1, 2])

    assert vars(clf) == before


def test_a_model_set_by_hand_needs_a_strength_to_go_on():
    X, y = make_rows()
    model = SoftmaxRegressionClassifier().fit(X, y)
    clf = SoftmaxRegressionClassifierCV()
    for name in ("classes_", "coef_", "intercept_"):
        setattr(clf, name, getattr(model, name).copy())
    assert_array_equal(clf.predict(X), model.predict(X))

    with pytest.raises(ValueError, match="alpha_ must be set for partial_fit"):
        clf.partial_fit(X, y, classes=[0, 1, 2])

    clf.alpha_ = 1e-3
    clf.partial_fit(X, y)
    assert clf.n_iter_ == 1


def test_a_second_fit_forgets_the_first_one():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)

    clf.fit(X, y).partial_fit(X, y).fit(X[:, :3], y > 0)

    fresh = clone(clf).fit(X[:, :3], y > 0)
    assert_array_equal(clf.coef_, fresh.coef_)
    assert vars(clf).keys() - vars(fresh).keys() <= {"_validated_parameters"}


def test_what_a_fitted_classifier_offers():
    X, y = make_rows()
    X, y = X[:110], np.sort(y)[:110]
    clf = SoftmaxRegressionClassifierCV(class_weight="balanced", cv=3).fit(X, y)
    proba = clf.predict_proba(X)

    assert_allclose(clf.to_logistic_regression().predict_proba(X), proba)
    assert_allclose(copy.deepcopy(clf).sparsify().predict_proba(X), proba)
    assert_allclose(pickle.loads(pickle.dumps(clf)).predict_proba(X), proba)
    corrected = copy.deepcopy(clf).correct_prior().predict_proba(X).mean(axis=0)
    assert_allclose(corrected, np.bincount(y) / 110, atol=0.02)
    assert clf.surprisal(X, y).shape == clf.predictive_entropy(X).shape == (110,)
    for model in (clf, copy.deepcopy(clf).sparsify()):
        model.partial_fit(X, y)
    reference = LogisticRegression(C=clf.C_, class_weight="balanced").fit(X, y)
    assert_allclose(proba, reference.predict_proba(X), atol=0.2)
    assert clf.penalty == "l2"


def test_inside_pipelines_searches_and_cross_validation():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=3)
    pipeline = make_pipeline(StandardScaler(), clf)

    scores = cross_val_score(pipeline, X, y, cv=3, scoring="neg_log_loss")
    search = GridSearchCV(
        pipeline, {"softmaxregressionclassifiercv__l1_ratio": [0, 0.5]}, cv=2
    ).fit(X, y)
    grouped = clone(pipeline).set_params(
        softmaxregressionclassifiercv__cv=GroupKFold(4)
    )
    grouped.fit(X, y, softmaxregressionclassifiercv__groups=GROUPS)

    assert scores.mean() > -0.7
    assert search.best_score_ > 0.7
    assert grouped[-1].n_splits_ == 4


def test_groups_and_validation_rows_are_routed():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS)
    with config_context(enable_metadata_routing=True):
        grouped = make_pipeline(
            StandardScaler(),
            clone(clf).set_params(cv=GroupKFold(4)).set_fit_request(groups=True),
        ).fit(X, y, groups=GROUPS)
        nested = cross_val_score(grouped, X, y, cv=3, params={"groups": GROUPS})
        validated = make_pipeline(
            StandardScaler(),
            clone(clf).set_fit_request(X_val=True, y_val=True),
            transform_input=["X_val"],
        ).fit(X[TRAIN], y[TRAIN], X_val=X[TEST], y_val=y[TEST])

    assert grouped[-1].n_splits_ == 4
    assert nested.mean() > 0.7
    scaler = StandardScaler().fit(X[TRAIN])
    scaled = scaler.transform(X[TRAIN]), scaler.transform(X[TEST])
    expected = clf.fit(scaled[0], y[TRAIN], X_val=scaled[1], y_val=y[TEST])
    assert_array_equal(validated[-1].coef_, expected.coef_)


LABELS = {
    "strings": lambda y: np.array(["a", "b", "c"])[y],
    "objects": lambda y: np.array(["a", "b", "c"], object)[y],
    "list": list,
    "floats": np.float32,
    "uint8": np.uint8,
    "series": lambda y: pytest.importorskip("pandas").Series(y, index=y),
    "categories": lambda y: pytest.importorskip("pandas").Series(y).astype("category"),
    "polars": lambda y: pytest.importorskip("polars").Series(y),
    "probabilities": lambda y: np.eye(3)[y],
    "frame of probabilities": lambda y: pytest.importorskip("pandas").DataFrame(
        np.eye(3)[y][:, ::-1], columns=["c", "b", "a"]
    ),
}
FEATURES = {
    "list": np.ndarray.tolist,
    "float32": np.float32,
    "float16": np.float16,
    "frame": lambda X: pytest.importorskip("pandas").DataFrame(X, columns=[*"abcde"]),
    "polars": lambda X: pytest.importorskip("polars").DataFrame(X),
    "by column": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_all_kinds(name):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, LABELS[name](y))

    assert_same_path(clf, clone(clf).fit(X, y))


@pytest.mark.parametrize("name", FEATURES)
def test_features_of_all_kinds(name):
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(FEATURES[name](X), y)

    assert_same_path(clf, clone(clf).fit(X, y), 1e-2 if name == "float16" else 2e-3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool])
def test_features_of_whole_numbers(dtype):
    X, y = make_rows()
    X = (abs(3 * X)).astype(dtype)
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS).fit(X, y)

    assert_same_path(clf, clone(clf).fit(X.astype(np.float64), y), 1e-3)


def test_a_memory_map(tmp_path):
    X, y = make_rows()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")

    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, scoring="f1_macro")

    assert_same_path(clone(clf).fit(mapped, y), clf.fit(X, y))


def test_no_convergence_warns():
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, tol=1e-9, max_iter=1)

    with pytest.warns(ConvergenceWarning, match="3 of 3 alphas, the first one 0.1"):
        clf.fit(*make_rows())


def test_verbose_prints_a_line_for_each_alpha(capsys):
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, verbose=1).fit(*make_rows())

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(
        f"alpha 1.000e-01: neg_log_loss {clf.mean_score_[0]:.6f}"
    )


class HalvesWithoutGroups:
    def split(self, X, y):
        half = len(y) // 2
        yield np.arange(half), np.arange(half, len(y))

    def get_n_splits(self, X=None, y=None):
        return 1


def test_a_splitter_may_take_no_groups():
    X, y = make_rows()

    clf = SoftmaxRegressionClassifierCV(alphas=[0.1, 0.01], cv=HalvesWithoutGroups())
    clf.fit(X, y)

    assert clf.n_splits_ == 1


def test_a_warning_of_class_weights_names_the_line_of_the_caller():
    X, y = make_rows()
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, class_weight={0: 2, "a": 1})
    models = clf, SoftmaxRegressionClassifier(class_weight={0: 2, "a": 1})

    for model in (*models, *(make_pipeline(m) for m in models)):
        with pytest.warns(UserWarning, match="no classes") as caught:
            model.fit(X, y)
        assert {w.filename for w in caught} == {__file__}


def test_a_scorer_without_a_signature_takes_no_weights():
    assert not takes_sample_weight(max)
    assert complete_scorer(make_scorer(max), np.arange(2))._kwargs == {}


def test_a_class_weight_may_name_a_class_that_later_calls_bring():
    X, y = make_rows()
    known = y < 2
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, class_weight={2: 5.0, 1: 2.0})

    clf.partial_fit(X[known], y[known], classes=[0, 1, 2])

    expected = clone(clf).set_params(class_weight={1: 2.0})
    expected.partial_fit(X[known], y[known], classes=[0, 1, 2])
    assert_array_equal(clf.coef_, expected.coef_)
    clf.set_params(class_weight={5: 1.0})
    with pytest.raises(ValueError, match=r"classes among \[0, 1, 2\], got \[5\]"):
        clone(clf).partial_fit(X[known], y[known], classes=[0, 1, 2])


@pytest.mark.parametrize("by", ["cv", "X_val"])
def test_a_scorer_is_not_shown_rows_without_weight(by):
    X, y = make_rows()
    weight = np.arange(120) % 2
    y_wrong = np.where(weight, y, (y + 1) % 3)
    clf = SoftmaxRegressionClassifierCV(
        alphas=ALPHAS, scoring=make_scorer(matching), cv=[(TRAIN, TEST)]
    )
    seen = weight > 0
    order = np.cumsum(seen) - 1
    splits = [[order[part[seen[part]]] for part in (TRAIN, TEST)]]
    expected = clone(clf).set_params(cv=splits).fit(X[seen], y[seen])

    if by == "cv":
        clf.fit(X, y_wrong, weight)
    else:
        val = X[TEST], y_wrong[TEST], weight[TEST]
        names = "X_val", "y_val", "sample_weight_val"
        clf.set_params(cv=None)
        arguments = dict(zip(names, val, strict=True))
        clf.fit(X[TRAIN], y_wrong[TRAIN], weight[TRAIN], **arguments)

    assert_allclose(clf.scores_, expected.scores_, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_accuracies_are_exact(dtype):
    X, y = make_rows(n_rows=90)
    X[:, :3] += 5 * np.eye(3)[y]
    X, cv = X.astype(dtype), KFold(3)
    clf = SoftmaxRegressionClassifierCV(alphas=ALPHAS, cv=cv, scoring="accuracy")

    for weight in (None, np.full(90, 0.1)):
        scores = clone(clf).fit(X, y, weight).scores_
        assert_array_equal(30 * scores, np.round(30 * scores))
    weight = np.random.RandomState(0).exponential(size=90)
    weighted = clone(clf).fit(X, y, weight)
    assert_allclose(weighted.scores_.max(axis=0), 1, rtol=1e-12)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 5, 8])
def test_max_iter_limits_the_steps_of_a_model_and_warns(max_iter):
    X, y = make_rows()
    free = SoftmaxRegressionClassifierCV(alphas=[1e-3], tol=1e-8)
    n_steps = clone(free).fit(X, y).n_iter_
    clf = clone(free).set_params(max_iter=max_iter)
    assert n_steps > max_iter

    with pytest.warns(ConvergenceWarning, match="1 of 1 alphas"):
        clf.fit(X, y)

    assert clf.n_iter_ == clf.t_ <= max_iter
