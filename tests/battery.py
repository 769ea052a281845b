"""Random problems as hard as real data, with the optimal objective of each.

`make_problem` draws a problem from a seed, `reference` solves it by another method in
float64, `check` measures how far a fitted estimator is from the optimum. Nothing here
uses more of sksoftmax than its public API.
"""

import time
import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular, svd
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier

# Up to these sizes "auto" trains on all rows in a batch from the start.
DENSE_CELLS, SPARSE_CELLS = 3.9e7, 3.9e6


@dataclass(frozen=True)
class Problem:
    """Arguments of `fit` and parameters of the estimator.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Labels or class probabilities.
    sample_weight : ndarray of shape (n_samples,) or None
    params : dict
        Parameters of the problem, none of the solver.
    description : str
        One line for messages.
    tags : frozenset of str
        Groups that a summary counts: kinds of features, "float32", "sparse", ...
    """

    X: object
    y: np.ndarray
    sample_weight: np.ndarray | None
    params: dict
    description: str
    tags: frozenset = field(default_factory=frozenset)


class Reference(NamedTuple):
    """The optimum of a problem.

    `value` is the objective at `coef` and `intercept`, so that the optimum is not above
    it. `lower` is a lower bound of the optimum by Fenchel duality, or None.
    `rounding` is how much the objective rises where `coef` and `intercept` are rounded
    to the dtype that the estimator returns.
    """

    value: float
    lower: float | None
    coef: np.ndarray
    intercept: np.ndarray
    rounding: float


class Result(NamedTuple):
    """What `check` measured.

    `gap` is relative to the larger of the optimum and log(n_classes) / 1000, `excess`
    absolute. Both are at most the true ones, as the reference is a model's objective.
    `uncertainty` is the gap of the optimal weights rounded to the dtype of X.
    """

    gap: float
    excess: float
    uncertainty: float
    warned: bool
    steps: int
    seconds: float


# --------------------------------------------------------------------- generator


def sizes(seed):
    """Return the generator of a seed and n_samples, n_features, n_classes, flags."""
    rng = np.random.default_rng([20, seed])
    cells = 10 ** rng.choice([rng.uniform(2, 5), rng.uniform(4, 6.3), 7.59], p=PARTS)
    sparse = rng.random() < 0.2
    l1_ratio = float(rng.choice([0, 0.5, 1], p=[0.8, 0.1, 0.1]))
    n, d, q = (
        int(_log_uniform(rng, low, high))
        for low, high in ((2, 5000), (1, 3000), (2, 301))
    )
    if rng.random() < 0.5:
        q = int(rng.choice([2, 3, 4]))
    if rng.random() < 0.65:  # more rows than weights: the optimum is not separable
        n = int(_log_uniform(rng, 50, 5000))
        d = int(_log_uniform(rng, 1, max(2, n / 10)))
    smallest = {"n": 2, "d": 1, "q": 2}
    size = {"n": n, "d": d, "q": q}

    def too_large():
        n, d, q = size.values()
        dense = n * d * q > min(cells, SPARSE_CELLS if sparse else DENSE_CELLS)
        return dense or (l1_ratio and (d * q > 300 or n * (d * q) ** 2 > 2e8))

    while too_large():
        name = rng.choice([k for k in size if size[k] > smallest[k]])
        size[name] = max(smallest[name], int(size[name] / rng.uniform(1.1, 2)))
    return rng, *size.values(), sparse, l1_ratio


# Of small, of medium and of the largest problems.
PARTS = [0.4, 0.54, 0.06]


def make_problem(seed) -> Problem:
    """Draw a problem; the same for the same seed."""
    rng, n, d, q, sparse, l1_ratio = sizes(seed)
    notes, tags = [], set()

    X, signal = _features(rng, n, d, sparse, notes, tags)
    y = _targets(rng, signal, q, notes, tags)
    X = _spoil(rng, X, sparse, notes, tags)
    dtype = np.float32 if rng.random() < 0.35 else np.float64
    limit = 1e14 if dtype == np.float32 else 1e18
    X /= np.maximum(1, np.abs(X).max(axis=0) / limit)
    X = X.astype(dtype)
    tags.add(np.dtype(dtype).name)
    if sparse:
        X = sp.csr_array(X) if rng.random() < 0.5 else sp.csr_matrix(X)
        tags.add("sparse")

    params = {"l1_ratio": l1_ratio, "fit_intercept": bool(rng.random() < 0.8)}
    params["alpha"] = 0.0 if rng.random() < 0.12 else _log_uniform(rng, 1e-10, 1e3)
    if params["alpha"] > 1e-2 and rng.random() < 0.7:  # else the optimum is near zero
        params["alpha"] = _log_uniform(rng, 1e-8, 1e-2)
    tags.add("alpha=0" if params["alpha"] == 0 else f"l1_ratio={l1_ratio:g}")
    if not params["fit_intercept"]:
        tags.add("no intercept")
    sample_weight = _sample_weight(rng, n, notes, tags)
    y, sample_weight = _two_classes(y, sample_weight)
    params["class_weight"] = _class_weight(rng, y, notes, tags)
    description = (
        f"seed {seed}: {n} x {d}, {q} classes, {np.dtype(dtype).name}, "
        f"{'sparse' if sparse else 'dense'}, alpha={params['alpha']:.2g}, "
        f"l1_ratio={l1_ratio:g}{'' if params['fit_intercept'] else ', no intercept'}; "
        + ", ".join(notes)
    )
    return Problem(X, y, sample_weight, params, description, frozenset(tags))


def _log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _one_hot(rng, n, d):
    """Return groups of columns, in each of which a row has exactly one 1."""
    X, start = np.zeros((n, d)), 0
    while start < d:
        levels = min(d - start, int(_log_uniform(rng, 2, 30)))
        share = rng.dirichlet(np.full(levels, 0.5))
        X[np.arange(n), start + rng.choice(levels, n, p=share)] = 1
        start += levels
    return X


def _dates(rng, n, d):
    day = rng.integers(0, 9000, (n, d))
    unit = rng.choice([3, 1], d)
    return np.where(unit == 3, 1990.0 + day // 365, 1e9 + 86400.0 * day)


def _lags(rng, n, d):
    """Return lags of a series that is integrated once or twice, and its innovations."""
    innovations = rng.normal(size=n + d)
    series = np.cumsum(innovations)
    if rng.random() < 0.5:
        series = np.cumsum(series)
    index = np.arange(n)[:, None] + np.arange(d)[::-1]
    return series[index], innovations[index]


def _polynomials(rng, n, d):
    """Return powers 1 to 5 of a few columns."""
    n_bases = -(-d // 5)
    base = [
        lambda: rng.normal(size=(n, n_bases)),
        lambda: rng.uniform(0, 10, (n, n_bases)),
        lambda: rng.integers(2000, 2021, (n, n_bases)).astype(float),
    ][rng.integers(3)]()
    powers = [base**k for k in range(1, 6)]
    signal = [((base - base.mean(0)) / (base.std(0) + 1e-9)) ** k for k in range(1, 6)]
    return np.hstack(powers)[:, :d], np.hstack(signal)[:, :d]


def _low_rank(rng, n, d):
    rank = max(1, min(n, d) // 4)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))
    return X + rng.choice([1e-1, 1e-3, 1e-5]) * rng.normal(size=(n, d))


def _near_binary(rng, n, d):
    X = (rng.random((n, d)) < rng.choice([0.5, 0.05, 0.005])).astype(float)
    return X + rng.choice([0, 1e-3]) * rng.normal(size=(n, d))


KINDS = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "lognormal": lambda rng, n, d: rng.lognormal(0, 2.5, (n, d)),
    "pareto": lambda rng, n, d: rng.pareto(1.2, (n, d)),
    "cauchy": lambda rng, n, d: rng.standard_cauchy((n, d)),
    "t2": lambda rng, n, d: rng.standard_t(2, (n, d)),
    "near-binary": _near_binary,
    "one-hot": _one_hot,
    "counts": lambda rng, n, d: rng.poisson(rng.lognormal(-1, 1.5, d), (n, d)).astype(
        float
    ),
    "dates": _dates,
    "lags": _lags,
    "polynomials": _polynomials,
    "low-rank": _low_rank,
}
CLEAN = {"normal", "near-binary", "one-hot", "counts", "low-rank"}
SPARSE = ["normal", "lognormal", "pareto", "t2", "near-binary", "one-hot", "counts"]


def _features(rng, n, d, sparse, notes, tags):
    """Return features and what the targets depend on, both (n_samples, n_features)."""
    kinds = SPARSE if sparse else list(KINDS)
    n_kinds = 2 if d > 1 and rng.random() < 0.25 else 1
    chosen = [str(kind) for kind in rng.choice(kinds, n_kinds, replace=False)]
    edges = [0, d] if n_kinds == 1 else [0, int(rng.integers(1, d)), d]
    blocks, signals = [], []
    for kind, width in zip(chosen, np.diff(edges), strict=True):
        block = KINDS[kind](rng, n, int(width))
        block, signal = block if isinstance(block, tuple) else (block, block)
        blocks.append(block)
        signals.append(signal)
    notes.append(" + ".join(chosen))
    tags.update(chosen)
    X, signal = np.hstack(blocks), np.hstack(signals)
    if sparse:
        density = _log_uniform(rng, 0.005, 0.5)
        kept = rng.random((n, d)) < density
        kept |= np.isin(np.arange(d), np.arange(*edges[:2])) & (chosen[0] == "one-hot")
        X, signal = X * kept, signal * kept
        notes.append(f"density {np.mean(X != 0):.2g}")
    if set(chosen) <= CLEAN:
        wild = rng.choice(["none", "wild value", "wild row"], p=[0.6, 0.2, 0.2])
        factor = 10.0 ** rng.uniform(3, 5)
        i, j = rng.integers(n), rng.integers(d)
        if wild == "wild value":
            X[i, j] = X[i, j] * factor or factor
        elif wild == "wild row":
            X[i] *= factor
        if wild != "none":
            notes.append(f"{wild} times {factor:.0f}")
            tags.add(str(wild))
    return X, signal


def _targets(rng, signal, q, notes, tags):
    """Return labels or probabilities from a linear model of tame features."""
    n, d = signal.shape
    some = rng.choice(d, min(d, 40), replace=False)
    tame = np.sign(signal[:, some]) * np.log1p(np.abs(signal[:, some]))
    tame = (tame - tame.mean(axis=0)) / (tame.std(axis=0) + 1e-12)
    tame = np.clip(tame, -3, 3)
    strength = float(rng.choice([0, 0.5, 2, 5, 30]))
    raw = strength * tame @ rng.normal(size=(len(some), q)) / np.sqrt(len(some))
    raw += rng.choice([0, 0.5, 2]) * rng.normal(size=q)  # classes of unequal sizes
    notes.append(f"signal {strength:g}")
    if rng.random() < 0.12:
        notes.append("soft labels")
        tags.add("soft labels")
        y = softmax(raw + rng.gumbel(size=raw.shape), axis=1)
        if rng.random() < 0.3:
            y[y < 0.05] = 0
        y /= y.sum(axis=1, keepdims=True)
        return y.astype(np.float32) if rng.random() < 0.3 else y
    noise = rng.choice([0, 1], p=[0.15, 0.85])
    tags.add("noiseless" if strength and not noise else "noisy")
    y = np.argmax(raw + noise * rng.gumbel(size=raw.shape), axis=1)
    if rng.random() < 0.25:
        notes.append("a class of one row")
        tags.add("rare class")
        y[y == q - 1] = 0
        y[rng.integers(n)] = q - 1
    if rng.random() < 0.2:
        return np.char.add("c", y.astype(str))
    return y * 3 - 5


def _spoil(rng, X, sparse, notes, tags):
    """Return X with constant and duplicated columns, other units and offsets."""
    d = X.shape[1]
    X = X.copy()
    if d > 2 and rng.random() < 0.2:
        target, source = rng.permutation(d)[:2]
        X[:, target] = X[:, source] * rng.choice([1, 3, -1.7])
        if not sparse and rng.random() < 0.5:
            X[:, rng.integers(d)] = rng.choice([0, 1, 1e3])
        notes.append("duplicated")
        tags.add("duplicated")
    if rng.random() < 0.3:
        width = float(rng.choice([2, 4, 8]))
        X *= 10 ** rng.uniform(-width, width, d)
        notes.append(f"scales 1e+-{width:g}")
        tags.add("scales")
    if not sparse and rng.random() < 0.2:
        offset = 10 ** rng.uniform(0, 6, d) * rng.choice([0, 1], d, p=[0.3, 0.7])
        X += offset * np.median(np.abs(X), axis=0)
        notes.append("offsets")
        tags.add("offsets")
    return X


def _sample_weight(rng, n, notes, tags):
    kind = rng.choice(["", "exponential", "zeros", "1e12"], p=[0.6, 0.15, 0.13, 0.12])
    if not kind:
        return None
    notes.append(f"weights {kind}")
    tags.add(f"weights {kind}")
    weight = rng.exponential(size=n)
    if kind == "zeros":
        weight[rng.random(n) < rng.choice([0.1, 0.5])] = 0
    if kind == "1e12":
        weight = 10 ** rng.uniform(-12, 0, n)
    return weight


def _two_classes(y, sample_weight):
    """Give two classes rows of positive weight."""
    if y.ndim == 2:
        if sample_weight is not None and not sample_weight.any():
            sample_weight[0] = 1.0
        rows = y if sample_weight is None else y[sample_weight > 0]
        if np.count_nonzero(rows.sum(axis=0)) < 2:
            y = y * 0.9 + 0.1 / y.shape[1]
        return y, sample_weight
    if len(np.unique(y)) < 2:
        y = y.copy()
        y[0] = "other" if y.dtype.kind == "U" else 1000
    if sample_weight is not None:
        first = np.unique(y, return_index=True)[1]
        while len(np.unique(y[sample_weight > 0])) < 2:
            sample_weight[first[:2]] = 1.0
    return y, sample_weight


def _class_weight(rng, y, notes, tags):
    kind = rng.choice(["none", "balanced", "dict"], p=[0.75, 0.15, 0.1])
    if kind == "none":
        return None
    notes.append(f"class_weight {kind}")
    tags.add("class_weight")
    if kind == "balanced":
        return "balanced"
    labels = (np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)).tolist()
    return {label: _log_uniform(rng, 0.1, 10) for label in labels[::2]}


# --------------------------------------------------------------------- objective


def _classes(problem):
    y = problem.y
    return np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)


def weighted_targets(problem):
    """Return class probabilities and weights that sum to one, of each row."""
    y, classes, n = problem.y, _classes(problem), problem.X.shape[0]
    if y.ndim == 1:
        Y = (y[:, None] == classes).astype(float)
    else:
        Y = y.astype(float)
        Y /= Y.sum(axis=1, keepdims=True)
    weight = problem.sample_weight
    weight = np.ones(n) if weight is None else weight.astype(float)
    weight = weight * row_factors(problem, Y, weight)
    return Y, weight / weight.sum()


def row_factors(problem, Y, weight):
    """Return the weight of each row's class, or the mean under its probabilities."""
    class_weight = problem.params.get("class_weight")
    if class_weight is None:
        return np.ones(len(Y))
    if class_weight == "balanced":
        total = weight @ Y
        total[total == 0] = np.inf
        factor = weight.sum() / np.isfinite(total).sum() / total
    else:
        labels = _classes(problem).tolist()
        factor = np.array([class_weight.get(k, 1.0) for k in labels])
    return Y @ factor


def _cross_entropy(raw, Y):
    """Return the cross-entropy of each row, accurate where it is nearly zero."""
    if raw.shape[1] == 1:
        raw = np.hstack([np.zeros_like(raw), raw])
    raw = raw - (Y * raw).sum(axis=1, keepdims=True)
    top = raw.argmax(axis=1)[:, None]
    largest = np.take_along_axis(raw, top, axis=1)
    others = np.exp(raw - largest)
    np.put_along_axis(others, top, 0, axis=1)
    return largest[:, 0] + np.log1p(others.sum(axis=1))


def _penalty(problem, coef):
    alpha, l1_ratio = problem.params["alpha"], problem.params["l1_ratio"]
    coef = coef.astype(np.longdouble)
    return alpha * (
        (1 - l1_ratio) / 2 * (coef**2).sum() + l1_ratio * np.abs(coef).sum()
    )


def objective(problem, coef, intercept) -> float:
    """Return the documented objective.

    Raw predictions are computed in extended precision, or, of many numbers, from
    centred columns, so that features far from zero cost no digits.
    """
    Y, weight = weighted_targets(problem)
    rows = weight > 0
    X = problem.X[rows]
    X = (X.toarray() if sp.issparse(X) else X).astype(float)
    coef = np.asarray(coef.toarray() if sp.issparse(coef) else coef, float)
    intercept = np.asarray(intercept, np.longdouble)
    if X.shape[0] * coef.size <= 2e5:
        raw = X.astype(np.longdouble) @ coef.T.astype(np.longdouble) + intercept
    else:
        center = np.median(X, axis=0)
        shift = coef.astype(np.longdouble) @ center.astype(np.longdouble)
        raw = (X - center) @ coef.T + (intercept + shift).astype(float)
    losses = _cross_entropy(raw, Y[rows])
    return float(weight[rows] @ losses + _penalty(problem, coef))


# --------------------------------------------------------------------- reference


class _Rows:
    """A problem as its rows of positive weight, centred, in dense float64."""

    def __init__(self, problem) -> None:
        Y, weight = weighted_targets(problem)
        rows = weight > 0
        self.Y, self.weight = Y[rows], weight[rows]
        self.intercept = problem.params["fit_intercept"]
        # The intercept of a class without weight falls without end; its row is zero.
        self.kept = np.ones(Y.shape[1], bool)
        if self.intercept and Y.shape[1] > 2:
            self.kept = self.weight @ self.Y > 0
            self.Y = self.Y[:, self.kept]
        self.binary = len(self.kept) == 2
        self.n_outputs = 1 if self.binary else self.Y.shape[1]
        X = problem.X[rows]
        X = X.toarray() if sp.issparse(X) else X
        self.center = np.zeros(X.shape[1])
        if self.intercept:
            # In two steps, as a mean of far numbers is off by a rounding of these.
            first = np.median(X, axis=0).astype(float)
            X = X.astype(float) - first
            second = self.weight @ X
            self.center = first + second
            X = X - (self.center - first)
        self.X = X.astype(float)
        alpha, l1_ratio = problem.params["alpha"], problem.params["l1_ratio"]
        self.l1, self.l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)

    def probabilities(self, raw):
        """Return the probabilities of the outputs and of what is not them."""
        if self.binary:
            raw = np.hstack([np.zeros_like(raw), raw])
        p = softmax(raw, axis=1)
        return p[:, 1:] if self.binary else p

    @property
    def targets(self):
        return self.Y[:, 1:] if self.binary else self.Y

    def loss(self, raw):
        return self.weight @ _cross_entropy(raw, self.Y)

    def times_jacobian(self, p, change):
        """Return the change of the probabilities with that of the raw predictions."""
        if self.binary:
            return p * (1 - p) * change
        return p * (change - (p * change).sum(axis=1, keepdims=True))

    def refine(self, coef, intercept, solver):
        """Return weights and intercepts after a Newton step, and its dual point.

        The step is refined with residuals in extended precision, until the linear
        equations of a dual point hold to many digits: the Fenchel dual of an intercept
        is a constraint, that of small columns has a small alpha to divide by.
        """
        small = self.X.size * self.n_outputs <= 3e6
        kind = np.longdouble if small else float
        X, coef, intercept = (a.astype(kind) for a in (self.X, coef, intercept))
        p = self.probabilities(X @ coef.T + intercept)
        sign = self.l1 * np.sign(coef)
        step, shift = np.zeros_like(coef), np.zeros_like(intercept)
        try:
            solve = solver.newton_solver(p.astype(float), coef)
        except LinAlgError:
            return (coef.astype(float), intercept.astype(float)), 0.0
        dual, best, idle = p, 0.0, 0
        for _ in range(30):
            residual = self.weight[:, None] * (dual - self.targets)
            gradient = residual.T @ X + self.l2 * (coef + step) + sign
            change, change_0 = solve(-gradient, -residual.sum(axis=0))
            if not np.isfinite(change).all():
                break
            step, shift = step + change, shift + change_0
            dual = p + self.times_jacobian(p, X @ step.T + shift)
            lower = self.dual_objective(X, dual)
            idle = 0 if lower > best else idle + 1
            best = max(best, lower)
            if idle == 4:
                break
        moved = (coef + step).astype(float), (intercept + shift).astype(float)
        return moved, best

    def dual_objective(self, X, dual):
        """Return the Fenchel dual at class probabilities, or 0 where not feasible."""
        if not (self.l1 or self.l2) or not np.isfinite(dual).all():
            return 0.0
        residual = self.weight[:, None] * (dual - self.targets)
        if self.intercept and np.abs(residual.sum(axis=0)).max() > 1e-14:
            return 0.0
        gradient = np.abs(residual.T @ X)
        slack = 0.0
        if self.l2:
            slack = (np.maximum(gradient - self.l1, 0) ** 2).sum() / (2 * self.l2)
        elif gradient.max() > self.l1:  # towards the targets the gradient shrinks
            shrink = self.l1 / gradient.max()
            dual = self.targets + shrink * (dual - self.targets)
        p = np.hstack([1 - dual, dual]) if self.binary else dual
        if p.min() < -1e-12:  # less is rounding
            return 0.0
        entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)
        return max(0.0, float(self.weight @ entropy - slack))

    def model(self, coef, intercept):
        """Return `coef` and `intercept` of all classes, from those of centred X."""
        shift = coef.astype(np.longdouble) @ self.center.astype(np.longdouble)
        intercept = (intercept - shift).astype(float)
        if self.kept.all():
            return coef, intercept
        coef_, intercept_ = np.zeros((len(self.kept), coef.shape[1])), None
        coef_[self.kept] = coef
        intercept_ = np.full(len(self.kept), 0.0)
        intercept_[self.kept] = intercept
        # Below all others by 80 in each row.
        raw = self.X @ coef.T + (intercept + shift).astype(float)
        intercept_[~self.kept] = raw.min() - 80
        return coef_, intercept_


class _Smooth:
    """Newton's method in coordinates in which the quadratic at zero is the unit matrix.

    With few features these come from a QR decomposition of the weighted rows with those
    of the penalty below, with few rows from a singular value decomposition, which
    restricts the weights to the span of the rows.
    """

    common = 1.0  # times the mean curvature, along changes that all classes share

    def __init__(self, rows) -> None:
        self.rows = rows
        X, root = rows.X, np.sqrt(rows.weight)[:, None]
        n, d = X.shape
        if n < d and rows.l2:
            left, size, right = svd(root * X, full_matrices=False)
            keep = size > 1e-15 * size[0] if size[0] else size > 0
            right, size = right[keep], size[keep]
            scale = np.sqrt(size**2 / 4 + rows.l2)
            self.basis = right.T / scale  # (n_features, rank)
            # X @ right.T loses what is small; left * size has it, but for the weights.
            accurate = rows.weight.min() > 1e-6 * rows.weight.max()
            Z = left[:, keep] * size / root if accurate else X @ right.T
            self.Z, self.P = Z / scale, np.diag(rows.l2 / scale**2)
        else:
            scale = np.sqrt(rows.weight @ X**2 / 4 + rows.l2)
            scale[scale == 0] = 1.0
            stacked = root * (X / scale) / 2
            if rows.l2:
                stacked = np.vstack([stacked, np.diag(np.sqrt(rows.l2) / scale)])
            R, order = qr(stacked, mode="r", pivoting=True)
            R = R[: min(R.shape)]
            size = np.abs(np.diag(R))
            rank = int(np.sum(size > 1e-12 * max(size.max(), 1e-300)))
            R, order = R[:rank, :rank], order[:rank]
            self.basis = np.zeros((d, rank))
            inverse = solve_triangular(R, np.eye(rank)) if rank else R
            self.basis[order] = inverse / scale[order][:, None]
            half = self.basis * np.sqrt(rows.l2)
            self.P = half.T @ half
            columns = (X[:, order] / scale[order]).T
            Z = solve_triangular(R, columns, trans="T").T if rank else columns.T
            self.Z = Z
        if rows.intercept:
            self.Z = np.hstack([self.Z, np.ones((n, 1))])
            self.P = np.pad(self.P, ((0, 1), (0, 1)))
        self.Z = np.ascontiguousarray(self.Z)

    def solve(self, max_iter=500, seconds=20.0):
        """Return the weights and intercepts of the outputs."""
        rows, Z, P = self.rows, self.Z, self.P
        U = np.zeros((Z.shape[1], rows.n_outputs))
        raw = np.zeros((Z.shape[0], rows.n_outputs))
        value, change = rows.loss(raw), np.zeros_like(raw)
        start, idle = time.perf_counter(), 0
        self.n_products, last_decrement = 50, np.inf
        floor = 1e-3 * np.log(max(2, len(rows.kept)))
        for _ in range(max_iter):
            p = rows.probabilities(raw)
            residual = rows.weight[:, None] * (p - rows.targets)
            gradient = Z.T @ residual + P @ U
            step = self._newton_step(p, -gradient)
            change = Z @ step
            decrement = -(gradient * step).sum()
            if not decrement > 1e-15 * max(value, floor) or value < 1e-13:
                break
            if decrement > last_decrement / 4:
                self.n_products = min(2 * self.n_products, 5000)
            last_decrement = decrement
            t = self._line_search(U, raw, step, change)
            U = U + t * step
            raw = Z @ U
            last, value = value, rows.loss(raw) + 0.5 * (U * (P @ U)).sum()
            idle = idle + 1 if last - value <= 1e-15 * max(value, floor) else 0
            if idle == 3 or time.perf_counter() - start > seconds:
                break
        coef = self.basis @ U[: self.basis.shape[1]]
        intercept = U[-1] if rows.intercept else np.zeros(rows.n_outputs)
        return coef.T, intercept

    def newton_solver(self, p, coef):
        """Return a function that solves the Newton equations for a gradient."""
        rank, m = self.basis.shape[1], self.rows.n_outputs
        direct = self._direct(m)
        factor = _Factor(self._hessian(p)) if direct else None
        self.n_products = 1000

        def solve(right, right_0):
            U = (right @ self.basis).astype(float).T
            if self.rows.intercept:
                U = np.vstack([U, right_0.astype(float)])
            if direct:
                U = factor.solve(U.T.ravel()).reshape(m, -1).T
            else:
                U = self._conjugate_gradients(p, U)
            change_0 = U[-1] if self.rows.intercept else np.zeros(m)
            return (self.basis @ U[:rank]).T, change_0

        return solve

    def _direct(self, m):
        n, r = self.Z.shape
        return r * m <= 1500 and n * (r * m) ** 2 <= 2e9

    def _newton_step(self, p, right):
        r, m = right.shape
        if self._direct(m):
            return _solve_posdef(self._hessian(p), right.T.ravel()).reshape(m, r).T
        return self._conjugate_gradients(p, right)

    def _hessian(self, p):
        """Return the exact Hessian, its variables by class, then by coordinate."""
        Z, P, weight = self.Z, self.P, self.rows.weight
        (n, r), m = Z.shape, p.shape[1]
        if self.rows.binary:
            return (Z.T * (weight * (p * (1 - p))[:, 0])) @ Z + P
        K = (p[:, :, None] * Z[:, None, :]).reshape(n, m * r)
        K *= np.sqrt(weight)[:, None]
        H = -(K.T @ K)
        for k in range(m):
            block = slice(k * r, (k + 1) * r)
            H[block, block] += (Z.T * (weight * p[:, k])) @ Z + P
        # No change that all classes share is a descent of the loss: any curvature
        # along it will do, and without some the weights would drift.
        common = (Z.T * (weight / m**2)) @ Z * self.common
        if self.rows.intercept:
            common[-1, -1] = 1 / m**2
        return H + np.tile(common, (m, m))

    def _conjugate_gradients(self, p, right):
        Z, P, rows = self.Z, self.P, self.rows
        (n, r), m = Z.shape, p.shape[1]
        curvature = rows.weight[:, None] * p * (1 - p)
        shared = m * r * r * (n + r) > 6e9
        if shared:
            curvature = curvature.mean(axis=1, keepdims=True)
        factors = [_Factor((Z.T * h) @ Z + P) for h in curvature.T]

        def precondition(G):
            if shared:
                return factors[0].solve(G)
            columns = [f.solve(G[:, k]) for k, f in enumerate(factors)]
            return np.stack(columns, axis=1)

        def times_hessian(D):
            change = rows.times_jacobian(p, Z @ D)
            return Z.T @ (rows.weight[:, None] * change) + P @ D

        step, residual = np.zeros_like(right), right.copy()
        z = precondition(residual)
        direction, rz = z, (residual * z).sum()
        first = rz
        for _ in range(self.n_products):
            if not rz > 1e-4 * first:
                break
            product = times_hessian(direction)
            curved = (direction * product).sum()
            if not curved > 0:
                break
            step = step + rz / curved * direction
            residual = residual - rz / curved * product
            z = precondition(residual)
            last, rz = rz, (residual * z).sum()
            direction = z + rz / last * direction
        return step if step.any() else precondition(right)

    def _line_search(self, U, raw, step, change):
        """Return the minimiser along the step, nearly exactly."""
        rows = self.rows
        linear = (step * (self.P @ U)).sum()
        square = (step * (self.P @ step)).sum()

        def slope(t):
            residual = rows.probabilities(raw + t * change) - rows.targets
            return rows.weight @ (residual * change).sum(axis=1) + linear + t * square

        return _root(slope)


class _Factor:
    """A Cholesky decomposition of a scaled matrix, however nearly singular."""

    def __init__(self, H) -> None:
        self.scale = np.sqrt(np.maximum(np.diag(H), 1e-300))
        H = H / self.scale / self.scale[:, None]
        for damping in 10.0 ** np.arange(-15, 1):
            H[np.diag_indices_from(H)] = 1 + damping
            try:
                self.factor = cho_factor(H, lower=True)
                break
            except LinAlgError:
                continue
        else:
            raise LinAlgError("not positive definite")

    def solve(self, g):
        scale = self.scale if g.ndim == 1 else self.scale[:, None]
        return cho_solve(self.factor, g / scale, check_finite=False) / scale


def _solve_posdef(H, g):
    factor = _Factor(H)
    x = factor.solve(g)
    better = x + factor.solve(g - H @ x)  # against the damping
    return better if g @ better > 0 else x


def _root(slope):
    """Return where an increasing function, negative at zero, is nearly zero."""
    low, high, at_low, at_high = 0.0, np.inf, slope(0.0), np.nan
    if not at_low < 0:
        return 0.0
    first, t = abs(at_low), 1.0
    for i in range(60):
        at_t = slope(t)
        if abs(at_t) <= 1e-2 * first or high - low <= 1e-3 * high < np.inf:
            return t
        if at_t < 0:
            low, at_low = t, at_t
        else:  # or not a number
            high, at_high = t, at_t
        if high == np.inf:
            if t > 1e3:
                return t
            t *= 4
        elif low and i % 3 and np.isfinite(at_high):
            t = low + (high - low) * at_low / (at_low - at_high)
        else:
            t = (low + high) / 2
    return low


class _Sparse:
    """An interior point method for penalties with L1."""

    def __init__(self, rows) -> None:
        self.rows = rows
        scale = np.sqrt(rows.weight @ rows.X**2)
        self.scale = np.where(scale > 0, scale, 1.0)
        Z = rows.X / self.scale
        l1, l2 = rows.l1 / self.scale, rows.l2 / self.scale**2
        if rows.intercept:
            Z = np.hstack([Z, np.ones((len(Z), 1))])
            l1, l2 = np.append(l1, 0), np.append(l2, 0)
        self.Z = Z
        m = rows.n_outputs
        self.l1, self.l2 = np.tile(l1, m), np.tile(l2, m)
        self.smooth = _Smooth.__new__(_Smooth)
        self.smooth.rows, self.smooth.Z = rows, Z
        self.smooth.P = np.zeros((len(l1), len(l1)))
        # Along such changes the penalty does not stay the same: damping slows it down.
        self.smooth.common = 0.0

    def newton_solver(self, p, coef):
        """Return a function that solves the Newton equations of the free weights."""
        d, m = self.rows.X.shape[1], self.rows.n_outputs
        free = coef != 0
        if self.rows.intercept:
            free = np.hstack([free, np.ones((m, 1), bool)])
        free = free.ravel()
        H = self.smooth._hessian(p) + np.diag(self.l2)
        factor = _Factor(H[np.ix_(free, free)])

        def solve(right, right_0):
            V = right / self.scale
            if self.rows.intercept:
                V = np.hstack([V, right_0[:, None]])
            v = V.astype(float).ravel()
            v[free] = factor.solve(v[free])
            v[~free] = 0
            V = v.reshape(m, -1)
            change_0 = V[:, -1] if self.rows.intercept else np.zeros(m)
            return V[:, :d] / self.scale, change_0

        return solve

    def solve(self, seconds=20.0):
        """Return the weights and intercepts of the outputs.

        Those of the last barrier, but for weights that are zero at the optimum.
        """
        rows = self.rows
        v = np.zeros(self.Z.shape[1] * rows.n_outputs)
        floor, start = 1e-3 * np.log(len(rows.kept)), time.perf_counter()
        barrier = 0.1
        while time.perf_counter() - start < seconds:
            for _ in range(15):
                v, decrement = self._newton_step(v, barrier)
                if not decrement > max(0.1 * barrier, 1e-14 * floor):
                    break
            value = rows.loss(self._raw(v)) + self.l1 @ np.abs(v)
            if len(v) * barrier < 1e-12 * max(value, floor):
                break
            barrier /= 5
        # Of weights whose L1 penalty is tiny the barrier says nothing.
        width = barrier / np.maximum(self.l1, 1e-300)
        v[(np.abs(v) < np.minimum(100 * width, 1e-5)) & (self.l1 > 0)] = 0
        V = v.reshape(rows.n_outputs, -1)
        coef = V[:, : rows.X.shape[1]] / self.scale
        return coef, V[:, -1] if rows.intercept else np.zeros(rows.n_outputs)

    def _raw(self, v):
        return self.Z @ v.reshape(self.rows.n_outputs, -1).T

    def _penalty_slopes(self, v, barrier):
        """Return first and second derivatives of the penalty with its barrier.

        The barrier is that of |v| <= u, -log(u^2 - v^2), and u is minimised over.
        """
        width = barrier / np.where(self.l1 > 0, self.l1, 1)
        root = np.hypot(width, v)
        u = width + root
        return self.l1 * v / u + self.l2 * v, self.l1 * width / (u * root) + self.l2

    def _newton_step(self, v, barrier):
        """Return the weights after a step, and what the quadratic promised twice."""
        rows, raw = self.rows, self._raw(v)
        p = rows.probabilities(raw)
        first, second = self._penalty_slopes(v, barrier)
        residual = rows.weight[:, None] * (p - rows.targets)
        gradient = (residual.T @ self.Z).ravel() + first
        H = self.smooth._hessian(p)
        H[np.diag_indices_from(H)] += second
        try:
            step = _solve_posdef(H, -gradient)
        except LinAlgError:
            return v, 0.0
        change = self._raw(step)

        def slope(t):
            first, _ = self._penalty_slopes(v + t * step, barrier)
            residual = rows.probabilities(raw + t * change) - rows.targets
            return rows.weight @ (residual * change).sum(axis=1) + first @ step

        return v + _root(slope) * step, -gradient @ step


def _best(problem, rows, solver):
    """Return the lowest objective found, a lower bound, and the weights found."""
    model = solver.solve()
    moved, lower = rows.refine(*model, solver)
    models = [rows.model(*moved), rows.model(*model)]
    values = [objective(problem, *model) for model in models]
    best = int(not values[0] <= values[1])
    return values[best], lower, models[best]


def reference(problem) -> Reference:
    """Return the optimum of the problem, by Newton's method in float64."""
    with threadpool_limits(1), np.errstate(all="ignore"):
        rows = _Rows(problem)
        solver = _Sparse(rows) if rows.l1 else _Smooth(rows)
        value, lower, (coef, intercept) = _best(problem, rows, solver)
        if rows.l1 and value - lower > 1e-7 * value:
            # Against a drift of the weights of large columns, which L1 cannot hold.
            solver.smooth.common = 1e-6
            second = _best(problem, rows, solver)
            if second[0] < value:
                value, _, (coef, intercept) = second
            lower = max(lower, second[1])
        rounded = coef.astype(problem.X.dtype), intercept.astype(problem.X.dtype)
        rounding = objective(problem, *rounded) - value
    if not rows.l1 and not rows.l2:
        lower = None if value > 1e-9 else 0.0
    return Reference(value, lower, coef, intercept, max(0.0, rounding))


# ------------------------------------------------------------------------- check


def fit(problem, **params):
    """Fit an estimator; return it, whether it warned, and CPU seconds."""
    clf = SoftmaxRegressionClassifier(random_state=0, **problem.params, **params)
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        start = time.process_time()
        clf.fit(problem.X, problem.y, sample_weight=problem.sample_weight)
        seconds = time.process_time() - start
    return clf, bool(caught), seconds


def scale_of_gap(problem, best):
    """Return what `tol` is relative to."""
    return max(best, 1e-3 * np.log(len(_classes(problem))))


def check(problem, solution, **params) -> Result:
    """Fit an estimator with these parameters and compare it with the reference."""
    clf, warned, seconds = fit(problem, **params)
    excess = objective(problem, clf.coef_, clf.intercept_) - solution.value
    scale = scale_of_gap(problem, solution.value)
    uncertainty = solution.rounding / scale
    return Result(excess / scale, excess, uncertainty, warned, clf.t_, seconds)
