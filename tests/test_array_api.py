"""Arrays of other libraries, on their devices: the same models as with NumPy.

array_api_strict has nothing beyond the standard and refuses to mix devices; PyTorch is
run where it is installed.
"""

import copy
import math
import pickle
from importlib.util import find_spec

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
from sksoftmax import _arrays as arrays
from sksoftmax._arrays.standard_arrays import StandardArrays
from sksoftmax._compat import array_namespace
from sksoftmax._data import make_data
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import ColumnScaling
from sksoftmax._penalty import ElasticNet
from sksoftmax._preconditioner import Diagonal, Gram
from sksoftmax._problem import Problem
from sksoftmax._solvers.sgd import SGD
from sksoftmax._solvers.state import State
from sksoftmax._solvers.steps import PreconditionedStep

pytestmark = [
    pytest.mark.skipif(
        array_namespace is None, reason="needs scikit-learn 1.9 or newer"
    ),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

NO_TORCH = pytest.mark.skipif(
    find_spec("torch") is None, reason="PyTorch is not installed"
)


class Library:
    """Makes arrays of one library on one device."""

    def __init__(self, name, device=None):
        self.name, self.device = name, device

    def __call__(self, array, dtype=None):
        if self.name == "torch":
            import torch

            return torch.asarray(np.array(array), dtype=dtype, device=self.device)
        xp = pytest.importorskip("array_api_strict")
        device = None if self.device is None else xp.Device(self.device)
        return xp.asarray(np.asarray(array), dtype=dtype, device=device)


STRICT = Library("array_api_strict")
LIBRARIES = [
    pytest.param(Library("array_api_strict", "device1"), id="strict"),
    pytest.param(Library("torch"), id="torch", marks=NO_TORCH),
]
if find_spec("torch") is not None:
    import torch

    if torch.cuda.is_available():
        LIBRARIES.append(pytest.param(Library("torch", "cuda"), id="cuda"))
on_each_library = pytest.mark.parametrize("to", LIBRARIES)


def to_numpy(array):
    """Return any array in NumPy."""
    return arrays.namespace(array).to_numpy(array)


@pytest.fixture(autouse=True)
def dispatch():
    with config_context(array_api_dispatch=True):
        yield


@pytest.fixture(autouse=True)
def narrow_batches(monkeypatch):
    """Use the batches of a CPU on all devices, to compare with NumPy's."""
    monkeypatch.setattr("sksoftmax._arrays.standard_arrays.is_cpu", lambda device: True)
    monkeypatch.setattr(arrays, "_KNOWN", {})


def blobs(n_classes, n=400, d=8, seed=0):
    """Return rows of overlapping classes, their labels and weights."""
    rng = np.random.RandomState(seed)
    centers = rng.standard_normal((n_classes, d))
    y = rng.randint(0, n_classes, n)
    X = centers[y] + 1.5 * rng.standard_normal((n, d))
    X[:, 0] += 20  # centered by the solver
    X[:, 1] *= 10
    return X, y, rng.exponential(size=n)


MINI = {"batch_size": 50, "max_iter": 6, "tol": None}
SETTINGS = {
    "defaults": {},
    "diagonal": {"preconditioner": "diagonal"},
    "minibatches": MINI,
    "minibatches, diagonal": {**MINI, "preconditioner": "diagonal"},
    "last iterate": {**MINI, "average": False},
    "no intercept": {**MINI, "fit_intercept": False},
    "textbook": {**MINI, "learning_rate": "constant", "eta0": 1e-3},
    "momentum": {**MINI, "learning_rate": "invscaling", "eta0": 1e-3, "momentum": 0.9},
    "svrg": {"solver": "svrg", "tol": 1e-6},
    "svrg, minibatches": {"solver": "svrg", "batch_size": 50, "tol": 1e-5},
    "l1": {"l1_ratio": 0.5, "alpha": 1e-2, "tol": 1e-6},
    "l1, minibatches": {**MINI, "l1_ratio": 0.5, "alpha": 1e-2},
    "l1, svrg": {"solver": "svrg", "l1_ratio": 0.5, "alpha": 1e-2, "batch_size": 50},
    "smoothed": {**MINI, "label_smoothing": 0.1},
    "early stopping": {**MINI, "early_stopping": True, "tol": 1e-2},
    "balanced": {"class_weight": "balanced"},
}


def assert_same_model(clf, expected, X, X_numpy, y, rtol):
    """Compare fitted attributes and all that is predicted."""
    assert_allclose(to_numpy(clf.coef_), expected.coef_, rtol=rtol, atol=rtol)
    assert_allclose(to_numpy(clf.intercept_), expected.intercept_, rtol=rtol, atol=rtol)
    assert clf.t_ == expected.t_
    methods = "decision_function", "predict_proba", "predict_log_proba"
    for name in (*methods, "predictive_entropy"):
        ours, theirs = getattr(clf, name)(X), getattr(expected, name)(X_numpy)
        assert_allclose(to_numpy(ours), theirs, rtol=10 * rtol, atol=10 * rtol)
        assert type(ours) is type(X)
        assert ours.device == X.device
    surprisal = clf.surprisal(X, y)
    assert_allclose(
        to_numpy(surprisal), expected.surprisal(X_numpy, y), rtol=10 * rtol, atol=rtol
    )
    agreement = np.mean(to_numpy(clf.predict(X)) == expected.predict(X_numpy))
    assert agreement > 0.99


@on_each_library
@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("name", SETTINGS)
def test_fit_gives_numpys_model(to, name, n_classes):
    X, y, weight = blobs(n_classes)
    params = {"random_state": 0, **SETTINGS[name]}
    expected = SoftmaxRegressionClassifier(**params).fit(X, y, weight)

    clf = SoftmaxRegressionClassifier(**params).fit(to(X), to(y), to(weight))

    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)
    assert_allclose(clf.loss_curve_, expected.loss_curve_, rtol=1e-5)
    assert clf.coef_.device == to(X).device
    assert clf.score(to(X), to(y)) == pytest.approx(expected.score(X, y), abs=1e-2)


PATHS = {
    "defaults": {},
    "accuracy": {"scoring": "accuracy"},
    "named scorer": {"scoring": "f1_macro"},
    "another": {"scoring": "balanced_accuracy"},
    "a third": {"scoring": "jaccard_macro"},
    "scorer": {"scoring": lambda model, X, y: model.score(X, y)},
    "exact": {"tol": 1e-6},
    "balanced, 1se": {"class_weight": "balanced", "selection": "1se"},
    "elastic net": {"l1_ratio": 0.5},
    "selection": {"selection": lambda results: results["mean_test_score"].argmax()},
}


@pytest.mark.slow
@on_each_library
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize(
    ("name", "n_classes"), [*((name, 4) for name in PATHS), ("accuracy", 2)]
)
def test_a_path_gives_numpys_model(to, name, n_classes):
    X, y, weight = blobs(n_classes, n=200)
    weight = None if name == "scorer" else weight
    to_weight = None if weight is None else to(weight)
    params = {"alphas": [1e-1, 1e-3], "random_state": 0, **PATHS[name]}
    expected = SoftmaxRegressionClassifierCV(**params).fit(X, y, weight)

    clf = SoftmaxRegressionClassifierCV(**params).fit(to(X), to(y), to_weight)

    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)
    assert clf.alpha_ == expected.alpha_
    for attribute in ("alphas_", "scores_", "standard_error_", "coef_path_"):
        ours = getattr(clf, attribute)
        assert type(ours) is type(clf.coef_)
        assert ours.device == to(X).device
        assert_allclose(to_numpy(ours), getattr(expected, attribute), 1e-4, 1e-12)
    clf.partial_fit(to(X), to(y))
    expected.partial_fit(X, y)
    assert_allclose(to_numpy(clf.coef_), expected.coef_, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@on_each_library
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("name", ["named scorer", "scorer"])
def test_scores_of_a_path_of_probabilities(to, name):
    X, y, _ = blobs(4, n=200)
    table = 0.7 * np.eye(4)[y] + 0.075
    params = {"alphas": [1e-1, 1e-3], **PATHS[name]}
    expected = SoftmaxRegressionClassifierCV(**params).fit(X, table)

    clf = SoftmaxRegressionClassifierCV(**params).fit(to(X), to(table))

    assert_allclose(to_numpy(clf.scores_), expected.scores_, rtol=1e-4)


@on_each_library
@pytest.mark.filterwarnings("ignore:The best score is at")
def test_a_path_beside_rows_of_another_scale_gives_numpys_model(to):
    X, y, _ = blobs(3, n=300)
    X[y == 2] = 1e3 * (1 + 0.1 * np.random.RandomState(1).uniform(size=X[y == 2].shape))
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-1, 1e-2, 1e-3])
    expected = clone(clf).fit(X, y)

    clf.fit(to(X), to(y))

    assert_allclose(to_numpy(clf.scores_), expected.scores_, rtol=1e-3)


@on_each_library
@pytest.mark.parametrize("dtypes", [(float, float), (int, float), (float, "f4")])
@pytest.mark.parametrize("soft", [(0, 0), (0, 1), (1, 0)])
def test_validation_rows_of_a_path(to, dtypes, soft):
    X, y, _ = blobs(4, n=200)
    train, test = slice(0, 140), slice(140, 200)
    targets = [
        np.eye(4)[y[k]] if s else y[k] for k, s in zip((train, test), soft, strict=True)
    ]
    parts = [X[k].astype(dtype) for k, dtype in zip((train, test), dtypes, strict=True)]
    clf = SoftmaxRegressionClassifierCV(alphas=[1.0, 1e-1, 1e-6])
    rows = clf, parts[0], targets[0], parts[1], targets[1]

    def fit(clf, X, y, X_val, y_val):
        return clone(clf).fit(X, y, X_val=X_val, y_val=y_val)

    expected, model = fit(*rows), fit(clf, *map(to, rows[1:]))

    assert_allclose(to_numpy(model.scores_), expected.scores_, rtol=1e-3)
    assert_allclose(to_numpy(model.coef_), expected.coef_, rtol=1e-2, atol=1e-3)
    with pytest.raises(ValueError, match="X_val must use the namespace of X"):
        fit(clf, to(parts[0]), targets[0], parts[1], targets[1])


@on_each_library
@pytest.mark.parametrize("name", ["defaults", "minibatches", "minibatches, diagonal"])
def test_float32_is_kept(to, name):
    X, y, _ = blobs(4)
    X = X.astype(np.float32)
    params = {"random_state": 0, "alpha": 1e-2, **SETTINGS[name]}
    expected = SoftmaxRegressionClassifier(**params).fit(X, y)

    clf = SoftmaxRegressionClassifier(**params).fit(to(X), to(y))

    assert clf.coef_.dtype == clf.intercept_.dtype == to(X).dtype
    assert clf.predict_proba(to(X)).dtype == to(X).dtype
    assert_allclose(to_numpy(clf.coef_), expected.coef_, rtol=1e-3, atol=1e-3)
    proba = expected.predict_proba(X)
    assert_allclose(to_numpy(clf.predict_proba(to(X))), proba, rtol=1e-3, atol=1e-3)


@on_each_library
@pytest.mark.parametrize("preconditioner", ["gram", "diagonal"])
@pytest.mark.parametrize("average", [True, False])
def test_streaming_gives_numpys_model(to, preconditioner, average):
    X, y, weight = blobs(4)
    params = {"preconditioner": preconditioner, "average": average, "random_state": 0}
    expected = SoftmaxRegressionClassifier(class_weight="balanced", **params)
    clf = SoftmaxRegressionClassifier(class_weight="balanced", **params)

    for start in range(0, 400, 40):
        some = slice(start, start + 40)
        new = [0, 1, 2, 3] if start < 200 else [0, 1, 2, 3, 7]
        expected.partial_fit(X[some], y[some], new, weight[some])
        clf.partial_fit(to(X[some]), to(y[some]), to(new), to(weight[some]))

    assert clf.coef_.shape == (5, 8)
    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)


@on_each_library
def test_two_classes_become_three(to):
    X, y, _ = blobs(3)
    few = y < 2
    expected = SoftmaxRegressionClassifier(random_state=0)
    clf = SoftmaxRegressionClassifier(random_state=0)

    for model, kind in ((expected, np.asarray), (clf, to)):
        model.partial_fit(kind(X[few]), kind(y[few]), classes=[0, 1])
        model.partial_fit(kind(X), kind(y), classes=[0, 1, 2])

    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)


@on_each_library
@pytest.mark.parametrize("first", [{"solver": "svrg"}, MINI, {"l1_ratio": 0.5}])
def test_a_stream_goes_on_from_a_fit(to, first):
    X, y, _ = blobs(4)
    expected = SoftmaxRegressionClassifier(random_state=0, **first)
    clf = SoftmaxRegressionClassifier(random_state=0, **first)

    expected.fit(X, y).partial_fit(X[:60], y[:60])
    clf.fit(to(X), to(y)).partial_fit(to(X[:60]), to(y[:60]))

    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)


PRIORS = {
    "of float64": lambda to: to([0.2, 0.3, 0.5]),
    "of integers": lambda to: to([2, 3, 5]),
}
TORCH_PRIORS = {
    "of bfloat16": lambda to: to([2.0, 3.0, 5.0], dtype=torch.bfloat16),
    "with a graph": lambda to: to([0.2, 0.3, 0.5]).requires_grad_(),
}


def check_prior(to, make_prior):
    """Check that a prior of a library is taken as the same list is."""
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier().fit(to(X), y)
    expected = to_numpy(copy.deepcopy(clf).correct_prior([2, 3, 5]).intercept_)

    clf.correct_prior(make_prior(to))

    assert_allclose(to_numpy(clf.intercept_), expected)


@on_each_library
@pytest.mark.parametrize("kind", PRIORS)
def test_a_prior_of_the_library_of_x_is_taken(to, kind):
    check_prior(to, PRIORS[kind])


@pytest.mark.parametrize("to", [to for to in LIBRARIES if "torch" in str(to)])
@pytest.mark.parametrize("kind", TORCH_PRIORS)
def test_a_prior_that_pytorch_alone_has_is_taken(to, kind):
    check_prior(to, TORCH_PRIORS[kind])


def test_a_prior_on_a_device_without_dispatch_is_refused():
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    prior = Library("array_api_strict", "device1")([0.2, 0.3, 0.5])

    with (
        config_context(array_api_dispatch=False),
        pytest.raises(TypeError, match=r"class_prior must be convertible .*device1"),
    ):
        clf.correct_prior(prior)


@on_each_library
def test_a_prior_of_the_library_of_x_that_is_none_is_refused(to):
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier().fit(to(X), y)

    with pytest.raises(ValueError, match="class_prior must hold a positive number"):
        clf.correct_prior(to([0.5, 0.5]))


@on_each_library
def test_warm_start_goes_on_from_the_model(to):
    X, y, _ = blobs(4)
    expected = SoftmaxRegressionClassifier(warm_start=True, random_state=0, **MINI)
    clf = copy.deepcopy(expected)

    expected.fit(X, y).fit(X[:200], y[:200])
    clf.fit(to(X), to(y)).fit(to(X[:200]), to(y[:200]))

    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)


@pytest.mark.slow
@on_each_library
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("of", ["its library", "NumPy"])
def test_probabilities_for_labels(to, n_classes, of):
    X, y, weight = blobs(n_classes)
    table = np.eye(n_classes)[y] * 0.8 + 0.2 / n_classes
    params = {**MINI, "class_weight": "balanced", "random_state": 0}
    expected = SoftmaxRegressionClassifier(**params).fit(X, table, weight)
    given = to(table) if of == "its library" else table

    clf = SoftmaxRegressionClassifier(**params).fit(to(X), given, to(weight))

    assert_same_model(clf, expected, to(X), X, table, rtol=1e-5)
    assert clf.score(to(X), given) == pytest.approx(expected.score(X, table), abs=0.01)
    assert_allclose(
        to_numpy(clf.surprisal(to(X), given)), expected.surprisal(X, table), rtol=1e-4
    )


@on_each_library
def test_one_hot_rows_are_labels(to):
    X, y, _ = blobs(4)

    by_labels = SoftmaxRegressionClassifier(random_state=0).fit(to(X), to(y))
    by_rows = SoftmaxRegressionClassifier(random_state=0).fit(to(X), to(np.eye(4)[y]))

    assert_array_equal(to_numpy(by_rows.coef_), to_numpy(by_labels.coef_))


TABLES = {
    "list": lambda table: table.tolist(),
    "column-major": np.asfortranarray,
    "float32": lambda table: table.astype(np.float32),
    "pandas": lambda table: pytest.importorskip("pandas").DataFrame(table),
    "polars": lambda table: pytest.importorskip("polars").DataFrame(table, ["0", "1"]),
    "pyarrow": lambda table: pytest.importorskip("pyarrow").table(
        {"0": table[:, 0], "1": table[:, 1]}
    ),
    "strict": Library("array_api_strict", "device1"),
    "torch": pytest.param(Library("torch"), marks=NO_TORCH),
    "torch, column-major": pytest.param(
        lambda table: Library("torch")(table.T).T, marks=NO_TORCH
    ),
    "torch with a graph": pytest.param(
        lambda table: Library("torch")(table).requires_grad_(), marks=NO_TORCH
    ),
}
ROWS = {
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pytest.importorskip("pandas").DataFrame(X),
    "CSR": sp.csr_array,
    "COO": sp.coo_matrix,
    "strict": Library("array_api_strict", "device1"),
    "torch": pytest.param(Library("torch"), marks=NO_TORCH),
}


@pytest.mark.slow
@pytest.mark.parametrize("convert_table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("convert_rows", ROWS.values(), ids=ROWS)
def test_x_and_probabilities_of_different_libraries(convert_rows, convert_table):
    X, y, _ = blobs(2, n=100)
    table = np.eye(2)[y] * 0.8 + 0.1
    models = []
    for rows, target in ((X, table), (convert_rows(X), convert_table(table))):
        clf = SoftmaxRegressionClassifier(random_state=0, **MINI)
        clf.fit(rows, target, X_val=rows, y_val=target)
        models.append((to_numpy(clf.coef_), clf.validation_loss_curve_))
        models[-1] += clf.score(rows, target), to_numpy(clf.surprisal(rows, target))
        clf.set_params(early_stopping=True).fit(rows, target)
        models[-1] += (clf.validation_loss_curve_,)
        stream = SoftmaxRegressionClassifier(random_state=0)
        stream.partial_fit(rows, target).partial_fit(rows, target)
        models[-1] += (to_numpy(stream.coef_),)

    for ours, expected in zip(*reversed(models), strict=True):
        assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@NO_TORCH
@pytest.mark.parametrize("n_classes", [3, 100, 1000])
@pytest.mark.parametrize("how", ["rounded", "computed", "normalised"])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_tables_of_16_bits(name, how, n_classes):
    import torch

    dtype = getattr(torch, name)
    generator = torch.Generator().manual_seed(0)
    raw = 5 * torch.randn(1000, n_classes, generator=generator, dtype=torch.float64)
    table = torch.softmax(raw, 1).to(dtype)
    if how == "computed":
        table = torch.exp((raw - raw.max(1, keepdim=True)[0]).to(dtype))
    if how != "rounded":
        table /= table.sum(1, keepdim=True)
    exact = table.double() / table.double().sum(1, keepdim=True)
    error = float((table.double() - exact).sum(1).abs().max())
    assert (error > 2e-3) == (name == "bfloat16")
    X = torch.randn(1000, 2, generator=generator, dtype=torch.float64)
    params = {"alpha": 0.1, "batch_size": 100, "max_iter": 1, "tol": None}
    params["random_state"] = 0

    clf = SoftmaxRegressionClassifier(**params)
    clf.fit(X, table, X_val=X, y_val=table)

    expected = SoftmaxRegressionClassifier(**params)
    expected.fit(X, exact, X_val=X, y_val=exact)
    assert_allclose(to_numpy(clf.coef_), to_numpy(expected.coef_), atol=1e-4)
    assert clf.validation_loss_curve_ == pytest.approx(expected.validation_loss_curve_)
    clf.partial_fit(X, table)
    assert clf.score(X, table) == clf.score(X, exact)
    assert_allclose(
        to_numpy(clf.surprisal(X, table)), to_numpy(clf.surprisal(X, exact)), rtol=1e-5
    )


@NO_TORCH
@pytest.mark.parametrize(
    ("name", "factor"), [("bfloat16", 1.03), ("bfloat16", 0.97), ("float16", 1.005)]
)
def test_tables_of_16_bits_with_other_sums_are_refused(name, factor):
    import torch

    X, y, _ = blobs(3)
    table = torch.asarray(factor * (0.7 * np.eye(3)[y] + 0.1))

    with pytest.raises(ValueError, match="summing to one"):
        SoftmaxRegressionClassifier().fit(
            torch.asarray(X), table.to(getattr(torch, name))
        )


@on_each_library
def test_bad_probabilities_are_shown(to):
    X, y, _ = blobs(4)

    with pytest.raises(
        ValueError, match=r"got \[.*\] with the sum 2 in row 0\. Divide"
    ):
        SoftmaxRegressionClassifier().fit(to(X), to(2 * np.eye(4)[y]))


@on_each_library
def test_validation_data(to):
    X, y, weight = blobs(4)
    parts = [X[:300], y[:300]]
    last = {"X_val": X[300:], "y_val": y[300:], "sample_weight_val": weight[300:]}
    params = {**MINI, "tol": 1e-2, "max_iter": 30, "random_state": 0}
    expected = SoftmaxRegressionClassifier(**params).fit(*parts, **last)

    clf = SoftmaxRegressionClassifier(**params)
    clf.fit(*map(to, parts), **{name: to(array) for name, array in last.items()})

    assert clf.validation_loss_curve_ == pytest.approx(expected.validation_loss_curve_)
    assert_same_model(clf, expected, to(X), X, y, rtol=1e-5)


@on_each_library
def test_labels_may_be_strings(to):
    X, y, _ = blobs(4)
    names = np.array(["a", "b", "c", "d"])[y]

    clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), names)

    assert isinstance(clf.predict(to(X)), np.ndarray)
    assert set(clf.predict(to(X))) == {"a", "b", "c", "d"}
    assert clf.score(to(X), names) > 0.5


@on_each_library
@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
def test_labels_that_are_numbers_keep_their_dtype(to, dtype):
    X, y, _ = blobs(3)

    clf = SoftmaxRegressionClassifier().fit(to(X), to(y.astype(dtype)))

    assert clf.predict(to(X)).dtype == to(y.astype(dtype)).dtype
    assert clf.predict(to(X)).device == to(X).device


@pytest.mark.parametrize("kind", [np.asarray, STRICT])
def test_y_and_weights_follow_X(kind):
    X, y, weight = blobs(3)
    elsewhere = Library("array_api_strict", "device2")
    expected = SoftmaxRegressionClassifier(random_state=0).fit(X, y, weight)

    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.fit(kind(X), elsewhere(y), elsewhere(weight))

    assert_same_model(clf, expected, kind(X), X, y, rtol=1e-5)
    score = clf.score(kind(X), elsewhere(y), elsewhere(weight))
    assert score == pytest.approx(expected.score(X, y, weight), abs=1e-2)


METHODS = [
    "decision_function",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predictive_entropy",
]
ELSEWHERE = [
    pytest.param(np.asarray, id="NumPy"),
    pytest.param(lambda X: np.asarray(X).tolist(), id="a list"),
    pytest.param(sp.csr_array, id="CSR"),
    pytest.param(Library("array_api_strict", "device2"), id="another device"),
    pytest.param(Library("torch"), id="torch", marks=NO_TORCH),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ELSEWHERE)
def test_X_of_another_kind_than_in_fit_is_refused(method, kind):
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier().fit(STRICT(X), y)

    expected = (
        rf"{method}\(\) must use the same namespace .* the model is array_api_str"
    )
    with pytest.raises(ValueError, match=expected):
        getattr(clf, method)(kind(X))


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_refused_call_changes_nothing(kind):
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier(random_state=0, warm_start=True).fit(STRICT(X), y)
    before = pickle.dumps(clf)

    with pytest.raises(ValueError, match=r"partial_fit\(\) must use the same namesp"):
        clf.partial_fit(kind(X), y)
    with pytest.raises(ValueError, match=r"\.fit\(\) must use the same namespace"):
        clf.fit(kind(X), y)
    with pytest.raises(ValueError, match="the model is array_api_strict"):
        clf.score(kind(X), y)
    with pytest.raises(ValueError, match="the model is array_api_strict"):
        clf.surprisal(kind(X), y)
    with pytest.raises(ValueError, match=r"X_val must use .* array_api_strict.*, got"):
        clf.fit(STRICT(X), y, X_val=kind(X), y_val=y)

    assert pickle.dumps(clf) == before


def test_a_model_of_numpy_refuses_other_arrays():
    X, y, _ = blobs(3)
    clf = SoftmaxRegressionClassifier().fit(X, y)

    with pytest.raises(ValueError, match="the model is NumPy, X is array_api_strict"):
        clf.predict(STRICT(X))


def test_diverged_training_leaves_the_model():
    X, y, _ = blobs(3)
    params = {"learning_rate": "constant", "eta0": 1e-3, "random_state": 0}
    clf = SoftmaxRegressionClassifier(**params).partial_fit(STRICT(X), y, [0, 1, 2])
    before = to_numpy(clf.coef_).copy()
    clf.set_params(eta0=1e308, batch_size=40)

    with pytest.raises(ValueError, match="Training diverged"):
        clf.partial_fit(STRICT(X), y)

    assert_array_equal(to_numpy(clf.coef_), before)


def test_a_device_without_float64():
    X, y, weight = blobs(3)
    to = Library("array_api_strict", "no_float64")
    X = X.astype(np.float32)
    expected = SoftmaxRegressionClassifier(random_state=0, alpha=0.01, **MINI)
    expected.fit(X, y, weight)

    clf = copy.deepcopy(expected).fit(to(X), y, weight)

    assert "float32" in str(clf.coef_.dtype)
    assert_allclose(to_numpy(clf.coef_), expected.coef_, rtol=1e-3, atol=1e-3)
    assert clf.score(to(X), y) == pytest.approx(expected.score(X, y), abs=0.01)
    integers = to(np.arange(60).reshape(20, 3))
    assert "float32" in str(clf.fit(integers, np.arange(20) % 2).coef_.dtype)


@on_each_library
@pytest.mark.parametrize(
    ("dtype", "trained_in"),
    [
        ("bool", "f4"),
        ("uint8", "f4"),
        ("int16", "f4"),
        ("int32", "f8"),
        ("int64", "f8"),
    ],
)
def test_integers_are_cast(to, dtype, trained_in):
    rng = np.random.RandomState(0)
    X = rng.randint(0, 2, (200, 5)).astype(dtype)
    y = (X.sum(axis=1) + rng.randint(0, 2, 200)) % 3

    clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), to(y))

    assert clf.coef_.dtype == to(np.ones(1, trained_in)).dtype
    expected = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    assert_allclose(to_numpy(clf.coef_), expected.coef_, atol=1e-3)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["numpy.float16", "torch.float16", "torch.bfloat16"])
def test_16_bit_floats_are_trained_on_in_float32(name, early_stopping):
    X, y, _ = blobs(3)
    if name == "numpy.float16":
        half = X.astype(np.float16)
        exact = half.astype(np.float32)
    else:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        half = torch.asarray(X).to(getattr(torch, name.split(".")[1]))
        exact = half.to(torch.float32)

    params = {**MINI, "random_state": 0, "early_stopping": early_stopping}
    clf = SoftmaxRegressionClassifier(**params).fit(half, y)

    expected = SoftmaxRegressionClassifier(**params).fit(exact, y)
    assert clf.coef_.dtype == exact.dtype
    assert_array_equal(to_numpy(clf.coef_), to_numpy(expected.coef_))
    assert_array_equal(
        to_numpy(clf.predict_proba(half)), to_numpy(expected.predict_proba(exact))
    )


@on_each_library
def test_many_rows_are_predicted_in_parts(to, monkeypatch):
    X, y, _ = blobs(4)
    clf = SoftmaxRegressionClassifier().fit(to(X), y)
    names = "predict", "predict_proba", "predict_log_proba", "decision_function"
    whole = [to_numpy(getattr(clf, name)(to(X))) for name in names]

    monkeypatch.setattr(arrays.namespace(to(X)), "matmul_chunk_size", 7)

    for name, expected in zip(names, whole, strict=True):
        parts = to_numpy(getattr(clf, name)(to(X)))
        assert_allclose(parts, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@on_each_library
def test_parts_of_the_rows_add_up_to_all(to, monkeypatch):
    X, y, weight = blobs(4)
    whole = SoftmaxRegressionClassifier(tol=1e-8).fit(to(X), y, weight)

    monkeypatch.setattr(arrays.namespace(to(X)), "matmul_chunk_size", 300)
    monkeypatch.setattr(arrays.namespace(to(X)), "chunk_size", 300)

    parts = SoftmaxRegressionClassifier(tol=1e-8).fit(to(X), y, weight)
    assert_allclose(to_numpy(parts.coef_), to_numpy(whole.coef_), rtol=1e-6)


@on_each_library
def test_X_is_not_written_to(to):
    X, y, weight = blobs(4)
    given = to(X.copy()), to(y.copy()), to(weight.copy())

    SoftmaxRegressionClassifier(**MINI).fit(*given).partial_fit(*given[:2])

    for array, expected in zip(given, (X, y, weight), strict=True):
        assert_array_equal(to_numpy(array), expected)


@on_each_library
def test_a_copy_predicts_the_same(to):
    X, y, _ = blobs(4)
    clf = SoftmaxRegressionClassifier(**MINI).fit(to(X), y)

    for moved in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        assert_array_equal(to_numpy(moved.coef_), to_numpy(clf.coef_))
        moved.partial_fit(to(X), y)
        assert moved.t_ > clf.t_


@on_each_library
def test_a_logistic_regression_of_it_predicts_the_same(to):
    X, y, _ = blobs(4)
    clf = SoftmaxRegressionClassifier().fit(to(X), y)

    model = clf.to_logistic_regression()

    raw, expected = model.decision_function(to(X)), clf.decision_function(to(X))
    assert_allclose(to_numpy(raw), to_numpy(expected))
    model.coef_ += 1
    assert_allclose(to_numpy(clf.decision_function(to(X))), to_numpy(expected))


@on_each_library
def test_scikit_learn_moves_the_model(to):
    from sklearn.utils import _array_api as of_sklearn

    X, y, _ = blobs(4)
    names = np.array(["a", "b", "c", "d"])[y]
    expected = SoftmaxRegressionClassifier(random_state=0, **MINI).fit(X, names)
    xp, _, device = of_sklearn.get_namespace_and_device(to(X))

    moved = of_sklearn.move_estimator_to(expected, xp, device)
    moved.partial_fit(to(X), names)
    back = of_sklearn.move_estimator_to(moved, np, "cpu")
    expected.partial_fit(X, names)

    assert isinstance(expected.coef_, np.ndarray)
    assert moved.coef_.device == to(X).device
    assert_allclose(to_numpy(moved.coef_), expected.coef_, rtol=1e-6, atol=1e-9)
    assert_array_equal(back.predict(X), moved.predict(to(X)))
    back.partial_fit(X, names)


@on_each_library
def test_scikit_learn_moves_all_arrays_of_a_path(to):
    from sklearn.utils import _array_api as of_sklearn

    X, y, _ = blobs(4, n=200)
    clf = SoftmaxRegressionClassifierCV(alphas=[1e-1, 1e-2, 1e-3]).fit(to(X), y)
    xp, _, device = of_sklearn.get_namespace_and_device(to(X))

    back = of_sklearn.move_estimator_to(clf, np, "cpu")
    there = of_sklearn.move_estimator_to(back, xp, device)

    for name, value in vars(clf).items():
        if isinstance(value, type(clf.coef_)):
            assert type(getattr(back, name)) is np.ndarray, name
            assert getattr(there, name).device == to(X).device, name
            assert_array_equal(getattr(back, name), to_numpy(value))
    assert xp.__name__.split(".")[-1].encode() not in pickle.dumps(back)
    assert type(there.classes_) is np.ndarray
    assert clf.coef_.device == to(X).device
    assert_array_equal(back.predict(X), to_numpy(clf.predict(to(X))))


def test_a_sparse_model_is_numpys():
    X, y, _ = blobs(4)
    clf = SoftmaxRegressionClassifier().fit(STRICT(X), y)

    with pytest.raises(TypeError, match="SciPy matrix, got one of array_api"):
        clf.sparsify()

    assert clf.densify().coef_.shape == (4, 8)


@pytest.mark.parametrize("kind", ["cupyx", "torch"])
@pytest.mark.parametrize("dispatch", [True, False])
def test_sparse_tensors_are_refused(kind, dispatch):
    X, y, _ = blobs(3)
    if kind == "torch":
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        X = torch.asarray(X).to_sparse()
    else:
        X = type(
            "csr_matrix", (), {"__module__": "cupyx.scipy.sparse", "shape": (3, 2)}
        )()

    with (
        config_context(array_api_dispatch=dispatch),
        pytest.raises(
            TypeError, match=r"X must be dense, or a SciPy CSR array .* a sparse"
        ),
    ):
        SoftmaxRegressionClassifier().fit(X, y)


@pytest.mark.parametrize(
    ("name", "answer"), [("is_lazy_array", True), ("is_writeable_array", False)]
)
def test_arrays_that_cannot_be_written_to_are_refused(monkeypatch, name, answer):
    X, y, _ = blobs(3)
    monkeypatch.setattr(arrays, name, lambda X: answer)

    with pytest.raises(TypeError, match="X must be an array in memory"):
        SoftmaxRegressionClassifier().fit(STRICT(X), y)


REFUSED = {
    "X": lambda clf, X, y, lazy: clf.fit(lazy(X), y),
    "X of predict": lambda clf, X, y, lazy: clf.fit(X, y).predict(lazy(X)),
    "X_val": lambda clf, X, y, lazy: clf.fit(X, y, X_val=lazy(X), y_val=y),
    "y": lambda clf, X, y, lazy: clf.fit(X, lazy(y)),
    "y of probabilities": lambda clf, X, y, lazy: clf.fit(X, lazy(np.eye(3)[y])),
    "y of partial_fit": lambda clf, X, y, lazy: clf.partial_fit(X, lazy(y)),
    "y of score": lambda clf, X, y, lazy: clf.fit(X, y).score(X, lazy(y)),
    "y of surprisal": lambda clf, X, y, lazy: clf.fit(X, y).surprisal(X, lazy(y)),
    "y_val": lambda clf, X, y, lazy: clf.fit(X, y, X_val=X, y_val=lazy(y)),
    "sample_weight": lambda clf, X, y, lazy: clf.fit(X, y, lazy(y * 1.0)),
    "sample_weight of score": lambda clf, X, y, lazy: clf.fit(X, y).score(
        X, y, lazy(y * 1.0)
    ),
    "sample_weight_val": lambda clf, X, y, lazy: clf.fit(
        X, y, X_val=X, y_val=y, sample_weight_val=lazy(y * 1.0)
    ),
    "classes": lambda clf, X, y, lazy: clf.partial_fit(
        X, y, classes=lazy(np.arange(3))
    ),
    "class_prior": lambda clf, X, y, lazy: clf.fit(X, y).correct_prior(
        lazy(np.ones(3))
    ),
}


@pytest.mark.parametrize("old_version", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_errors_of_refused_arrays_name_the_argument(monkeypatch, case, old_version):
    X, y, _ = blobs(3)
    monkeypatch.setattr(arrays, "is_lazy_array", lambda array: True)
    if old_version:
        monkeypatch.setattr(arrays, "array_namespace", None)
    # As for all errors of validation data, the first words say whose X and y it is.
    name = case.removesuffix("_val").split()[0]
    required = "a NumPy array if" if old_version else "an array in memory"

    with pytest.raises(TypeError) as raised:
        REFUSED[case](SoftmaxRegressionClassifier(), X, y, STRICT)

    message = str(raised.value).removeprefix("The validation data cannot be used: ")
    assert message.startswith(f"{name} must be {required} ")
    assert f" Convert {name}" in message


def test_old_versions_of_scikit_learn_are_named(monkeypatch):
    X, y, _ = blobs(3)
    monkeypatch.setattr(arrays, "array_namespace", None)

    with pytest.raises(TypeError, match=r"scikit-learn is older than 1\.9"):
        SoftmaxRegressionClassifier().fit(STRICT(X), y)


def test_without_dispatch_a_device_is_an_error_that_says_so():
    X, y, _ = blobs(3)
    X = Library("array_api_strict", "device1")(X)

    with (
        config_context(array_api_dispatch=False),
        pytest.raises(TypeError, match=r"on .*device1.*array_api_dispatch=True"),
    ):
        SoftmaxRegressionClassifier().fit(X, y)


@NO_TORCH
def test_without_dispatch_tensors_are_taken_as_numpys():
    X, y, _ = blobs(3)
    expected = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    to = Library("torch")

    with config_context(array_api_dispatch=False):
        clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), to(y))
        assert isinstance(clf.predict(to(X)), np.ndarray)

    assert_array_equal(clf.coef_, expected.coef_)


@NO_TORCH
@pytest.mark.parametrize("kind", ["gradient", "parameter", "by column", "strided"])
def test_tensors_of_any_layout_or_history(kind):
    import torch

    X, y, _ = blobs(3)
    plain = torch.asarray(X)
    given = {
        "gradient": plain.clone().requires_grad_(),
        "parameter": torch.nn.Parameter(plain.clone()),
        "by column": plain.T.contiguous().T,
        "strided": torch.repeat_interleave(plain, 2, dim=1)[:, ::2],
    }[kind]
    expected = SoftmaxRegressionClassifier(random_state=0, **MINI).fit(X, y)

    clf = SoftmaxRegressionClassifier(random_state=0, **MINI).fit(given, y)

    assert not clf.coef_.requires_grad
    assert_allclose(clf.coef_.numpy(), expected.coef_, rtol=1e-5, atol=1e-8)
    assert clf.predict(plain).shape == (400,)
    assert clf.predict_proba(given).is_contiguous()


def test_it_is_tuned_in_a_pipeline():
    X, y, _ = blobs(3)
    to = Library("torch") if find_spec("torch") else np.asarray
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(random_state=0)),
        {"softmaxregressionclassifier__alpha": [1e-3, 1e-1]},
        cv=3,
    )
    expected = copy.deepcopy(search).fit(X, y)

    search.fit(to(X), to(y))

    assert_allclose(
        search.cv_results_["mean_test_score"],
        expected.cv_results_["mean_test_score"],
        atol=0.01,
    )


def on_a_gpu(monkeypatch):
    """Have new namespaces believe that they are not on a CPU."""
    monkeypatch.setattr(
        "sksoftmax._arrays.standard_arrays.is_cpu", lambda device: False
    )
    monkeypatch.setattr(arrays, "_KNOWN", {})


def test_batches_are_larger_on_a_gpu(monkeypatch):
    X, y = make_classification(
        9000, 20, n_informative=10, n_classes=8, class_sep=0.5, random_state=0
    )
    table = STRICT(X), y
    stream = SoftmaxRegressionClassifier().partial_fit(*table, classes=np.arange(8))
    small = SoftmaxRegressionClassifier(batch_size=512, max_iter=2, tol=None)

    on_a_gpu(monkeypatch)

    streamed = SoftmaxRegressionClassifier().partial_fit(*table, classes=np.arange(8))
    assert stream.t_ == math.ceil(9000 / 512)
    assert streamed.t_ == math.ceil(9000 / 2048)
    assert small.fit(*table).t_ == 2 * stream.t_  # an integer is obeyed
    assert streamed.score(*table) == pytest.approx(stream.score(*table), abs=0.03)


def test_most_rows_stay_on_the_device(monkeypatch):
    """All rows of wide data may be outliers by the bound that is tried first."""
    X = np.random.default_rng(0).standard_normal((3000, 1000)).astype(np.float32)
    table, n_read = (STRICT(X), STRICT((X[:, 0] > 0).astype(int))), []
    to_numpy = StandardArrays.to_numpy

    def read(self, array):
        n_read.append(math.prod(array.shape))
        return to_numpy(self, array)

    monkeypatch.setattr(StandardArrays, "to_numpy", read)

    SoftmaxRegressionClassifier(batch_size=512, max_iter=1, tol=None).fit(*table)

    assert 0 < sum(n_read) <= X.size / 2


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_full_batches_are_exact_on_a_gpu(monkeypatch):
    """Newton's steps go on where float32 would round away what they gain."""
    years = np.random.default_rng(0).integers(2000, 2021, 200).astype(float)
    X = np.stack([years**k for k in range(1, 6)], axis=1).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 2, 200)
    clf = SoftmaxRegressionClassifier(solver="svrg", tol=1e-4, alpha=1e-7)
    expected = clone(clf).fit(X, y)

    on_a_gpu(monkeypatch)

    clf.fit(STRICT(X), y)
    assert_allclose(clf.loss_curve_[-1], expected.loss_curve_[-1], rtol=1e-4)


def problem_on(X, y, n_classes):
    """Return a problem without anything that depends on the numbers in X."""
    xp = arrays.namespace(X)
    data = make_data(X, X.dtype, True)
    shape = data.n_weights, 1
    ones = xp.ones(shape, X.dtype)
    return Problem(
        data,
        y,
        xp.ones((X.shape[0],), X.dtype),
        cross_entropy(n_classes),
        ElasticNet(1e-3, 0.0, X.shape[1], True, X.dtype, xp),
        ColumnScaling(None, ones, ones, xp.full(shape, 0.0, X.dtype)),
    )


@NO_TORCH
@pytest.mark.parametrize("preconditioner_class", [Gram, Diagonal])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_no_batch_reads_from_the_device(preconditioner_class, n_classes):
    """On torch's "meta" device there are no numbers: reading one is an error."""
    import torch

    X = torch.empty((640, 8), device="meta")
    y = torch.empty((640,), dtype=torch.int64, device="meta")
    problem = problem_on(X, y, n_classes)
    weights, average = problem.zeros(), problem.zeros()
    size = (9, 9) if preconditioner_class is Gram else (9, 1)
    known = torch.empty(size, device="meta")
    state = State(
        weights, average, preconditioner_name=preconditioner_class.name, hessian=known
    )
    state.ridge, state.inverse, state.step_size = known[:, 0], known, 1.0
    step = PreconditionedStep(
        problem, state, preconditioner_class, np.random.RandomState(0)
    )
    state.t = 1  # the curvature was measured at 0
    assert not step.needs_measuring(state)
    edges = np.arange(0, 641, 64)

    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        SGD(problem, state, step).epoch(np.arange(640), edges)

    refreshed = sum(t in preconditioner_class.refresh_times for t in range(1, 11))
    assert state.t == 11 if not refreshed else state.t > 1


@NO_TORCH
@pytest.mark.parametrize("params", [{}, {"preconditioner": "diagonal"}])
def test_more_batches_read_no_more_from_the_device(params):
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Reads(TorchDispatchMode):
        n = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            reads = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select")
            self.n += str(func).startswith(reads)
            return func(*args, **(kwargs or {}))

    X, y, _ = blobs(4, n=1280)
    X, y = torch.asarray(X), torch.asarray(y)

    def count(batch_size, max_iter):
        clf = SoftmaxRegressionClassifier(
            batch_size=batch_size, max_iter=max_iter, tol=None, random_state=0, **params
        )
        with Reads() as reads:
            clf.fit(X, y)
        return reads.n, clf.t_

    (few, t_few), (many, t_many) = count(256, 4), count(16, 4)
    assert t_many == 16 * t_few == 320
    measured = 24 * 4  # two batches of six power iterations, where it is due
    assert many - few <= measured
    one_more = count(16, 5)[0] - many
    assert 0 < one_more <= 10


def test_not_converging_warns():
    X, y, _ = blobs(3)

    with pytest.warns(ConvergenceWarning):
        SoftmaxRegressionClassifier(max_iter=1).fit(STRICT(X), y)


@on_each_library
@pytest.mark.parametrize("kind", ["read-only", "reversed"])
def test_numpy_targets_of_any_layout(to, kind):
    X, y, weight = blobs(3)
    table = np.eye(3)[y] * 0.7 + 0.1
    plain = SoftmaxRegressionClassifier(random_state=0).fit(to(X), table, weight)
    if kind == "read-only":
        table.flags.writeable = weight.flags.writeable = False
    else:
        table, weight = table[::-1].copy()[::-1], weight[::-1].copy()[::-1]

    clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), table, weight)

    assert_array_equal(to_numpy(clf.coef_), to_numpy(plain.coef_))


@on_each_library
def test_only_positive_definite_matrices_are_inverted(to):
    matrix = np.array([[4.0, 1.0], [1.0, 3.0]])
    xp = arrays.namespace(to(matrix))

    inverse = to_numpy(xp.inverse(to(matrix)))

    assert_allclose(inverse, np.linalg.inv(matrix))
    assert_array_equal(inverse, inverse.T)
    with pytest.raises(FloatingPointError, match="not positive definite"):
        xp.inverse(to(-matrix))


@NO_TORCH
def test_weights_that_another_program_has_trained():
    import torch

    X, y, _ = blobs(3)
    X = torch.asarray(X)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    expected = clf.predict_proba(X)

    clf.coef_ = torch.nn.Parameter(clf.coef_.clone())
    clf.intercept_ = torch.nn.Parameter(clf.intercept_.clone())

    assert torch.equal(clf.predict_proba(X), expected)
    assert not clf.partial_fit(X, y).coef_.requires_grad


def with_parameters(n_classes):
    """Return a model of tensors, its copy with torch's parameters, and the rows."""
    import torch

    X, y, _ = blobs(n_classes)
    X = torch.asarray(X)
    expected = SoftmaxRegressionClassifier(warm_start=True, random_state=0).fit(X, y)
    clf = copy.deepcopy(expected)
    clf.coef_ = torch.nn.Parameter(clf.coef_)
    clf.intercept_ = torch.nn.Parameter(clf.intercept_)
    return expected, clf, X, y


USES = {
    "new class": lambda clf, X, y: clf.partial_fit(X, y, classes=range(5)),
    "new class, without rows": lambda clf, X, y: clf.partial_fit(
        X, y, classes=range(5), sample_weight=np.zeros(len(y))
    ),
    "warm fit of a new class": lambda clf, X, y: clf.fit(
        X, np.where(np.arange(len(y)) < 50, 4, y)
    ),
    "prior": lambda clf, X, y: clf.correct_prior(),
    "to_logistic_regression": lambda clf, X, y: clf.to_logistic_regression(),
}


@NO_TORCH
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_trained_parameters_are_used_as_plain_weights(use, n_classes):
    expected, clf, X, y = with_parameters(n_classes)

    used, plain = use(clf, X, y), use(expected, X, y)

    assert not used.intercept_.requires_grad
    assert_array_equal(to_numpy(used.coef_), to_numpy(plain.coef_))
    assert_array_equal(to_numpy(used.intercept_), to_numpy(plain.intercept_))
    copy.deepcopy(used)


@NO_TORCH
def test_scikit_learn_moves_trained_parameters():
    from sklearn.utils._array_api import move_estimator_to

    expected, clf, X, _ = with_parameters(3)

    moved = move_estimator_to(clf, np, "cpu")

    assert type(moved.coef_) is np.ndarray
    assert_array_equal(moved.predict(X.numpy()), expected.predict(X))


def test_devices_that_cannot_be_hashed(monkeypatch):
    device = type("Device", (), {"__hash__": None})()
    array = type("Array", (), {"device": device})()
    monkeypatch.setattr(arrays, "_find", lambda array, name: "found")

    assert arrays.namespace(array) == arrays.namespace(array) == "found"


@pytest.mark.parametrize("dispatch", [True, False])
def test_a_column_may_be_called_layout(dispatch):
    pd = pytest.importorskip("pandas")
    X, y, weight = blobs(3, d=2)
    X = pd.DataFrame(X, columns=["layout", "device"])

    with config_context(array_api_dispatch=dispatch):
        clf = SoftmaxRegressionClassifier().fit(X, pd.Series(y), pd.Series(weight))

        assert clf.score(X, y) > 0.4


@on_each_library
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64", ">i8", ">f8"])
def test_labels_that_the_library_does_not_have(to, dtype):
    X, y, _ = blobs(3)
    y = y.astype(dtype)

    clf = SoftmaxRegressionClassifier().fit(to(X), y)

    assert set(clf.predict(to(X)).tolist()) <= {0, 1, 2}
    assert clf.score(to(X), y) > 0.4


def test_a_weight_may_be_a_numpy_number():
    X, y, _ = blobs(3)
    expected = SoftmaxRegressionClassifier().fit(STRICT(X), y)

    clf = SoftmaxRegressionClassifier().fit(STRICT(X), y, np.float64(2))

    assert_allclose(to_numpy(clf.coef_), to_numpy(expected.coef_))


@NO_TORCH
def test_targets_and_weights_of_any_float():
    import torch

    X, y, _ = blobs(3)
    labels, ones = torch.asarray(y).bfloat16(), torch.ones(400).bfloat16()

    clf = SoftmaxRegressionClassifier().fit(torch.asarray(X), labels, ones)

    assert clf.score(torch.asarray(X), labels, ones) > 0.4


@NO_TORCH
def test_complex_tensors_are_refused():
    import torch

    X, y, _ = blobs(3)

    with pytest.raises(ValueError, match="Complex data not supported: X"):
        SoftmaxRegressionClassifier().fit(torch.asarray(X) * 1j, y)


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_without_dispatch_what_is_on_a_device_is_named(name):
    X, y, weight = blobs(3)
    given = {"y": y, "sample_weight": weight}
    given[name] = Library("array_api_strict", "device1")(given[name])

    with (
        config_context(array_api_dispatch=False),
        pytest.raises(TypeError, match=f"^{name} must be .*array_api_dispatch=True"),
    ):
        SoftmaxRegressionClassifier().fit(X, **given)


def test_errors_of_other_causes_are_not_renamed():
    X, _, _ = blobs(3)

    with pytest.raises(Exception) as caught:  # noqa: PT011
        SoftmaxRegressionClassifier().fit(STRICT(X), {1: 2})

    assert "array_api_dispatch" not in str(caught.value)


@pytest.mark.slow
@on_each_library
def test_working_sets_of_features_give_the_same_model(to):
    X, y, weight = blobs(3, n=150, d=8)
    noise = np.random.RandomState(1).standard_normal((150, 300))
    X = np.hstack([noise, X])  # the centered column is among the last
    params = {"alpha": 5e-3, "l1_ratio": 1.0, "solver": "svrg", "tol": 1e-8}
    expected = SoftmaxRegressionClassifier(**params).fit(X, y, weight)

    clf = SoftmaxRegressionClassifier(**params).fit(to(X), to(y), to(weight))

    assert 0 < np.count_nonzero(expected.coef_) < 150
    # Roundings decide between steps near the optimum: their number differs.
    assert_allclose(to_numpy(clf.coef_), expected.coef_, atol=1e-5)
    assert_allclose(to_numpy(clf.intercept_), expected.intercept_, atol=1e-5)
    assert clf.coef_.device == to(X).device


@on_each_library
def test_integer_coefficients_set_by_hand_are_computed_with_floats(to):
    X, y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), y)
    expected = copy.deepcopy(clf)
    clf.coef_, clf.intercept_ = (
        to(np.rint(to_numpy(a)).astype(np.int64)) for a in (clf.coef_, clf.intercept_)
    )
    expected.coef_, expected.intercept_ = (
        to(to_numpy(a).astype(float)) for a in (clf.coef_, clf.intercept_)
    )

    for model in (clf, expected):
        model.proba = to_numpy(model.predict_proba(to(X)))
        model.partial_fit(to(X), y)

    assert_array_equal(clf.proba, expected.proba)
    assert_allclose(to_numpy(clf.coef_), to_numpy(expected.coef_))


@NO_TORCH
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_tensors_of_half_precision_set_by_hand_predict_in_float32(name):
    X, y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
    X = torch.asarray(1e4 * X)  # predictions of float16 would be infinite
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X / 1e4, y)
    clf.coef_ = clf.coef_.to(getattr(torch, name))
    clf.intercept_ = clf.intercept_.to(getattr(torch, name))

    proba = clf.predict_proba(X)

    assert proba.dtype == torch.float32
    assert torch.isfinite(proba).all()
    assert clf.partial_fit(X / 1e4, y).coef_.dtype == torch.float32


@on_each_library
def test_a_model_set_by_hand_on_a_new_estimator_goes_on(to):
    X, y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
    source = SoftmaxRegressionClassifier(random_state=0).fit(to(X), y)
    clf = SoftmaxRegressionClassifier(random_state=0)
    for name in ("classes_", "coef_", "intercept_"):
        setattr(clf, name, getattr(source, name))

    clf.partial_fit(to(X), y)

    assert (clf.t_, clf.n_features_in_) == (1, 6)
    difference = to_numpy(clf.predict_proba(to(X)) - source.predict_proba(to(X)))
    assert np.abs(difference).max() < 0.1


@on_each_library
@pytest.mark.parametrize("value", [np.nan, "shape"])
def test_attributes_that_do_not_agree_are_named(to, value):
    X, y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)
    clf = SoftmaxRegressionClassifier(random_state=0).fit(to(X), y)
    clf.coef_ = to(np.full((3, 6), np.nan) if value is np.nan else np.zeros((1, 6)))

    for method in (clf.predict, lambda X: clf.partial_fit(X, y)):
        with pytest.raises(ValueError, match="coef_ must be"):
            method(to(X))


@on_each_library
def test_a_prior_is_corrected_on_the_device(to):
    X, y = make_classification(90, 6, n_informative=4, weights=[0.8], random_state=0)
    models = [
        SoftmaxRegressionClassifier(class_weight="balanced").fit(rows, y)
        for rows in (X, to(X))
    ]

    ours, theirs = (model.correct_prior().intercept_ for model in models)

    assert_allclose(to_numpy(theirs), ours, rtol=1e-4)
