"""Attributes of the model set by hand, and models read while another thread trains."""

import copy
import pickle
import sys
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

import sksoftmax._prediction
from sksoftmax import SoftmaxRegressionClassifier, _classifier

PREDICTIONS = ["predict_proba", "predict_log_proba", "decision_function", "predict"]
PREDICTIONS += ["predictive_entropy"]
SHAPES = pytest.mark.parametrize("n_classes", [2, 3])


def make_rows(n_classes, n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((90, n_features))
    y = np.array(["no", "yes", "maybe"])[:n_classes][np.arange(90) % n_classes]
    X[np.arange(90), np.arange(90) % n_classes] += 1
    return X, y


def edited(n_classes=3, **attributes):
    """Return a fitted estimator with some attributes set to other values."""
    clf = SoftmaxRegressionClassifier(random_state=0).fit(*make_rows(n_classes))
    vars(clf).update(attributes)
    return clf


def transplanted(model, names=("classes_", "coef_", "intercept_"), **params):
    """Return a new estimator with copies of attributes of a fitted model."""
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    for name in names:
        setattr(clf, name, np.array(getattr(model, name)))
    return clf


# Narrow dtypes


@SHAPES
@pytest.mark.parametrize("method", PREDICTIONS)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array, np.float32])
@pytest.mark.parametrize(
    "dtype", [np.float16, np.int8, np.uint8, np.int64, np.uint64, bool]
)
def test_predictions_from_any_dtype_are_those_of_float64(
    dtype, layout, method, n_classes
):
    n_outputs = 1 if n_classes == 2 else 3
    coef = (np.arange(n_outputs * 4).reshape(n_outputs, 4) % 3).astype(dtype)
    clf = edited(n_classes, coef_=coef, intercept_=np.zeros(n_outputs, dtype))
    exact = edited(n_classes, coef_=coef.astype(float), intercept_=np.zeros(n_outputs))
    X = layout(60 * make_rows(n_classes)[0])

    predicted = getattr(clf, method)(X)

    if method != "predict":
        assert predicted.dtype in (np.float32, np.float64)
    if predicted.dtype.kind == "f":
        assert_allclose(predicted, getattr(exact, method)(X), rtol=1e-4, atol=1e-3)
    else:
        assert_array_equal(predicted, getattr(exact, method)(X))


@SHAPES
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, bool])
def test_training_continues_from_any_dtype(dtype, method, n_classes):
    X, y = make_rows(n_classes)
    clf = edited(n_classes, warm_start=True)
    clf.coef_, clf.intercept_ = (np.rint(a) for a in (clf.coef_, clf.intercept_))
    narrow = copy.deepcopy(clf)
    narrow.coef_, narrow.intercept_ = (
        np.abs(a).astype(dtype) for a in (clf.coef_, clf.intercept_)
    )
    clf.coef_, clf.intercept_ = (
        a.astype(np.float64) for a in (narrow.coef_, narrow.intercept_)
    )

    getattr(clf, method)(X, y)
    getattr(narrow, method)(X, y)

    assert narrow.coef_.dtype in (np.float32, np.float64)
    assert_allclose(narrow.coef_, clf.coef_, rtol=2e-3, atol=2e-3)


def test_a_score_and_surprisals_of_half_precision_are_finite():
    X, y = make_rows(3)
    clf = edited()
    clf.coef_ = clf.coef_.astype(np.float16)

    assert np.isfinite(clf.surprisal(1e3 * X, y)).all()
    assert clf.score(X, y) == edited().score(X, y)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, bool, np.float16])
def test_new_classes_split_a_row_of_any_dtype(dtype):
    clf = edited(2, coef_=np.array([[1, 0, 1, 3]]).astype(dtype))
    row = np.float64(clf.coef_[0])
    X, y = make_rows(2)

    clf.partial_fit(X, y, classes=["maybe", "no", "yes"], sample_weight=np.zeros(90))

    assert_array_equal(clf.coef_, [0 * row, -row / 2, row / 2])


@SHAPES
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float32])
def test_intercepts_of_any_dtype_are_corrected(dtype, n_classes):
    X, y = make_rows(n_classes)
    clf = SoftmaxRegressionClassifier(class_weight={"no": 1.9}).fit(X, y)
    clf.intercept_ = np.zeros(clf.intercept_.shape)
    other = copy.deepcopy(clf)
    other.intercept_ = clf.intercept_.astype(dtype)

    for model in (clf, other):
        model.correct_prior()

    assert_allclose(other.intercept_, clf.intercept_, rtol=1e-6)
    assert np.abs(clf.intercept_).max() > 0.1


def test_a_sparse_coef_of_integers_predicts():
    X, _ = make_rows(3)
    coef = np.arange(12).reshape(3, 4) % 2

    assert_allclose(
        edited(coef_=sp.csr_matrix(coef)).predict_proba(X),
        edited(coef_=coef.astype(float)).predict_proba(X),
    )


# Models set on a new estimator


@SHAPES
@pytest.mark.parametrize("names", [("n_features_in_",), ()])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"average": False},
        {"learning_rate": "constant", "eta0": 1e-3},
        {"learning_rate": "constant", "eta0": 1e-3, "momentum": 0.9},
        {"l1_ratio": 0.5, "alpha": 1e-3},
        {"preconditioner": "diagonal"},
        {"class_weight": "balanced"},
        {"fit_intercept": False},
    ],
)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array, np.float32])
def test_partial_fit_continues_from_a_transplanted_model(
    layout, params, names, n_classes
):
    X, y = make_rows(n_classes)
    source = LogisticRegression(fit_intercept=params.get("fit_intercept", True))
    source.fit(X, y)
    clf = transplanted(source, ("classes_", "coef_", "intercept_", *names), **params)
    assert clf.score(layout(X), y) == source.score(X, y)

    clf.partial_fit(layout(X), y)

    assert (clf.t_, clf.n_iter_, clf.n_features_in_) == (1, 1, 4)
    assert clf._state["counts"]["n_rows"] == 90
    assert_allclose(clf.predict_proba(X), source.predict_proba(X), atol=0.1)
    clf.partial_fit(layout(X), y)
    assert clf.t_ == 2


@SHAPES
@pytest.mark.parametrize(
    "params",
    [{}, {"solver": "svrg"}, {"batch_size": 10}, {"l1_ratio": 0.5, "alpha": 1e-2}],
)
def test_a_warm_fit_starts_from_a_transplanted_model(params, n_classes):
    X, y = make_rows(n_classes)
    params = {"tol": 1e-4, "random_state": 0, **params}
    cold = SoftmaxRegressionClassifier(**params).fit(X, y)
    clf = transplanted(cold).set_params(**params, warm_start=True)
    expected = copy.deepcopy(cold).set_params(warm_start=True).fit(X, y)

    clf.fit(X, y)

    assert clf.n_iter_ == expected.n_iter_
    assert_array_equal(clf.coef_, expected.coef_)
    assert not np.array_equal(clf.coef_, cold.coef_)


@SHAPES
def test_a_transplanted_model_goes_everywhere(n_classes):
    X, y = make_rows(n_classes)
    source = LogisticRegression().fit(X, y)
    clf = transplanted(source)

    for other in (
        clf.to_logistic_regression(),
        pickle.loads(pickle.dumps(clf)),
        copy.deepcopy(clf),
        copy.deepcopy(clf).sparsify(),
        copy.deepcopy(clf).sparsify().densify(),
    ):
        assert_allclose(other.predict_proba(X), source.predict_proba(X), rtol=1e-6)
    with pytest.raises(NotFittedError):
        clone(clf).predict(X)


@pytest.mark.parametrize("has_rows", [False, True])
def test_a_transplanted_model_learns_a_new_class(has_rows):
    X, y = make_rows(2)
    clf = transplanted(LogisticRegression().fit(X, y))
    Z, z = make_rows(3)
    weight = np.full(len(z), float(has_rows))

    clf.partial_fit(Z, z, classes=["maybe", "no", "yes"], sample_weight=weight)

    known = LogisticRegression().fit(X, y).predict_proba(Z)[:, 1] > 0.5
    proba = clf.predict_proba(Z)
    assert proba.shape == (90, 3)
    if not has_rows:
        assert_array_equal(proba[:, 2] > proba[:, 1], known)


def test_a_larger_model_set_on_a_fitted_one_starts_its_counts_again():
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(*make_rows(2))
    source = LogisticRegression().fit(X, y)
    for name in ("classes_", "coef_", "intercept_"):
        setattr(clf, name, getattr(source, name).copy())

    clf.partial_fit(X, y)

    assert clf.t_ == 1
    assert clf._state["counts"]["n_rows"] == 90


def test_a_smaller_model_set_on_a_fitted_one_that_grows_starts_its_counts_again():
    X, y = make_rows(3)[0], np.arange(90) % 4
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(X, y, classes=[0, 1, 2, 3])
    clf.classes_, clf.coef_, clf.intercept_ = (
        attribute[1:] for attribute in (clf.classes_, clf.coef_, clf.intercept_)
    )

    clf.partial_fit(X, y + 1, classes=[1, 2, 3, 4])

    assert clf.t_ == 1
    assert_array_equal(clf._state["counts"]["class_count"], np.bincount(y))


def test_two_classes_that_change_places_change_the_sign_of_their_row():
    X, y = make_rows(2)[0], np.arange(90) % 2
    clf = SoftmaxRegressionClassifier().fit(X, y)
    accuracy = clf.score(X, y)
    clf.classes_ = np.array(["spam", "ham"])
    labels = clf.classes_[y]
    with pytest.raises(ValueError, match="multiply it by -1"):
        clf.score(X, labels)

    clf.classes_ = np.unique(["spam", "ham"])
    clf.coef_, clf.intercept_ = -clf.coef_, -clf.intercept_

    assert clf.score(X, labels) == accuracy


def test_a_call_without_weight_makes_a_model_to_set_coefficients_on():
    X, y = make_rows(3)
    source = LogisticRegression().fit(X, y)
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(X, y, classes=source.classes_, sample_weight=np.zeros(90))
    assert_array_equal(clf.coef_, np.zeros((3, 4)))
    clf.coef_, clf.intercept_ = source.coef_, source.intercept_
    expected = transplanted(source).partial_fit(X, y)

    clf.partial_fit(X, y)

    assert_allclose(clf.coef_, expected.coef_, rtol=1e-6)


# Attributes that do not agree

WRONG = {
    "coef_ of one row": ("coef_", lambda clf: clf.coef_[:1]),
    "a column more": ("coef_", lambda clf: np.pad(clf.coef_, [(0, 0), (0, 1)])),
    "a column less": ("coef_", lambda clf: clf.coef_[:, :-1]),
    "transposed": ("coef_", lambda clf: clf.coef_.T),
    "flat": ("coef_", lambda clf: clf.coef_[0]),
    "three dimensions": ("coef_", lambda clf: clf.coef_[None]),
    "a number": ("coef_", lambda clf: np.array(1.0)),
    "a list": ("coef_", lambda clf: clf.coef_.tolist()),
    "None": ("coef_", lambda clf: None),
    "complex": ("coef_", lambda clf: clf.coef_ + 0j),
    "text": ("coef_", lambda clf: clf.coef_.astype(str)),
    "objects": ("coef_", lambda clf: clf.coef_.astype(object)),
    "a matrix": ("coef_", lambda clf: clf.coef_.view(np.matrix)),
    "sparse of one row": ("coef_", lambda clf: sp.csr_matrix(clf.coef_[:1])),
    "one intercept": ("intercept_", lambda clf: clf.intercept_[:1]),
    "an intercept more": ("intercept_", lambda clf: np.zeros(4)),
    "a column of intercepts": ("intercept_", lambda clf: clf.intercept_[:, None]),
    "no array of intercepts": ("intercept_", lambda clf: 0.0),
    "no class": ("classes_", lambda clf: clf.classes_[:0]),
    "one class": ("classes_", lambda clf: clf.classes_[:1]),
    "a list of classes": ("classes_", lambda clf: clf.classes_.tolist()),
    "a column of classes": ("classes_", lambda clf: clf.classes_[:, None]),
    "NaN": ("coef_", lambda clf: np.full((3, 4), np.nan)),
    "infinite": ("coef_", lambda clf: np.full((3, 4), np.inf)),
    "sparse NaN": ("coef_", lambda clf: sp.csr_matrix(np.full((3, 4), np.nan))),
    "NaN intercept": ("intercept_", lambda clf: np.full(3, np.nan)),
}
METHODS = {
    "predict": lambda clf, X, y: clf.predict(X),
    "sparse X": lambda clf, X, y: clf.predict_proba(sp.csr_array(X)),
    "surprisal": lambda clf, X, y: clf.surprisal(X, y),
    "score": lambda clf, X, y: clf.score(X, y),
    "partial_fit": lambda clf, X, y: clf.partial_fit(X, y),
    "sparse partial_fit": lambda clf, X, y: clf.partial_fit(sp.csr_array(X), y),
    "new classes": lambda clf, X, y: clf.partial_fit(X, y, classes=[*"abcd", *set(y)]),
    "warm fit": lambda clf, X, y: clf.set_params(warm_start=True).fit(X, y),
    "export": lambda clf, X, y: clf.to_logistic_regression(),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WRONG)
def test_attributes_that_do_not_agree_are_named(name, method):
    X, y = make_rows(3)
    clf = edited()
    attribute, edit = WRONG[name]
    setattr(clf, attribute, edit(clf))
    if method == "export" and ("NaN" in name or name == "infinite"):
        return  # LogisticRegression may hold them
    before = pickle.dumps(vars(clf))

    with pytest.raises(ValueError, match=attribute) as error:
        METHODS[method](clf, X, y)

    assert "X passed" not in str(error.value)
    assert pickle.dumps({**vars(clf), "warm_start": False}) == before


def test_classes_of_another_number_are_an_error_that_gives_shapes():
    clf = edited()
    clf.classes_ = clf.classes_[:2]

    with pytest.raises(ValueError, match=r"coef_ must .*\(1, 4\).*\(3, 4\)"):
        clf.predict(make_rows(3)[0])


@pytest.mark.parametrize("missing", ["classes_", "coef_", "intercept_"])
@pytest.mark.parametrize("method", ["predict", "to_logistic_regression", "sparsify"])
def test_a_missing_attribute_is_named(missing, method):
    X, y = make_rows(3)
    names = {"classes_", "coef_", "intercept_"} - {missing}
    clf = transplanted(LogisticRegression().fit(X, y), names)

    with pytest.raises(ValueError, match=f"got no {missing}"):
        getattr(clf, method)(*([X] if method == "predict" else []))


@pytest.mark.parametrize("method", ["predict", "partial_fit"])
def test_features_of_a_transplanted_model_are_checked(method):
    X, y = make_rows(3)
    clf = transplanted(LogisticRegression().fit(X, y))
    args = (X[:, :3], y) if method == "partial_fit" else (X[:, :3],)

    with pytest.raises(ValueError, match=r"\(3, 3\).*\(3, 4\)"):
        getattr(clf, method)(*args)


@pytest.mark.parametrize("method", ["partial_fit", "new classes", "warm fit", "score"])
@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize(
    "classes",
    [
        ["yes", "no", "maybe"],
        np.array(["yes", "no", "maybe"], object),
        [2, 0, 1],
        np.array([0, 1, 2], object),
        [0.0, 2.0, 1.0],
    ],
)
def test_classes_that_are_not_sorted_are_named(classes, is_fitted, method):
    X, _ = make_rows(3)
    clf, classes = edited(), np.asarray(classes)
    y = np.array(classes.tolist())[np.arange(len(X)) % 3]
    if not is_fitted:
        clf = transplanted(clf)
    clf.classes_ = classes
    if method == "new classes":
        new = [*classes.tolist(), max(classes) * 2]

        def call():
            clf.partial_fit(X, y, classes=new)

    else:

        def call():
            METHODS[method](clf, X, y)

    with pytest.raises(ValueError, match="classes_ must be sorted"):
        call()
    assert_array_equal(clf.predict(X), classes[clf.predict_proba(X).argmax(axis=1)])


@pytest.mark.parametrize("method", ["partial_fit", "warm fit"])
def test_duplicates_among_classes_are_named(method):
    X, y = make_rows(3)
    clf = transplanted(edited())
    clf.classes_ = np.array(["maybe", "no", "no"])

    with pytest.raises(ValueError, match="without duplicates"):
        METHODS[method](clf, X, np.where(y == "yes", "no", y))


@pytest.mark.parametrize("kind", ["masked", "a data frame", "a series"])
def test_weights_that_are_no_plain_arrays_are_named(kind):
    pandas = pytest.importorskip("pandas")
    clf = edited()
    if kind == "masked":
        clf.coef_ = np.ma.array(clf.coef_)
    elif kind == "a data frame":
        clf.coef_ = pandas.DataFrame(clf.coef_)
    else:
        clf.intercept_ = pandas.Series(clf.intercept_)

    with pytest.raises(ValueError, match="must be an array of real numbers"):
        clf.predict(make_rows(3)[0])


@pytest.mark.parametrize("dtype", [np.longdouble, ">f8", ">f4", np.float16])
def test_other_floats_are_trained_and_sparsified(dtype):
    X, y = make_rows(3)
    clf = edited()
    clf.coef_ = clf.coef_.astype(dtype)
    expected = clf.predict_proba(X)

    assert_allclose(copy.copy(clf).sparsify().predict_proba(X), expected, rtol=1e-5)
    assert clf.partial_fit(X, y).coef_.dtype.isnative
    assert np.isfinite(clf.coef_).all()


def test_duplicates_in_a_sparse_coef_are_added_up_before_the_threshold():
    clf = edited()
    halves = np.full(6, 0.3), np.zeros(6, int), np.arange(0, 7, 2)
    clf.coef_ = sp.csr_array(halves, shape=(3, 4))

    assert_allclose(clf.sparsify(0.5).coef_.toarray()[:, 0], 0.6)


@pytest.mark.parametrize("method", ["partial_fit", "new classes"])
def test_without_t_the_counts_start_again(method):
    X, y = make_rows(3)
    clf, expected = edited(), transplanted(edited())
    del clf.t_

    METHODS[method](clf, X, y)

    METHODS[method](expected, X, y)
    assert clf.t_ == expected.t_
    assert_allclose(clf.coef_, expected.coef_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("edit", ["deleted", "of three classes"])
def test_an_incomplete_model_can_be_copied_and_fitted(edit, digits):
    X, y = digits
    clf = SoftmaxRegressionClassifier(phm_order=2, max_iter=1, random_state=0)
    clf.fit(X, y)
    if edit == "deleted":
        del clf.coef_
    else:  # the factors are then of another model
        clf.coef_ = clf.coef_[:3]
    clf = pickle.loads(pickle.dumps(clf))

    clf.fit(X, y)

    assert clf.coef_.shape == (10, 64)


# Threads


@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm fit"])
def test_a_model_keeps_its_attributes_while_it_is_trained(method, monkeypatch):
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    before, proba = vars(clf), clf.predict_proba(X)
    copied = before.copy()
    name = "run_pass" if method == "partial_fit" else "train"
    function, seen = getattr(_classifier, name), []

    def look(*args, **kwargs):
        seen.append((vars(clf) is before, before == copied))
        assert_array_equal(clf.predict_proba(X), proba)
        return function(*args, **kwargs)

    monkeypatch.setattr(_classifier, name, look)
    clf.warm_start = copied["warm_start"] = method == "warm fit"
    args = (X[:, ::-1], y)
    if method == "partial_fit":
        args = (X, y, ["maybe", "new", "no", "yes"])

    getattr(clf, method.split()[-1])(*args)

    assert seen == [(True, True)]
    assert vars(clf) is not before
    assert not np.array_equal(clf.predict_proba(X)[:, 0], proba[:, 0])


@pytest.mark.parametrize("method", [*PREDICTIONS, "surprisal", "score"])
def test_predictions_are_of_one_model(method, monkeypatch):
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    args = (X, y) if method in ("surprisal", "score") else (X,)
    expected = getattr(clf, method)(*args)
    name = "validate_rows" if method == "surprisal" else "validate_features"
    function = getattr(sksoftmax._prediction, name)

    def refit_and_validate(*args, **kwargs):
        clf.fit(*make_rows(2, n_features=3, seed=1))
        return function(*args, **kwargs)

    monkeypatch.setattr(sksoftmax._prediction, name, refit_and_validate)

    assert_array_equal(getattr(clf, method)(*args), expected)
    assert len(clf.classes_) == 2


@pytest.mark.parametrize("first", ["new class", "fewer classes"])
def test_two_trainings_beside_each_other_leave_one_model(first, monkeypatch):
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    expected = copy.deepcopy(clf).partial_fit(X, y)
    run_pass = _classifier.run_pass

    def overtake(*args, **kwargs):
        monkeypatch.setattr(_classifier, "run_pass", run_pass)
        if first == "new class":
            clf.partial_fit(X, y, classes=["maybe", "new", "no", "yes"])
        else:
            clf.fit(*make_rows(2))
        return run_pass(*args, **kwargs)

    monkeypatch.setattr(_classifier, "run_pass", overtake)

    clf.partial_fit(X, y)

    assert_array_equal(clf.classes_, expected.classes_)
    # Both trainings draw from one generator, so the order of the rows differs.
    assert_allclose(clf.predict_proba(X), expected.predict_proba(X), rtol=1e-3)
    clf.partial_fit(X, y)


def test_attributes_set_during_a_fit_stay(monkeypatch):
    X, y = make_rows(3)
    clf = SoftmaxRegressionClassifier(random_state=0)
    function = _classifier.train

    def edit(*args, **kwargs):
        clf.note, clf.alpha = "set meanwhile", 0.5
        return function(*args, **kwargs)

    monkeypatch.setattr(_classifier, "train", edit)

    clf.fit(X, y)

    assert (clf.note, clf.alpha) == ("set meanwhile", 0.5)


@pytest.mark.slow
def test_predictions_beside_fits_in_a_thread_are_of_one_fit():
    X, y = make_rows(3)
    sets = [(X, y), (X[::-1].copy(), np.char.add(y, " too"))]
    expected = []
    for data in sets:
        fitted = SoftmaxRegressionClassifier(random_state=0).fit(*data)
        expected.append(fitted.predict(X).tolist())
    clf, done = SoftmaxRegressionClassifier(random_state=0).fit(*sets[0]), False

    def train():
        for k in range(60):
            clf.fit(*sets[k % 2])

    thread, interval = threading.Thread(target=train), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        while not done:
            done = not thread.is_alive()
            assert clf.predict(X).tolist() in expected
    finally:
        sys.setswitchinterval(interval)
        thread.join()
