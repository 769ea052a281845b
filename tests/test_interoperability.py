"""The scikit-learn world around the classifier."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (its effect)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksoftmax import SoftmaxRegressionClassifier

RELEASE = tuple(map(int, sklearn.__version__.split(".")[:2]))


@pytest.fixture
def iris(datasets):
    return datasets["iris"]


@pytest.fixture
def cancer(datasets):
    return datasets["breast_cancer"]


def drop_in(wrap, X, y, **fit_params):
    """Return ours and LogisticRegression in the same company, fitted."""
    alpha = 1 / (10 * len(y))
    ours = wrap(SoftmaxRegressionClassifier(alpha=alpha, tol=1e-4))
    theirs = wrap(LogisticRegression(C=10, max_iter=5000, tol=1e-6))
    return ours.fit(X, y, **fit_params), theirs.fit(X, y, **fit_params)


def test_pipeline_with_scaler(iris):
    X, y = iris
    ours, theirs = drop_in(lambda clf: make_pipeline(StandardScaler(), clf), X, y)

    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-2)


def test_pipeline_with_text():
    texts = ["a red apple", "a green apple", "the blue sea", "the deep sea"] * 5
    y = ["fruit", "fruit", "water", "water"] * 5
    ours, theirs = drop_in(lambda clf: make_pipeline(TfidfVectorizer(), clf), texts, y)

    assert list(ours.predict(["apple", "sea"])) == ["fruit", "water"]
    assert_allclose(ours.predict_proba(texts), theirs.predict_proba(texts), atol=1e-2)


def test_column_transformer_and_feature_names():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"size": [1.0, 2, 8, 9] * 5, "color": list("rgrb") * 5})
    y = [0, 0, 1, 1] * 5
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size"]),
            ("words", OneHotEncoder(sparse_output=False), ["color"]),
        ]
    )
    model = make_pipeline(columns, SoftmaxRegressionClassifier())
    with sklearn.config_context(transform_output="pandas"):
        model.fit(X, y)

        assert model.score(X, y) == 1
    assert model[-1].feature_names_in_[0] == "numbers__size"


@pytest.mark.slow
def test_grid_search_in_two_processes(iris):
    grid = {"alpha": [1e-4, 1.0]}
    search = GridSearchCV(SoftmaxRegressionClassifier(), grid, n_jobs=2)

    assert search.fit(*iris).best_params_ == {"alpha": 1e-4}
    assert search.best_score_ > 0.95


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_halving_search_over_epochs(digits):
    X, y = digits
    search = HalvingGridSearchCV(
        SoftmaxRegressionClassifier(batch_size=64, random_state=0),
        {"alpha": [1e-4, 1e-1, 10.0]},
        resource="max_iter",
        min_resources=1,
        max_resources=9,
        cv=3,
        random_state=0,
    )

    search.fit(X[:600], y[:600])

    assert search.best_params_["alpha"] == 1e-4


@pytest.mark.slow
def test_cross_val_predict(iris):
    X, y = iris
    ours, theirs = (
        cross_val_predict(clf, X, y, method="predict_proba")
        for clf in (
            SoftmaxRegressionClassifier(alpha=1 / 1200, tol=1e-6),
            LogisticRegression(C=10, tol=1e-6, max_iter=50_000),
        )
    )

    assert_allclose(ours, theirs, atol=1e-2)


@pytest.mark.slow
def test_calibration(iris):
    X, y = iris
    ours, theirs = drop_in(lambda clf: CalibratedClassifierCV(clf, cv=3), X, y)

    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-2)


@pytest.mark.skipif(
    RELEASE < (1, 8), reason="scikit-learn scales by a temperature from 1.8 on"
)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("labels", [np.arange(3), np.array(["a", "b", "c"])], ids=str)
def test_temperature(iris, n_classes, labels):
    X, y = iris
    rows = np.flatnonzero(y >= 3 - n_classes)  # which overlap
    X, y = X[rows, :2], labels[y[rows] - y[rows].min()]
    train, held_out = np.arange(len(y)) % 5 == 0, np.arange(len(y)) % 2 == 1
    test = ~train & ~held_out
    sure = SoftmaxRegressionClassifier(alpha=0, tol=1e-6).fit(X[train], y[train])
    sure.coef_, sure.intercept_ = 5 * sure.coef_, 5 * sure.intercept_

    cooled = CalibratedClassifierCV(FrozenEstimator(sure), method="temperature")
    cooled.fit(X[held_out & ~train], y[held_out & ~train])

    raw = sure.decision_function(X)
    raw = np.column_stack([-raw, raw]) if n_classes == 2 else raw
    beta = cooled.calibrated_classifiers_[0].calibrators[0].beta_
    assert beta < 0.5
    assert_allclose(cooled.predict_proba(X), softmax(beta * raw, axis=1), atol=1e-9)
    before, after = (
        log_loss(y[test], m.predict_proba(X[test])) for m in (sure, cooled)
    )
    assert after < before
    assert_array_equal(cooled.predict(X), sure.predict(X))


@pytest.mark.slow
def test_thresholds(cancer):
    X, y = cancer
    fixed, peer = drop_in(
        lambda clf: FixedThresholdClassifier(clf, threshold=0.9), X, y
    )
    assert np.mean(fixed.predict(X) == peer.predict(X)) > 0.99

    tuned, peer = drop_in(TunedThresholdClassifierCV, X, y)
    assert tuned.best_score_ == pytest.approx(peer.best_score_, abs=0.02)


def test_stacking(iris):
    X, y = iris
    base = [("softmax", SoftmaxRegressionClassifier())]
    ours, _ = drop_in(lambda clf: StackingClassifier(base, final_estimator=clf), X, y)

    assert ours.score(X, y) > 0.95


@pytest.mark.slow
def test_bagging(iris):
    X, y = iris
    ours, theirs = drop_in(
        lambda clf: BaggingClassifier(clf, n_estimators=5, random_state=0), X, y
    )

    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=3e-2)


def test_boosting(iris):
    X, y = iris
    boosted = AdaBoostClassifier(
        SoftmaxRegressionClassifier(alpha=0.1), n_estimators=10, random_state=0
    )

    assert boosted.fit(X, y).score(X, y) > 0.9
    assert len(boosted.estimators_) > 1


def test_one_versus_rest(iris):
    X, y = iris
    ours, theirs = drop_in(OneVsRestClassifier, X, y)

    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-2)


def test_several_targets_in_a_stream(iris):
    X, y = iris
    targets = np.column_stack([y, y == 1])
    several = MultiOutputClassifier(SoftmaxRegressionClassifier(random_state=0))
    for _ in range(30):
        several.partial_fit(X, targets, classes=[[0, 1, 2], [0, 1]])

    alone = SoftmaxRegressionClassifier(random_state=0)
    for _ in range(30):
        alone.partial_fit(X, y, classes=[0, 1, 2])
    assert_array_equal(several.predict(X)[:, 0], alone.predict(X))


def test_feature_selection(cancer):
    X, y = cancer
    clf = SoftmaxRegressionClassifier(alpha=1e-2)
    importance = np.abs(clone(clf).fit(X, y).coef_[0])

    chosen = SelectFromModel(clf, threshold="mean").fit(X, y).get_support()
    assert_array_equal(chosen, importance >= importance.mean())

    kept = RFE(clf, n_features_to_select=10, step=5).fit(X, y)
    assert kept.estimator_.score(X[:, kept.support_], y) > 0.95


def test_permutation_importance(iris):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y)

    importance = permutation_importance(clf, X, y, random_state=0).importances_mean

    assert importance.argmax() in (2, 3)  # petals tell more than sepals


def test_sample_weight_is_routed_through_a_pipeline(iris):
    X, y = iris
    weight = np.where(y == 0, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SoftmaxRegressionClassifier().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)

        routed = make_pipeline(scaler, clf).fit(X, y, sample_weight=weight)

    scaled = StandardScaler().fit(X).transform(X)
    alone = SoftmaxRegressionClassifier().fit(scaled, y, sample_weight=weight)
    assert_array_equal(routed[-1].coef_, alone.coef_)


def test_clone_and_repr():
    clf = SoftmaxRegressionClassifier(alpha=0.5, class_weight={0: 2.0})

    copied = clone(clf)

    assert copied.get_params() == clf.get_params()
    assert repr(clf) == (
        "SoftmaxRegressionClassifier(alpha=0.5, class_weight={0: 2.0})"
    )
    assert "SoftmaxRegressionClassifier" in clf._repr_html_()


def by_joblib(clf):
    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)
def test_copies_predict_the_same(iris, make_copy):
    X, y = iris
    clf = SoftmaxRegressionClassifier().fit(X, y)

    assert_array_equal(make_copy(clf).predict_proba(X), clf.predict_proba(X))
