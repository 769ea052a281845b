"""What holds for any small problem: its order, its names, its units, its layout.

Two models of one problem are compared by what the objective says of them. At the
optimum of the objective F the gradient is zero, so F of another model is larger by no
less than the mean Kullback-Leibler divergence of its predictions, and by Pinsker's
inequality by no less than half the mean square of the sums of their differences: that
is how `tol` bounds the distance of two predictions, for any units and any data.
"""

from dataclasses import dataclass
from itertools import pairwise

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxRegressionClassifier

TOL = 1e-8
# The stopping rule's estimate may be a few times too small.
EXACT = {"tol": TOL / 100, "max_iter": 10_000}
# As good as more where bits are compared.
BRIEF = {"tol": None, "max_iter": 3, "random_state": 0}


@dataclass(frozen=True)
class Recipe:
    """What a problem is made from: it prints and shrinks better than arrays."""

    n_samples: int
    n_features: int
    n_classes: int
    seed: int
    exponent: int = 0  # decimal, of the unit of all features
    spread: int = 0  # of such exponents between the features
    offset: int = 0  # of the features, in their units
    rounded: bool = False  # to whole units: then rows, and all of a column, may agree
    share: float = 1.0  # of the values that are not set to zero
    dtype: type = np.float64
    fit_intercept: bool = True  # without one, offsets would make features collinear
    strength: float = 0.0  # of the penalty, where the unit is one

    @property
    def rng(self):
        """A new generator, always the same, for what is done to the data."""
        return np.random.RandomState([self.seed, 1])

    @property
    def params(self):
        """Parameters of the model. A penalty is as strong in all units.

        Where a small one alone keeps rows from being separated, the stopping rule's
        estimate falls short of the distance to the optimum, a hundredfold and more.
        """
        alpha = self.strength * 100.0**self.exponent
        return {"alpha": alpha, "fit_intercept": self.fit_intercept}

    @property
    def data(self):
        """X and y, class indices; each class has a row."""
        rng = np.random.RandomState([self.seed, 0])
        shape = self.n_samples, self.n_features
        Z = rng.standard_normal(shape)
        raw = Z @ rng.standard_normal((self.n_features, self.n_classes))
        y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
        y[: self.n_classes] = np.arange(self.n_classes)
        X = (np.rint(Z) if self.rounded else Z) + self.offset * self.fit_intercept
        X *= rng.uniform(size=shape) < self.share
        exponents = rng.uniform(-self.spread, self.spread, self.n_features)
        X *= 10.0 ** (exponents + self.exponent)
        return X.astype(self.dtype), y


def problems(**changes):
    """Return a strategy of recipes, with other strategies for some ingredients."""
    ingredients = {
        "n_samples": st.integers(6, 60),
        "n_features": st.integers(1, 8),
        "n_classes": st.integers(2, 5),
        "seed": st.integers(0, 2**16),
        "exponent": st.integers(-6, 6),
        "spread": st.sampled_from([0, 1]),
        "offset": st.sampled_from([0, 1, -100]),
        "rounded": st.booleans(),
        "fit_intercept": st.booleans(),
        "strength": st.sampled_from([1e-1, 1e-3, 0.0]),
    }
    return st.builds(Recipe, **{**ingredients, **changes})


DTYPES = st.sampled_from([np.float64, np.float32])
SPARSE = {"share": st.sampled_from([0.5, 0.1]), "offset": st.just(0)}
UNPENALISED = {"strength": st.just(0.0)}


def fitted(X, y, sample_weight=None, **params):
    """Return a model; without a penalty only of rows that cannot be separated.

    Other rows have no optimum to come to.
    """
    try:
        return SoftmaxRegressionClassifier(**params).fit(X, y, sample_weight)
    except ConvergenceWarning:
        assume(params["alpha"] > 0)
        raise


def assert_same_predictions(first, second, tol=TOL, sample_weight=None):
    """Want two tables of probabilities to be of models as near the optimum as tol."""
    ignorance = np.log(first.shape[1])  # the objective of weights of zero
    distance = np.abs(first - second).sum(axis=1)
    mean_square = np.average(distance**2, weights=sample_weight)
    assert np.sqrt(mean_square) <= 2 * np.sqrt(2 * tol * ignorance)


def rounding(clf, X):
    """Return the rounding errors to expect in the raw predictions, (n_samples, 1)."""
    X = abs(X)
    sizes = X @ np.abs(clf.coef_).astype(np.float64).T + np.abs(clf.intercept_)
    return 8 * np.finfo(clf.coef_.dtype).eps * sizes.max(axis=1, keepdims=True)


def assert_same_raw_predictions(clf, X, other):
    difference = clf.decision_function(X) - clf.decision_function(other)
    assert (np.abs(difference).reshape(X.shape[0], -1) <= rounding(clf, X)).all()


def rough_model(recipe, sharpness):
    """Return a model after a few steps, with weights times 10**sharpness, and its X."""
    X, y = recipe.data
    clf = fitted(X, y, **recipe.params, **BRIEF)
    clf.coef_ = clf.coef_ * clf.coef_.dtype.type(10.0**sharpness)
    return clf, X


@given(problems(dtype=DTYPES), st.integers(-3, 4))
def test_probabilities_are_distributions_that_agree(recipe, sharpness):
    clf, X = rough_model(recipe, sharpness)
    dtype = clf.coef_.dtype
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny

    proba = clf.predict_proba(X)

    assert proba.dtype == dtype
    assert proba.min() >= 0
    assert proba.max() <= 1
    # Half an eps for each of up to four sums, and for the division by theirs.
    total = proba.astype(np.float64).sum(axis=1)
    assert_allclose(total, 1, rtol=0, atol=4 * eps)
    # The largest probability may be shared by what differs in the raw prediction.
    of_predicted = proba[np.arange(len(X)), clf.predict(X)]
    assert (of_predicted >= proba.max(axis=1) * (1 - 4 * eps)).all()
    log_proba = clf.predict_log_proba(X).astype(np.float64)
    assert log_proba.max() <= 0
    assert np.isfinite(log_proba).all()
    # The exponential makes a rounding of its argument a relative error.
    allowed = 4 * eps * (1 + np.abs(log_proba)) * np.exp(log_proba)
    assert (np.abs(np.exp(log_proba) - proba) <= allowed + 2 * tiny).all()


@given(problems(dtype=DTYPES))
def test_weights_have_the_dtype_of_x_unless_digits_are_lost(recipe):
    X, y = recipe.data
    clf = fitted(X, y, **recipe.params, **BRIEF)

    # float32 has not the digits for features far from zero.
    if clf.coef_.dtype == recipe.dtype or recipe.offset:
        return
    # Nor for weights that are so large that rounding them can be seen in the loss.
    assert clf.coef_.dtype == np.float64
    losses = []
    for dtype in (np.float64, recipe.dtype):
        clf.coef_ = clf.coef_.astype(dtype).astype(np.float64)
        clf.intercept_ = clf.intercept_.astype(dtype).astype(np.float64)
        losses.append(log_loss(y, clf.predict_proba(X.astype(np.float64))))
    assert losses[1] - losses[0] > 5e-7 * losses[0]


@given(problems(dtype=DTYPES), st.integers(-3, 4), st.integers(1, 70), st.booleans())
def test_a_row_is_predicted_alike_in_any_company(recipe, sharpness, n_rows, repeats):
    clf, X = rough_model(recipe, sharpness)
    if repeats:
        rows = recipe.rng.randint(len(X), size=n_rows)
    else:
        rows = recipe.rng.permutation(len(X))[:n_rows]

    alone = clf.decision_function(X[rows]), clf.predict(X[rows])

    raw, error = clf.decision_function(X)[rows], rounding(clf, X)[rows]
    if raw.ndim == 1:
        error = error[:, 0]
    assert (np.abs(alone[0] - raw) <= error).all()
    margins = np.column_stack([raw, 0 * raw]) if raw.ndim == 1 else raw
    margins = np.sort(margins, axis=1)
    sure = margins[:, -1] - margins[:, -2] > 2 * error.max(initial=0)
    assert_array_equal(alone[1][sure], clf.predict(X)[rows][sure])


NAMES = st.lists(st.integers(-99, 99), min_size=5, max_size=5, unique=True) | st.lists(
    st.text("aBcé1 ", min_size=1, max_size=3), min_size=5, max_size=5, unique=True
)


@given(problems(dtype=DTYPES), NAMES)
def test_names_of_classes_only_name_them(recipe, names):
    X, y = recipe.data
    names = np.sort(names[: recipe.n_classes])

    params = recipe.params | BRIEF

    clf = fitted(X, names[y], **params)

    numbered = fitted(X, y, **params)
    assert_array_equal(clf.classes_, names)
    assert_array_equal(clf.coef_, numbered.coef_)
    assert_array_equal(clf.intercept_, numbered.intercept_)
    assert_array_equal(clf.predict(X), names[numbered.predict(X)])


@given(problems(n_classes=st.just(2), strength=st.sampled_from([1e-1, 1e-3])))
def test_swapped_labels_turn_the_weights_round(recipe):
    X, y = recipe.data
    params = recipe.params | EXACT

    clf, swapped = fitted(X, y, **params), fitted(X, 1 - y, **params)

    assert_array_equal(clf.predict(X), clf.decision_function(X) > 0)
    assert_same_predictions(swapped.predict_proba(X)[:, ::-1], clf.predict_proba(X))
    # The penalty curves the objective by alpha at least.
    distance = np.linalg.norm(clf.coef_ + swapped.coef_)
    assert distance <= 2 * np.sqrt(2 * TOL * np.log(2) / params["alpha"])


@given(problems())
def test_order_does_not_matter(recipe):
    X, y = recipe.data
    rows, columns, classes = map(recipe.rng.permutation, (*X.shape, recipe.n_classes))
    params = recipe.params | EXACT

    clf = fitted(X[rows][:, columns], classes[y[rows]], **params)

    plain = fitted(X, y, **params).predict_proba(X)
    assert_same_predictions(clf.predict_proba(X[:, columns])[:, classes], plain)


# Smoothed labels are no separable data.
@given(problems(dtype=DTYPES, **UNPENALISED), st.sampled_from([0.1, 0.0]))
def test_units_that_are_powers_of_two_do_not_round(recipe, smoothing):
    X, y = recipe.data
    units = 2.0 ** recipe.rng.randint(-9, 10, recipe.n_features)
    units = units.astype(recipe.dtype)
    params = recipe.params | {"label_smoothing": smoothing}

    clf = fitted(X * units, y, **params, **BRIEF)

    plain = fitted(X, y, **params, **BRIEF)
    assert_array_equal(clf.coef_ * units, plain.coef_)
    assert_array_equal(clf.predict_proba(X * units), plain.predict_proba(X))


@given(problems(**UNPENALISED), st.sampled_from([0.1, 0.0]))
def test_units_do_not_matter_without_a_penalty(recipe, smoothing):
    X, y = recipe.data
    units = 10 ** recipe.rng.uniform(-6, 6, recipe.n_features)
    units *= recipe.rng.choice([-1, 1], recipe.n_features)
    params = recipe.params | {"label_smoothing": smoothing}

    clf = fitted(X * units, y, **params, **EXACT)

    plain = fitted(X, y, **params, **EXACT)
    assert_same_predictions(clf.predict_proba(X * units), plain.predict_proba(X))


@given(problems())
def test_row_of_weight_k_is_k_copies(recipe):
    X, y = recipe.data
    weight = recipe.rng.randint(4, size=len(y))
    weight[: recipe.n_classes] += 1
    X[weight == 0] *= 1e3  # what is absent has no scale
    copies = recipe.rng.permutation(np.repeat(np.arange(len(y)), weight))
    params = recipe.params | EXACT

    clf = fitted(X, y, weight, **params)

    repeated = fitted(X[copies], y[copies], **params)
    proba, others = clf.predict_proba(X), repeated.predict_proba(X)
    assert_same_predictions(proba, others, sample_weight=weight)


@given(problems(fit_intercept=st.just(True)), st.sampled_from([1.0, 0.0, -1e-6, 1e6]))
def test_a_constant_feature_adds_nothing_to_an_intercept(recipe, value):
    X, y = recipe.data
    more = np.column_stack([np.full(len(y), value), X])
    params = recipe.params | EXACT

    clf = fitted(more, y, **params)

    # Penalised or not: the intercept takes its part for nothing.
    plain = fitted(X, y, **params)
    assert_same_predictions(clf.predict_proba(more), plain.predict_proba(X))
    if alpha := params["alpha"]:
        gap = TOL * np.log(recipe.n_classes)
        assert np.linalg.norm(clf.coef_[:, 0]) <= np.sqrt(2 * gap / alpha)


# Large units, and rows that a small penalty separates, ask for more digits; without a
# penalty nearly separable rows ask for any number.
@pytest.mark.filterwarnings("ignore:.*no step lowered the objective in float32")
@given(problems(dtype=st.just(np.float32), strength=st.sampled_from([1e-1, 1e-3])))
def test_float32_is_as_good_as_its_digits(recipe):
    X, y = recipe.data
    params = recipe.params | EXACT | {"tol": 1e-4}

    single, double = fitted(X, y, **params), fitted(X.astype(np.float64), y, **params)

    assert single.coef_.dtype == np.float32
    proba, others = single.predict_proba(X), double.predict_proba(X)
    assert_same_predictions(proba, others, tol=1e-4)


def strided(X):
    """Return a copy of X whose values are apart from each other."""
    apart = np.zeros((2 * len(X), X.shape[1] + 1), X.dtype)[::2, 1:]
    apart[:] = X
    return apart


@given(problems(dtype=DTYPES), st.sampled_from([np.asfortranarray, strided]))
def test_memory_order_does_not_matter(recipe, layout):
    X, y = recipe.data
    params = recipe.params | BRIEF

    clf = fitted(layout(X), y, **params)

    plain = fitted(X, y, **params)
    # Three steps make more of a rounding, and where nothing but its damping, a share
    # of 1e-10 of its diagonal, makes the Hessian regular, up to 1e10 times as much.
    atol = 100 * (np.finfo(recipe.dtype).eps + rounding(plain, X).max())
    if not recipe.strength:
        atol += 1e10 * np.finfo(np.float64).eps
    assert_allclose(clf.predict_proba(X), plain.predict_proba(X), rtol=0, atol=atol)
    assert_same_raw_predictions(plain, X, layout(X))


def disordered(X, rng, zeros):
    """Return the CSR array with its values in parts, in any order, and maybe zeros."""
    rows, columns, values = (np.tile(part, 2) for part in sp.find(X))
    values /= 2
    if zeros:
        columns = np.append(columns, rng.randint(X.shape[1], size=9))
        rows = np.append(rows, rng.randint(X.shape[0], size=9))
        values = np.append(values, np.zeros(9, X.dtype))
    order = rng.permutation(len(rows))
    order = order[np.argsort(rows[order], kind="stable")]
    indptr = np.searchsorted(rows[order], np.arange(X.shape[0] + 1))
    return sp.csr_array((values[order], columns[order], indptr), shape=X.shape)


def parts_of(X):
    return X.data, X.indices, X.indptr


@given(
    problems(dtype=DTYPES, **SPARSE),
    st.sampled_from([np.int32, np.int64]),
    st.booleans(),
)
def test_disorder_in_csr_does_not_matter(recipe, index, zeros):
    X, y = recipe.data
    X = sp.csr_array(X)
    messy = disordered(X, recipe.rng, zeros)
    # Given to the constructor, SciPy would choose their type.
    messy.indices = messy.indices.astype(index)
    messy.indptr = messy.indptr.astype(index)
    before = [part.copy() for part in parts_of(messy)]
    params = recipe.params | BRIEF | {"batch_size": 16}

    clf = fitted(messy, y, **params)
    fit = clf.coef_
    clf.partial_fit(messy, y)

    plain = fitted(X, y, **params)
    # Explicit zeros change the order of the columns, and so the rounding.
    rtol = 1e3 * np.finfo(recipe.dtype).eps if zeros else 0
    assert_allclose(fit, plain.coef_, rtol=0, atol=rtol * np.abs(fit).max())
    plain.partial_fit(X, y)
    atol = rtol * np.abs(clf.coef_).max()
    assert_allclose(clf.coef_, plain.coef_, rtol=0, atol=atol)
    # Of the two SciPy's abs would set the first one in order.
    assert_same_raw_predictions(clf, X, messy)
    for part, was in zip(parts_of(messy), before, strict=True):
        assert_array_equal(part, was)
        assert part.dtype == was.dtype


# Of columns that are half zero and half far from it all resemble each other, and the
# estimate of the distance in sparse rows' metric falls short.
# Newton's steps went to and fro between two points of one objective.
@example(Recipe(29, 1, 2, 680, fit_intercept=False, strength=0.1))
@given(problems(share=st.sampled_from([0.5, 0.1, 1.0]), offset=st.sampled_from([0, 1])))
def test_dense_and_sparse_rows_teach_the_same(recipe):
    X, y = recipe.data
    params = recipe.params | EXACT

    clf = fitted(sp.csr_array(X), y, **params)

    dense = fitted(X, y, **params)
    assert_same_predictions(clf.predict_proba(X), dense.predict_proba(X))
    assert_same_raw_predictions(clf, X, sp.csr_array(X))


@given(problems(n_features=st.integers(4, 8), **SPARSE), st.integers(2, 8))
def test_batches_of_few_columns_are_dense_batches(recipe, batch_size):
    X, y = recipe.data
    # Of all columns the one that is centered is in every row.
    X[:, 0] = 10.0**recipe.exponent * (100 + recipe.rng.standard_normal(len(y)))
    params = {"preconditioner": "diagonal", "batch_size": batch_size, "random_state": 0}
    params |= recipe.params
    clf, dense = (SoftmaxRegressionClassifier(**params) for _ in "ab")
    classes = np.arange(recipe.n_classes)

    clf.partial_fit(sp.csr_array(X), y, classes)

    dense.partial_fit(X, y, classes)
    assert_allclose(clf.predict_proba(X), dense.predict_proba(X), rtol=0, atol=1e-9)


CUTS = st.lists(st.integers(0, 60), max_size=4)


# In float32 the intercepts' mean is known to a few digits where features are far from
# zero: it is a difference of what the weights and they add up to.
@given(problems(), CUTS, st.integers(1, 9))
def test_a_stream_counts_its_updates_calls_and_rows(recipe, cuts, batch_size):
    X, y = recipe.data
    weight = recipe.rng.randint(3, size=len(y))
    weight[0] = 1
    edges = np.unique([0, *(c for c in cuts if c < len(y)), len(y)])
    params = {"batch_size": batch_size, "random_state": 0}
    clf, classes = SoftmaxRegressionClassifier(**params), np.arange(recipe.n_classes)

    taught = []
    for start, stop in pairwise(edges):
        rows = slice(start, stop)
        clf.partial_fit(X[rows], y[rows], classes, weight[rows])
        taught.append(np.count_nonzero(weight[rows]))

    # A call that teaches nothing is no call.
    assert clf.n_iter_ == np.count_nonzero(taught)
    assert clf.t_ == sum(-(-n // batch_size) for n in taught)
    # The intercept of a new class tells of the rows before it: one more in sixty
    # would change it by .016.
    clf.partial_fit(X[:1], y[:1], np.arange(recipe.n_classes + 1), [0])
    known, new = clf.intercept_[:-1], clf.intercept_[-1]
    assert new == pytest.approx(known.mean() - np.log(sum(taught) + 1), abs=5e-3)


FAULTS = {
    "NaN": "Input X contains NaN",
    "infinite": "Input X contains infinity",
    "too large": "X holds values too large",
    "weight": "sample_weight contains NaN",
    "label": r"y must hold labels among .* got \[99\]",
    "lengths": "inconsistent numbers of samples",
    "features": "features as input|is expecting",
    "classes": "Classes can be added, not taken away",
    "new class": "Input X contains NaN",
    "steps": "Training diverged",
}
# Penalty times step size throws the weights ever farther.
RUNAWAY = {"learning_rate": "constant", "eta0": 1e300, "alpha": 1.0, "batch_size": 2}


def spoiled(X, y, classes, fault):
    """Return arguments of partial_fit, one of them unusable."""
    X, weight, row = X.copy(), np.ones(len(y)), len(y) // 2
    if fault in ("NaN", "new class"):
        X[row, -1] = np.nan
    elif fault == "infinite":
        X[row, 0] = np.inf
    elif fault == "too large":
        X[row] = np.finfo(X.dtype).max / 2
    elif fault == "weight":
        weight[row] = np.nan
    elif fault == "label":
        y[row] = 99
    elif fault == "lengths":
        y = y[1:]
    elif fault == "features":
        X = np.column_stack([X, X])
    elif fault == "classes":
        classes = np.append(classes[1:], 98)
    if fault == "new class":
        classes = np.append(classes, 98)
    return X, y, classes, weight


@given(
    problems(dtype=DTYPES),
    st.sampled_from(list(FAULTS)),
    st.booleans(),
    st.integers(0, 2),
)
def test_a_call_that_fails_has_not_been(recipe, fault, sparse, n_calls):
    assume(n_calls or fault not in ("classes", "features"))
    X, y = recipe.data
    params = {"random_state": np.random.RandomState(0), "batch_size": 8}
    params |= {"learning_rate": "auto", "eta0": 0.1, "alpha": 1e-4}
    clf = SoftmaxRegressionClassifier(**params)
    twin = SoftmaxRegressionClassifier(**params | {"random_state": 0})
    classes = np.arange(recipe.n_classes)
    for _ in range(n_calls):
        clf.partial_fit(X, y, classes)
        twin.partial_fit(X, y, classes)
    bad, *others = spoiled(X, y.copy(), classes, fault)
    if fault == "steps":
        clf.set_params(**RUNAWAY)
    before = joblib.hash(vars(clf))

    with pytest.raises(ValueError, match=FAULTS[fault]):
        clf.partial_fit(sp.csr_array(bad) if sparse else bad, *others)

    assert joblib.hash(vars(clf)) == before
    if fault == "steps":
        del params["random_state"]
        clf.set_params(**params)
    clf.partial_fit(X, y, classes)
    assert_array_equal(clf.coef_, twin.partial_fit(X, y, classes).coef_)
