"""Models that leave the process: other estimators, files, notebooks."""

import html.parser
import inspect
import pickle
import re
import warnings
from urllib.parse import unquote

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression

import sksoftmax
from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

TABLES_OF_ATTRIBUTES = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="scikit-learn shows attributes and links in notebooks from 1.9 on",
)


@pytest.fixture
def fitted(digits):
    """Return a function that fits digits of some classes and returns its data too."""

    def fitted(n_classes, dtype=np.float64, **params):
        X, y = digits
        X, y = X[y < n_classes].astype(dtype), y[y < n_classes]
        return SoftmaxRegressionClassifier(**params).fit(X, y), X

    return fitted


# LogisticRegression


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_logistic_regression_predicts_the_same(
    fitted, n_classes, dtype, fit_intercept, sparse
):
    clf, X = fitted(n_classes, dtype, fit_intercept=fit_intercept)
    if sparse:
        clf.sparsify()

    model = clf.to_logistic_regression()

    assert type(model) is LogisticRegression
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    assert_array_equal(model.predict(X), clf.predict(X))
    assert_allclose(model.predict_proba(X), clf.predict_proba(X), atol=tolerance)
    theirs, ours = model.decision_function(X), clf.decision_function(X)
    assert_allclose(theirs, ours, atol=tolerance * np.abs(ours).max())


def test_logistic_regression_is_a_copy(fitted):
    clf, X = fitted(3)
    before = clf.predict_proba(X)

    model = clf.to_logistic_regression()

    model.coef_ *= 2
    model.intercept_ += 1
    assert_array_equal(clf.predict_proba(X), before)


def test_logistic_regression_is_a_whole_estimator(datasets):
    pandas = pytest.importorskip("pandas")
    X, y = datasets["iris"]
    X, names = pandas.DataFrame(X, columns=list("abcd")), np.array(["x", "y", "z"])
    clf = SoftmaxRegressionClassifier().fit(X, names[y])

    model = pickle.loads(pickle.dumps(clf.to_logistic_regression()))

    assert_array_equal(model.predict(X), clf.predict(X))
    assert_array_equal(model.feature_names_in_, list("abcd"))
    assert model.n_features_in_ == 4
    assert_array_equal(model.n_iter_, [clf.n_iter_])
    assert clone(model).set_params(max_iter=1000).fit(X, y).score(X, y) > 0.9


def test_more_epochs_than_an_int32_holds(datasets):
    clf = SoftmaxRegressionClassifier().fit(*datasets["iris"])
    clf.n_iter_ = 2**40

    assert clf.to_logistic_regression().n_iter_ == 2**31 - 1


def test_logistic_regression_of_nothing():
    with pytest.raises(NotFittedError):
        SoftmaxRegressionClassifier().to_logistic_regression()


# Files


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"batch_size": 64}, {"solver": "svrg"}])
def test_skops_has_to_trust_one_name_of_ours(fitted, tmp_path, params):
    skops_io = pytest.importorskip("skops.io", reason="needs skops")
    clf, X = fitted(10, random_state=0, **params)
    clf.partial_fit(X[:50], clf.predict(X[:50]))
    path = tmp_path / "model.skops"

    skops_io.dump(clf, path)

    untrusted = skops_io.get_untrusted_types(file=path)
    assert untrusted == ["sksoftmax._classifier.SoftmaxRegressionClassifier"]
    loaded = skops_io.load(path, trusted=untrusted)
    assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    for model in (clf, loaded):
        model.partial_fit(X[:50], np.arange(50) % 10)
    assert_array_equal(loaded.coef_, clf.coef_)


def test_skops_stores_a_chosen_penalty(datasets, tmp_path):
    skops_io = pytest.importorskip("skops.io", reason="needs skops")
    X, y = datasets["iris"]
    clf = SoftmaxRegressionClassifierCV(cv=3, random_state=0).fit(X, y)
    path = tmp_path / "model.skops"

    skops_io.dump(clf, path)

    untrusted = skops_io.get_untrusted_types(file=path)
    assert untrusted == ["sksoftmax._classifier_cv.SoftmaxRegressionClassifierCV"]
    loaded = skops_io.load(path, trusted=untrusted)
    assert_array_equal(loaded.scores_, clf.scores_)
    for model in (clf, loaded):
        model.partial_fit(X, y)
    assert_array_equal(loaded.coef_, clf.coef_)


def test_another_version_warns(fitted, monkeypatch):
    clf, X = fitted(3)
    with monkeypatch.context() as patch:
        patch.setattr(sksoftmax, "__version__", "0.0.7")
        saved = pickle.dumps(clf)

    with pytest.warns(
        InconsistentVersionWarning,
        match=r"sksoftmax.SoftmaxRegressionClassifier from version 0\.0\.7",
    ):
        loaded = pickle.loads(saved)

    assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(loaded))  # saved by this version now
    assert vars(again).keys() == vars(clf).keys()


def test_a_parameter_that_the_writer_did_not_know_has_its_default(fitted):
    clf, X = fitted(3)
    state = clf.__getstate__()
    del state["phm_order"]
    loaded = sksoftmax.SoftmaxRegressionClassifier.__new__(type(clf))

    loaded.__setstate__(state)

    assert loaded.phm_order is None
    assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


# Notebooks


class Links(html.parser.HTMLParser):
    """Collect the links of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "a" and dict(attrs).get("href"):
            self.found.append(dict(attrs)["href"])

    def handle_data(self, data):
        self.text += data


PAGE = (
    "https://sksoftmax.readthedocs.io/en/stable/generated/"
    "sksoftmax.SoftmaxRegressionClassifier.html"
)


def test_the_title_links_to_our_documentation(fitted):
    clf, _ = fitted(3)

    assert PAGE in Links(clf._repr_html_()).found


@TABLES_OF_ATTRIBUTES
def test_each_parameter_and_attribute_links_to_its_line(fitted):
    clf, _ = fitted(3, batch_size=64, early_stopping=True, random_state=0)
    doc = inspect.getdoc(SoftmaxRegressionClassifier)

    page = Links(clf._repr_html_())

    linked = dict(
        re.fullmatch(r"(\w+),-(.*)", unquote(link.split("#:~:text=")[1])).groups()
        for link in page.found
        if "#:~:text=" in link
    )
    fitted_names = [name for name in vars(clf) if re.fullmatch(r"[a-z].*_", name)]
    assert set(linked) == {*clf.get_params(), *fitted_names}
    for name, kind in linked.items():
        assert re.search(f"^{name} : {re.escape(kind)}$", doc, re.MULTILINE), name
