"""The choice of the penalty: exact models, no leak, and a path that ends by itself."""

import copy
import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

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
