"""Bad input: what is said, and that nothing is changed by it."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from sksoftmax import SoftmaxRegressionClassifier

rng = np.random.RandomState(0)
X = rng.standard_normal((60, 5)) * (rng.uniform(size=(60, 5)) < 0.5)
Y = np.arange(60) % 3
CLASSES = np.arange(3)


def with_value(value):
    """Return X with one other value, which is stored in the sparse form too."""
    changed = X.copy()
    changed[7, 2] = value
    return changed


def ones_but(value):
    weight = np.ones(60)
    weight[7] = value
    return weight


# name: (changes to fit's arguments, changes to the parameters, message)
BOTH = {
    "NaN": ({"X": with_value(np.nan)}, {}, "contains NaN"),
    "infinity": ({"X": with_value(np.inf)}, {}, "contains infinity"),
    "NaN weight": ({"sample_weight": ones_but(np.nan)}, {}, "sample_weight.*NaN"),
    "infinite weight": ({"sample_weight": ones_but(np.inf)}, {}, "sample_weight.*inf"),
    "negative weight": (
        {"sample_weight": ones_but(-1.0)},
        {},
        "Negative values in data passed to `?sample_weight",
    ),
    "short weight": (
        {"sample_weight": np.ones(59)},
        {},
        r"sample_weight.shape == \(59,\), expected \(60,\)",
    ),
    "short y": ({"y": Y[:59]}, {}, r"inconsistent numbers of samples: \[60, 59\]"),
    "complex": ({"X": X.astype(complex)}, {}, "Complex data not supported"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, {}, "0 sample"),
    "no features": ({"X": X[:, :0]}, {}, r"0 feature\(s\)"),
    "one row alone": ({"X": X[0]}, {}, "Expected 2D array, got 1D array"),
    "measurements for labels": (
        {"y": rng.standard_normal(60)},
        {},
        "Unknown label type: continuous",
    ),
    "unknown class in class_weight": (
        {},
        {"class_weight": {5: 2.0}},
        r"class_weight names \[5\], which are not among the classes \[0, 1, 2\]",
    ),
    "bad parameter": ({}, {"alpha": -1}, "'alpha' parameter"),
    "huge values": ({"X": 1e200 * X}, {}, "values too large to train on in float64"),
}
DENSE = {
    "images": (
        {"X": X.reshape(60, 5, 1)},
        {},
        r"shape \(60, 5, 1\).*Flatten images with X.reshape\(n_samples, -1\)",
    ),
    "text": (
        {"X": np.array([["red"] * 5] * 60)},
        {},
        "X must hold numbers.*TfidfVectorizer.*OneHotEncoder",
    ),
    "text among objects": (
        {"X": [*X[:-1].tolist(), [1, "a", 2, 3, 4]]},
        {},
        "X must hold numbers",
    ),
    "text in a table": (
        {"X": "table"},
        {},
        "X must hold numbers, but could not convert string to float: 'red'",
    ),
}
IN_FIT = {
    "weights all zero": (
        {"sample_weight": np.zeros(60)},
        {},
        "All rows have the weight zero",
    ),
    "one class": (
        {"y": np.zeros(60)},
        {},
        "at least two classes are wanted.*one class",
    ),
    "one class with weight": (
        {"sample_weight": (Y == 1).astype(float)},
        {},
        "positive weight are of one class, ",
    ),
}
IN_PARTIAL_FIT = {
    "unseen class": (
        {"y": Y + 1},
        {},
        r"labels \[3\], which are not among the classes",
    ),
    "other classes": (
        {"classes": [0, 1, 5]},
        {},
        r"knows the classes \[0 1 2\], but \[0 1 5\].*Classes can be added",
    ),
    "more classes and a label beyond them": (
        {"classes": np.arange(4), "y": Y + 2},
        {},
        r"labels \[4\], which are not among the classes",
    ),
    "more classes and NaN": (
        {"classes": np.arange(4), "X": with_value(np.nan)},
        {},
        "contains NaN",
    ),
    "other n_features": ({"X": X[:, :4]}, {}, "X has 4 features, but .* expecting 5"),
}
METHODS = {"fit": {**BOTH, **IN_FIT}, "partial_fit": {**BOTH, **IN_PARTIAL_FIT}}
CASES = [
    pytest.param(method, layout, fitted, *case, id=f"{method}-{layout}-{fitted}-{name}")
    for method, cases in METHODS.items()
    for layout in ("dense", "csr")
    for fitted in ("fitted", "new")
    for name, case in {**cases, **(DENSE if layout == "dense" else {})}.items()
    if not (layout == "csr" and name == "one row alone")
    # A first call has nothing to differ from.
    if not (fitted == "new" and name in ("other classes", "other n_features"))
]


def call(clf, method, layout, X=X, y=Y, **arguments):
    if isinstance(X, str):
        pandas = pytest.importorskip("pandas")
        X = pandas.DataFrame({"size": np.ones(60), "color": ["red"] * 60})
    if layout == "csr":
        X = sp.csr_array(X)
    return getattr(clf, method)(X, y, **arguments)


def frozen(clf):
    """Return everything on the estimator as bytes."""
    return {name: pickle.dumps(value) for name, value in vars(clf).items()}


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize(
    ("method", "layout", "fitted", "arguments", "params", "message"), CASES
)
def test_bad_input_is_named_and_changes_nothing(
    method, layout, fitted, arguments, params, message
):
    clf = SoftmaxRegressionClassifier(batch_size=16, random_state=0)
    if fitted == "fitted":
        call(clf, "partial_fit", layout, classes=CLASSES)
    elif method == "partial_fit":
        arguments = {"classes": CLASSES, **arguments}
    good = clf.get_params()
    clf.set_params(**params)
    before, twin = frozen(clf), copy.deepcopy(clf)

    with pytest.raises(ValueError, match=message):
        call(clf, method, layout, **arguments)

    assert frozen(clf) == before
    for model in (clf, twin):
        model.set_params(**good)
        call(model, "partial_fit", layout, classes=CLASSES)
    np.testing.assert_array_equal(clf.coef_, twin.coef_)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_classes_are_wanted_in_the_first_call(layout):
    clf = SoftmaxRegressionClassifier()

    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        call(clf, "partial_fit", layout)
    assert vars(clf) == vars(SoftmaxRegressionClassifier())


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize(
    ("method", "batch_size"), [("fit", "auto"), ("fit", 16), ("partial_fit", 16)]
)
def test_a_class_without_weight_stays_a_class(layout, method, batch_size):
    clf = SoftmaxRegressionClassifier(batch_size=batch_size, random_state=0)
    arguments = {"sample_weight": (Y != 1).astype(float)}
    if method == "partial_fit":
        arguments["classes"] = CLASSES

    for _ in range(20 if method == "partial_fit" else 1):
        call(clf, method, layout, **arguments)

    np.testing.assert_array_equal(clf.classes_, CLASSES)
    proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    assert proba[:, 1].max() < 0.2
    assert not (clf.predict(X) == 1).any()


def test_images_are_refused_in_predict_too():
    clf = SoftmaxRegressionClassifier().fit(X, Y)

    with pytest.raises(ValueError, match=r"shape \(60, 5, 1\).*Flatten images"):
        clf.predict(X.reshape(60, 5, 1))


def test_objects_that_are_numbers_are_fine():
    numbers = SoftmaxRegressionClassifier().fit(X, Y)

    objects = SoftmaxRegressionClassifier().fit(X.astype(object), Y)

    np.testing.assert_array_equal(objects.coef_, numbers.coef_)
