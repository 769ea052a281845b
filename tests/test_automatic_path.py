"""A path of penalties without given strengths goes far enough, and ends by itself."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler, normalize

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV


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
        np.where(np.arange(400)[:, None] % 40, 1, 1e3) * random_classes(3)[0],
        random_classes(3)[1],
    ),
    "heavy tails": lambda sets: (
        scaled_by_exponentials(random_classes(3)[0]),
        random_classes(3)[1],
    ),
    "collinear": lambda sets: (
        np.hstack([random_classes(3)[0], random_classes(3)[0] + 1e-3]),
        random_classes(3)[1],
    ),
    "constant columns": lambda sets: (
        np.hstack([random_classes(3)[0], np.full((400, 2), 1e4), np.zeros((400, 1))]),
        random_classes(3)[1],
    ),
    "rare class": lambda sets: rare_class(),
    "many classes": lambda sets: random_classes(40, n_features=20),
    "units": lambda sets: (sets["iris"][0] * [1e-8, 1, 1e8, 1], sets["iris"][1]),
    "noise": lambda sets: (np.random.RandomState(0).randn(99, 9), np.arange(99) % 3),
    "nothing": lambda sets: (np.zeros((60, 3)), np.arange(60) % 3),
}
QUICK_L1 = ["words", "iris", "unscaled wine", "nothing"]


@pytest.mark.slow
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


def noise_beside_flags(rng, n_noise, unit):
    flags = (rng.random((1500, 3)) < 0.4).astype(float)
    X = np.hstack([unit * rng.standard_normal((1500, n_noise)), flags])
    return X, flags @ [3, -3, 2] - 0.8


def customers(rng):
    income = rng.lognormal(10.5, 0.5, 1500)
    X, signal = noise_beside_flags(rng, 0, 1)
    limit = 0.3 * income + rng.normal(0, 3000, 1500)
    return np.column_stack([rng.normal(45, 12, 1500), income, limit, X]), signal


def years_and_seconds(rng):
    year = rng.integers(1990, 2020, (1500, 2)).astype(float)
    seconds = 1e9 + 86400.0 * rng.integers(0, 9000, (1500, 3))
    return np.hstack([year, seconds]), (year - 2005) @ [0.25, -0.2]


def common_part(rng, size):
    own = rng.standard_normal((1500, 6))
    return 1 / size * rng.standard_normal((1500, 1)) + own, 2 * (own[:, 0] - own[:, 1])


def reading_and_small_error(rng):
    """Return columns of which the last one tells of the classes beside the first."""
    value, error = rng.standard_normal((2, 1500))
    other = 1e4 * rng.standard_normal((1500, 3))
    return np.column_stack([1e5 * (value + error), other, 1e-4 * error]), 3 * value


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("make", "args"),
    [
        *((noise_beside_flags, (k, u)) for k, u in [(4, 1e2), (4, 1e5), (12, 1e3)]),
        (customers, ()),
        (years_and_seconds, ()),
        (common_part, (0.03,)),
        (common_part, (0.003,)),
        (reading_and_small_error, ()),
    ],
)
def test_an_automatic_path_reaches_all_that_tells_of_the_classes(make, args, dtype):
    rng = np.random.default_rng(0)
    X, signal = make(rng, *args)
    y = (signal + rng.logistic(size=1500) > 0).astype(int)
    if dtype == np.float32 and make in (years_and_seconds, common_part):
        X -= X.mean(axis=0)

    clf = SoftmaxRegressionClassifierCV(random_state=0).fit(
        X[:1000].astype(dtype), y[:1000]
    )

    scaled = StandardScaler().fit_transform(X[:1000])
    expected = SoftmaxRegressionClassifierCV(random_state=0).fit(scaled, y[:1000])
    assert len(clf.alphas_) <= 25
    assert -clf.best_score_ < 1.03 * -expected.best_score_
    assert clf.score(X[1000:].astype(dtype), y[1000:]) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("code", [-99999, 9999])
@pytest.mark.parametrize("seed", range(2))
def test_codes_of_missing_values_hide_no_plateau_of_a_path(code, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4000, 6))
    y = (2 * X[:, :3] + rng.gumbel(size=(4000, 3))).argmax(axis=1)
    X[rng.choice(4000, 40, replace=False), 5] = code

    clf = SoftmaxRegressionClassifierCV(random_state=0).fit(X, y)

    assert -clf.best_score_ < 0.7
    assert clf.score(X, y) > 0.7


@pytest.mark.parametrize("factor", [1e4, 1e6])
def test_one_wild_row_hides_no_plateau_of_a_path(factor):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 6))
    y = (2 * X[:, :3] + rng.gumbel(size=(3000, 3))).argmax(axis=1)
    X[7] *= factor
    alphas = [1e-2, 1e-3]

    clf = SoftmaxRegressionClassifierCV(alphas=alphas, cv=3, random_state=0)
    with pytest.warns(UserWarning, match="alphas"):
        clf.fit(X, y)

    assert clf.score(X, y) > 0.7


def lognormal_columns():
    rng = np.random.default_rng(1)
    Z, B = rng.standard_normal((500, 4)), rng.standard_normal((4, 4))
    return np.exp(2 * Z), 5 * Z @ B + rng.gumbel(size=(500, 4))


def indicators_far_from_zero():
    rng = np.random.default_rng(0)
    X = (rng.random((1000, 3)) < [0.1, 0.3, 0.5]).astype(float)
    raw = 6 * (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal((3, 5))
    return X + np.array([1, 30, 300]), raw + rng.gumbel(size=(1000, 5))


def columns_of_both_kinds():
    rng = np.random.default_rng(1)
    Z, indicators = rng.standard_normal((600, 20)), rng.random((600, 20)) < 0.2
    is_lognormal = np.arange(20) % 2 == 0
    X = np.where(is_lognormal, np.exp(2 * Z), indicators) + 10 ** rng.uniform(0, 3, 20)
    raw = np.where(is_lognormal, Z, (indicators - 0.2) / 0.4)
    return X, raw @ rng.standard_normal((20, 8)) + rng.gumbel(size=(600, 8))


def rows_of_two_scales(scale=1e5):
    rng, y = np.random.default_rng(0), np.repeat([0, 1, 2], [600, 600, 300])
    X = rng.standard_normal((1500, 2))
    X[:, 0] += np.array([-1.5, 1.5, 0])[y]
    X[y == 2] = scale * rng.uniform(0.9, 1.1, (300, 2))
    order = rng.permutation(1500)
    return X[order], np.eye(3)[y[order]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "fit_intercept", "score"),  # with tol=1e-6
    [
        (lognormal_columns, True, -0.815),
        (indicators_far_from_zero, False, -0.429),
        (columns_of_both_kinds, False, -1.497),
        (rows_of_two_scales, True, -0.358),
    ],
)
def test_rows_sure_of_their_class_hide_no_plateau_of_a_path(
    make, fit_intercept, score, objective
):
    X, raw = make()
    y = raw.argmax(axis=1)
    params = {"fit_intercept": fit_intercept, "random_state": 0}

    clf = SoftmaxRegressionClassifierCV(**params).fit(X, y)

    assert clf.best_score_ == pytest.approx(score, abs=0.015)
    optimum = SoftmaxRegressionClassifier(
        alpha=clf.alpha_, solver="svrg", tol=1e-5, **params
    ).fit(X, y)
    model = {"X": X, "y": y, "sample_weight": np.ones(len(y)), "alpha": clf.alpha_}
    least, value = (
        objective(**model, coef=m.coef_, intercept=m.intercept_) for m in (optimum, clf)
    )
    assert value < 1.01 * least


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tiny_columns_beside_others_begin_a_path():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    y = (X @ rng.standard_normal((4, 3)) + rng.gumbel(size=(300, 3))).argmax(axis=1)
    X[:, :2] *= 1e-157
    expected = SoftmaxRegressionClassifierCV().fit(X[:, 2:], y)

    clf = SoftmaxRegressionClassifierCV().fit(X, y)

    assert clf.best_score_ > expected.best_score_ - 0.02


def test_columns_of_rounding_errors_do_not_stretch_an_automatic_path():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 40))
    y = (X[:, :4].sum(axis=1) + rng.logistic(size=150) > 0).astype(int)
    jitter = 0.1 + rng.integers(-3, 4, (150, 60)) * np.spacing(0.1)
    clf = SoftmaxRegressionClassifierCV(random_state=0)
    expected = clone(clf).fit(X, y)

    clf.fit(np.hstack([X, jitter]), y)

    assert_allclose(clf.alphas_, expected.alphas_)


def test_rows_without_weight_stretch_no_automatic_path():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 60)) * 1e-3, rng.integers(2, size=200)
    X[:, 0] = 1e3 * X[:, 0] + y
    weight = np.r_[np.ones(200), np.zeros(1800)]
    splits = list(StratifiedKFold(5).split(X, y))
    expected = SoftmaxRegressionClassifierCV(cv=splits).fit(X, y)

    clf = SoftmaxRegressionClassifierCV(cv=splits)
    clf.fit(np.vstack([X, np.repeat(X, 9, axis=0)]), np.r_[y, np.repeat(y, 9)], weight)

    assert_allclose(clf.alphas_, expected.alphas_)


@pytest.mark.slow
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize(
    ("dtype", "unit"),
    [
        *((np.float32, unit) for unit in (1e-30, 1e-18, 1e-8, 1e8, 1e15)),
        *((np.float64, unit) for unit in (1e-100, 1e-20, 1e20, 1e140)),
    ],
)
def test_an_automatic_path_has_the_unit_of_the_features(dtype, unit, l1_ratio):
    X, y = random_classes(3)
    clf = SoftmaxRegressionClassifierCV(l1_ratio=l1_ratio, random_state=0)
    expected = clone(clf).fit(X.astype(dtype), y)

    clf.fit((X * unit).astype(dtype), y)

    factor = unit if l1_ratio else unit**2  # of the strengths
    assert_allclose(clf.alphas_ / factor, expected.alphas_, rtol=1e-3)
    assert_allclose(clf.alpha_ / factor, expected.alpha_, rtol=1e-3)
    assert_allclose(clf.mean_score_, expected.mean_score_, rtol=1e-2)


def test_an_automatic_path_warns_of_no_edge():
    rng = np.random.RandomState(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftmaxRegressionClassifierCV().fit(rng.randn(60, 9), np.arange(60) % 3)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("scale", [1e8, 1e12])
def test_a_path_ends_before_strengths_that_no_split_can_win(scale, layout):
    X, y = load_iris(return_X_y=True)
    X[::5] *= scale
    clf = SoftmaxRegressionClassifierCV(
        cv=StratifiedKFold(5, shuffle=True, random_state=0)
    )

    clf.fit(layout(X), y)

    assert clf.alphas_[-1] > 100  # held-out losses are above 1e4 at weaker penalties
