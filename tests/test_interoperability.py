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
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, SGDClassifier
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
    sure = SoftmaxRegressionClassifier(alpha=1e-4, tol=1e-6).fit(X[train], y[train])
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


NONZERO = 1e-5  # the threshold of scikit-learn for models with L1
SOLVERS = [{"solver": "svrg"}, {}, {"batch_size": 64, "random_state": 0}]


@pytest.mark.parametrize("l1_ratio", [1, 1.0, np.float32(1), sum([0.1] * 10)])
@pytest.mark.parametrize("n_classes", [2, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("params", SOLVERS, ids=["svrg", "sgd", "minibatches"])
def test_selection_by_an_l1_model_keeps_what_is_not_zero(
    digits, l1_ratio, n_classes, params
):
    X, y = digits
    X, y = X[y < n_classes], y[y < n_classes]
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=l1_ratio, **params)

    selector = SelectFromModel(clf).fit(X, y)

    nonzero = np.abs(selector.estimator_.coef_).sum(axis=0) > NONZERO
    assert 0 < nonzero.sum() < 64
    assert_array_equal(selector.get_support(), nonzero)
    assert selector.threshold_ == NONZERO


@pytest.mark.parametrize("l1_ratio", [0, 0.0, 0.5, np.float32(0.9), 0.99])
def test_selection_by_another_model_keeps_what_is_above_the_mean(cancer, l1_ratio):
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=l1_ratio)

    selector = SelectFromModel(clf).fit(*cancer)

    importance = np.abs(selector.estimator_.coef_[0])
    assert selector.threshold_ == importance.mean()
    assert_array_equal(selector.get_support(), importance >= importance.mean())


@pytest.mark.parametrize("alpha", [0, 1e-2])
def test_selection_has_the_threshold_of_logistic_regression(cancer, alpha):
    X, y = cancer
    l1 = {"l1_ratio": 1.0} if RELEASE >= (1, 8) else {"penalty": "l1"}
    theirs = LogisticRegression(C=1 / (1e-2 * len(y)), solver="liblinear", **l1)
    ours = SoftmaxRegressionClassifier(alpha=alpha, l1_ratio=1)

    thresholds = [SelectFromModel(c).fit(X, y).threshold_ for c in (ours, theirs)]

    assert thresholds == [NONZERO, NONZERO]


def test_selection_by_a_fitted_model_follows_set_params(cancer):
    X, y = cancer
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=1, solver="svrg").fit(X, y)
    selector = SelectFromModel(clf, prefit=True).fit(X, y)
    assert_array_equal(selector.get_support(), clf.coef_[0] != 0)

    clf.set_params(l1_ratio=0.5)

    assert selector.threshold_ == np.abs(clf.coef_).mean()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("densify", [False, True])
def test_selection_by_sparse_coefficients_ends_as_theirs(cancer, l1_ratio, densify):
    X, y = cancer
    ours = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=l1_ratio).fit(X, y)
    theirs = SGDClassifier(penalty="l1" if l1_ratio == 1 else "l2").fit(X, y)
    for clf in (ours, theirs):
        clf.sparsify()
        clf.densify() if densify else None

    supports = []
    for clf in (ours, theirs):
        selector = SelectFromModel(clf, prefit=True)
        try:
            supports.append(type(selector.fit(X, y).get_support()))
        except (TypeError, ValueError) as error:
            supports.append(type(error))

    assert supports[0] is supports[1]


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_selection_through_a_pipeline_names_its_step(cancer, penalty):
    X, y = cancer
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=float(penalty == "l1"))
    pipeline = make_pipeline(StandardScaler(), clf)
    getter = "named_steps.softmaxregressionclassifier.coef_"

    chosen = SelectFromModel(pipeline, importance_getter=getter, threshold=1e-5)
    chosen = chosen.fit(X, y)

    coef = chosen.estimator_[-1].coef_[0]
    assert_array_equal(chosen.get_support(), np.abs(coef) >= 1e-5)


def test_selection_inside_a_pipeline(cancer):
    X, y = cancer
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=1, solver="svrg")

    pipeline = make_pipeline(SelectFromModel(clf), SoftmaxRegressionClassifier())
    pipeline.fit(X, y)

    n_nonzero = np.count_nonzero(pipeline[0].estimator_.coef_)
    assert pipeline[-1].n_features_in_ == n_nonzero < 30


def test_selection_with_a_getter_of_importance(cancer):
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=1, solver="svrg")
    selector = SelectFromModel(clf, importance_getter=lambda c: c.coef_[0] ** 2)

    selector.fit(*cancer)

    assert selector.threshold_ == NONZERO


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize(
    "select",
    [
        lambda clf: RFE(clf, n_features_to_select=5, step=5),
        lambda clf: RFECV(clf, min_features_to_select=5, step=10, cv=2),
        lambda clf: SequentialFeatureSelector(clf, n_features_to_select=1, cv=2),
    ],
    ids=["RFE", "RFECV", "sequential"],
)
def test_other_selectors(iris, select, l1_ratio):
    X, y = iris
    X = np.hstack([X, np.random.RandomState(0).standard_normal((len(y), 4))])
    clf = SoftmaxRegressionClassifier(alpha=1e-2, l1_ratio=l1_ratio)

    support = select(clf).fit(X, y).get_support()

    assert support[2] or support[3]  # petals tell more than sepals and noise


@pytest.mark.parametrize(
    ("l1_ratio", "penalty"),
    [
        *[(1, "l1"), (1.0, "l1"), (np.float64(1), "l1"), (0.5, "elasticnet")],
        *[(0, "l2"), (0.0, "l2"), (np.float32(0), "l2"), (1e-3, "elasticnet")],
    ],
)
def test_penalty_is_named_and_no_parameter(iris, l1_ratio, penalty):
    clf = SoftmaxRegressionClassifier(l1_ratio=l1_ratio)

    assert clf.penalty == clone(clf).penalty == penalty
    assert "penalty" not in clf.get_params()
    assert "penalty" not in repr(clf)
    assert "penalty" not in vars(clf.fit(*iris))
    assert "penalty" not in clf._repr_html_().split("<style>")[0]
    assert pickle.loads(pickle.dumps(clf)).penalty == penalty
    with pytest.raises(ValueError, match="Invalid parameter 'penalty'"):
        clf.set_params(penalty="l1")
    with pytest.raises(AttributeError):
        clf.penalty = "l1"
    with pytest.raises(TypeError, match="penalty"):
        SoftmaxRegressionClassifier(penalty="l1")


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
