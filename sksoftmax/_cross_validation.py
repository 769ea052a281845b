"""Cross-validation of a path of models: their scores, and the choice among them."""

import math
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer

from sksoftmax._alphas import (
    HIDDEN_RATIO,
    MOST_ALPHAS,
    automatic_alphas,
    find_hidden_strength,
    has_ended,
    standard_error,
)
from sksoftmax._arrays import chunks, namespace, take
from sksoftmax._classes import class_weights
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._compat import complete_scorer, takes_sample_weight, warn
from sksoftmax._labels import take_labels
from sksoftmax._moments import largest_scale
from sksoftmax._oracle import Oracle
from sksoftmax._penalty_path import (
    EXACT_TOL,
    SeparatePaths,
    StackedPath,
    constant_model,
    make_penalty,
)
from sksoftmax._problem import Problem
from sksoftmax._stacked_oracle import StackedOracle, TestRows
from sksoftmax._state import (
    count_fitted_rows,
    from_weights,
    make_memory,
    make_state,
    mean_weights,
    to_attributes,
)
from sksoftmax._strategy import choose_preconditioner
from sksoftmax._targets import (
    class_totals,
    make_targets,
    most_probable,
    weights_by_class,
)
from sksoftmax._threads import one_blas_thread
from sksoftmax._training import make_problem, measure
from sksoftmax._validation import unit_mean_factor, validate_held_out_rows

# Least share of a class in the constant model that begins a path, in units of eps.
LEAST_ROUNDINGS = 16
# Numbers of a `coef_path_` that is kept: 8 MB.
LARGEST_COEF_PATH = 1_000_000
# A path that goes on for a hidden column ends before a strength at which the held-out
# loss is more than this multiple of the least one. Measured on digits with a fifth of
# the rows 1e3 times as large: 3 s instead of 20 s, for the same choice.
HOPELESS_LOSS = 1.5


def check_no_model(estimator) -> None:
    """Raise ValueError if the estimator has weights, set by hand, but no strength."""
    if hasattr(estimator, "coef_"):
        raise ValueError(
            "alpha_ must be set for partial_fit to continue from coef_, got none. Set "
            "alpha_ to a strength of the penalty, or use a clone."
        )


def check_only_split(cv, groups) -> None:
    """Raise ValueError if there are splits or groups besides the validation rows."""
    for name, value in (("cv", cv), ("groups", groups)):
        if value is not None:
            raise ValueError(
                f"{name} must be None if X_val is passed, got an object of type "
                f"{type(value).__name__}. X_val is the only split."
            )


def join_validation_rows(estimator, rows, weight, X_val, y_val, sample_weight_val):
    """Return all rows, their sample weights, and the split of X and X_val.

    Both X and X_val are copied. `rows` are the TrainingRows of X, and `weight` are
    their sample weights.
    """
    classes, xp = estimator.classes_, namespace(rows.X)
    ones = np.ones(len(classes))
    X_val, y_val, weight_val = validate_held_out_rows(
        estimator, X_val, y_val, sample_weight_val, ones, xp
    )
    y = _join_targets(rows.y, y_val, len(classes))
    split = np.arange(rows.X.shape[0]), rows.X.shape[0] + np.arange(X_val.shape[0])
    if sp.issparse(rows.X) or sp.issparse(X_val):
        # SciPy would add up duplicates in a small dtype if one part were dense.
        parts = [
            part
            if sp.issparse(part)
            else sp.csr_matrix(xp.astype(part, xp.training_dtype(part)))
            for part in (rows.X, X_val)
        ]
        X = sp.vstack(parts, format="csr")
    else:
        X = rows.X
        if X.dtype != X_val.dtype:  # the standard does not promote integers to floats
            dtypes = xp.training_dtype(X), xp.training_dtype(X_val)
            dtype = xp.float64 if xp.float64 in dtypes else dtypes[0]
            X, X_val = xp.astype(X, dtype), xp.astype(X_val, dtype)
        X = xp.concat([X, X_val], axis=0)
    weight = np.concatenate([weight, weight_val])
    class_count, factors = class_totals(y, weight, len(classes)), rows.class_weight
    if isinstance(estimator.class_weight, str):  # "balanced" counts all rows
        factors = class_weights(estimator.class_weight, classes, class_count)
    weighted = weight * weights_by_class(factors, y)
    joined = replace(
        rows,
        X=X,
        y=y,
        weight=weighted,
        indices=np.flatnonzero(weighted),
        class_weight=factors,
        class_count=class_count,
    )
    return joined, weight, [split]


def _join_targets(y, y_val, n_classes: int):
    """Return both targets in the form of class indices, or else of probabilities."""
    if y.ndim == y_val.ndim == 1:
        return np.concatenate([y, y_val])
    xp = namespace(y if y.ndim == 2 else y_val)
    tables = [
        t if t.ndim == 2 else xp.asarray(np.eye(n_classes)[t]) for t in (y, y_val)
    ]
    return xp.concat([xp.astype(t, xp.float64) for t in tables], axis=0)


class SplitRows:
    """Rows in memory: their splits, and the path of models trained on them."""

    def __init__(
        self, estimator, rows, sample_weight, splits, rng, *, has_weights, has_table
    ) -> None:
        """Initialise with the TrainingRows, the sample weights and the Splits.

        Scorers get weights if the user gave some, and a table if y was one.
        """
        self._estimator, self._rows, self._splits = estimator, rows, splits
        self._params, self._sample_weight = make_classifier(estimator), sample_weight
        self._has_weights = has_weights
        # Names of scorers want labels.
        self._shows_labels = isinstance(estimator.scoring, str) or not has_table
        self.scorer = _find_scorer(estimator, self._shows_labels)
        # No class weight counts in the scales of the columns, as all models share them.
        # But classes of weight zero are left out: no model learns from their values.
        self._shared_weight = np.where(rows.weight > 0, sample_weight, 0.0)
        equal = replace(rows, weight=self._shared_weight).normalized()
        self._is_stacked = not (sp.issparse(rows.X) or estimator.l1_ratio)
        if self._is_stacked:
            X = _shorten_huge_rows(rows.X, self._shared_weight)
            equal = replace(equal, X=X)
        # At the default tolerance, L-BFGS needs no more digits than X has.
        keeps_dtype = self._is_stacked and estimator.tol >= EXACT_TOL
        self._training = measure(self._params, equal, is_stream=keeps_dtype)
        self.dtype, self.moments = self._training.dtype, self._training.moments
        self.problem = make_problem(
            self._params, self._training, rows.y, rows.n_classes
        )
        # (n_splits, 2), of the rows that count in the log-loss, and of all
        self.test_weight = np.array([*map(self._sum_test_rows, splits)])
        self.path = self._make_path(rng)
        self.test_size = splits[0].test_size
        self.total_weight = float(rows.weight.sum())

    def _make_path(self, rng):
        """Return the path of the models of all splits and of all rows."""
        rows, data = self._rows, self.problem.data

        def weigh(weight, reads_all=self._is_stacked):
            """Return the problem with weights of mean one over the rows to read."""
            n_rows = len(weight) if reads_all else np.count_nonzero(weight)
            weight = weight * unit_mean_factor(n_rows, weight.sum())
            weight = data.xp.asarray(weight, data.dtype)
            return replace(self.problem, sample_weight=weight, bounded_weight=weight)

        weights = [*(split.weight for split in self._splits), rows.weight]
        problems = [weigh(weight) for weight in weights]
        totals = [class_totals(rows.y, weight, rows.n_classes) for weight in weights]
        starts = [constant_model(self.problem, total) for total in totals]
        self.null_model = problems[-1], make_null_model(self.problem, totals[-1])
        y = make_targets(rows.y, 0.0, rows.n_classes, data.dtype, data.xp)
        counts_hits = self._estimator.scoring == "accuracy"

        def make_test(split):
            numbers, hit_weight = split.scored, None
            if counts_hits:  # a model may predict classes that it has not learned
                numbers = np.sort(split.test)
                numbers = numbers[self._sample_weight[numbers] > 0]
            weight = self._weigh(split, numbers)
            if counts_hits:
                hit_weight = data.xp.asarray(weight, data.dtype)
                weight = np.where(np.isin(numbers, split.scored), weight, 0)
            weight = data.xp.asarray(weight, data.dtype)
            return TestRows(numbers, y, weight, hit_weight)

        tests = [*map(make_test, self._splits)]
        tests.append(None)
        if self._is_stacked:
            base = weigh(self._shared_weight, reads_all=False)
            numbers = np.flatnonzero(self._shared_weight)
            preconditioner = choose_preconditioner(
                self._params, base, n_rows=len(numbers)
            )
            bases = [Oracle(base, numbers, preconditioner)]
            training = self._training
            if training.bounded_weight is not training.weight:
                safe = data.xp.where(training.weight > 0, training.weight, 1.0)
                bounded = base.sample_weight * (training.bounded_weight / safe)
                base = replace(base, sample_weight=bounded)
                bases.append(Oracle(base, numbers, preconditioner))
            oracle = StackedOracle(problems, tests)
            return StackedPath(self._params, oracle, bases, starts, problems[-1])
        rngs = [np.random.RandomState(rng.randint(2**31 - 1)) for _ in problems]
        return SeparatePaths(self._params, problems, tests, starts, rngs)

    def _weigh(self, split, rows):
        """Return the weights of test rows, (n_rows,), in the dtype of the data.

        Weights are in units of the split, as float32 has no tiny numbers.
        """
        data = self.problem.data
        dtype = data.xp.numpy_dtype(data.dtype)
        return (self._sample_weight[rows] / split.unit).astype(dtype)

    def _sum_test_rows(self, split):
        """Return the sums of the weights of `scored` and of all test rows, rounded."""
        parts = split.scored, split.test
        return [self._weigh(split, rows).sum(dtype=float) for rows in parts]

    def score(self, model, k: int) -> float:
        """Return the scorer's result for a model on the test rows of split k.

        The test rows are copied. Rows of weight zero are left out.
        """
        rows, test, xp = self._rows, self._splits[k].test, namespace(self._rows.X)
        test = test[self._sample_weight[test] > 0]
        index = xp.indices(test)
        X = rows.X[index] if sp.issparse(rows.X) else take(rows.X, index)
        y = take(rows.y, namespace(rows.y).indices(test))
        if self._shows_labels:
            y = take_labels(model.classes_, xp.indices(most_probable(y)))
        elif y.ndim == 1:  # a one-hot table became indices
            y = xp.asarray(np.eye(rows.n_classes)[y])
        weight = {}
        if self._has_weights and takes_sample_weight(self.scorer):
            weight["sample_weight"] = xp.asarray(self._sample_weight[test])
        return _check_score(self.scorer(model, X, y, **weight), self.scorer)

    def make_memory(self, rng) -> dict:
        """Return the counts, moments and rng of `_state`."""
        moments = self.moments.weighted(mean_weights(self._rows).mean)
        return make_memory(self._rows, moments, rng)


def _shorten_huge_rows(X, sample_weight):
    """Return X, (n_samples, n_features), with huge unweighted rows made shorter.

    The losses of huge rows may overflow. Shared passes read all rows, and an infinite
    loss spoils a sum at any weight, (n_samples,). No log-loss counts such rows. The
    accuracy does, and a shorter row has the same prediction, as next to such raw
    predictions the intercept is rounded off. X is copied only if there are such rows.
    """
    xp, unweighted = namespace(X), np.flatnonzero(sample_weight == 0)
    dtype, factor = xp.training_dtype(X), np.ones(len(sample_weight))
    largest = largest_scale(xp.numpy_dtype(dtype))
    for part in chunks(slice(0, len(unweighted)), 4096):
        numbers = unweighted[part]
        size = xp.max(xp.abs(xp.astype(take(X, xp.indices(numbers)), dtype)), axis=1)
        size = xp.to_numpy(size).astype(np.float64)
        factor[numbers] = largest / np.maximum(size, largest)
    is_huge = (factor < 1).any()
    return X * xp.asarray(factor[:, None], X.dtype) if is_huge else X


def make_null_model(problem: Problem, totals):
    """Return the weights of a constant model at which the loss has a curvature.

    `totals`, (n_classes,), are the weights of the classes. If all but one are tiny, the
    probability of this class rounds to 1, and the curvature p (1 - p) to zero. All
    classes then have a share of at least LEAST_ROUNDINGS.
    """
    weights, loss, xp = constant_model(problem, totals), problem.loss, problem.data.xp
    curvature = loss.mean_curvature(loss.proba(xp.copy(weights[-1:, :])))
    if xp.any(curvature > 0):
        return weights
    least = LEAST_ROUNDINGS * float(xp.finfo(weights.dtype).eps) * totals.sum()
    return constant_model(problem, np.where(totals > 0, totals.clip(least), 0.0))


class PathModel(NamedTuple):
    """The model of all rows at a strength."""

    alpha: float
    weights: Any  # (n_weights, n_outputs), or None if it cannot be chosen any more
    n_steps: int  # since the begin of the path


class CrossValidation:
    """The models of a path, their scores, and the choice of one strength."""

    def __init__(self, estimator, rows) -> None:
        """Initialise with the SplitRows, or with SplitPartitions of Dask."""
        self._estimator, self._rows, self._path = estimator, rows, rows.path
        self._params, self._problem = make_classifier(estimator), rows.problem
        self._models: list[PathModel] = []
        self._losses: list = []  # of the splits that have one, at each strength
        self._scores: list = []  # (n_splits,) at each strength
        self._errors: list[float] = []  # standard errors of the mean scores
        self._unconverged: list[float] = []  # strengths
        self._gave_up = False  # whether the next strength could not win
        self._largest = math.inf  # strength that an automatic path may go on with

    def choose_alphas(self, alphas):
        """Yield the strengths to train at; None stands for an automatic path."""
        self._given = alphas
        if alphas is not None:
            yield from map(float, alphas)
            return
        grid = *self._rows.null_model, self._rows.moments
        self._middle, automatic = automatic_alphas(self._params.l1_ratio, *grid)
        for alpha in automatic:
            if alpha <= self._largest:
                yield alpha

    def train(self, alpha: float) -> None:
        """Train and score all models at the next strength."""
        params, path = self._estimator, self._path
        with one_blas_thread():  # see `_training.train`
            # Rows of another scale may make strengths useless that take minutes.
            goes_on = self._largest < math.inf
            converged = path.train(alpha, self._cannot_win if goes_on else None)
            if converged is None:
                self._gave_up = True
                return
            if not converged:
                self._unconverged.append(alpha)
            self._models.append(PathModel(alpha, path.weights[-1], path.n_steps))
            losses, scores, error = self._score()
        self._losses.append(losses)
        self._scores.append(scores)
        self._errors.append(error)
        if params.selection == "min" and not self._keeps_path():
            best = self._find_best()  # no other model can be chosen any more
            self._models = [
                model if k == best else model._replace(weights=None)
                for k, model in enumerate(self._models)
            ]
        if params.verbose:
            mean, name = np.mean(scores), params.scoring or "neg_log_loss"
            print(f"alpha {alpha:.3e}: {name} {mean:.6f} +- {error:.6f}")

    def _cannot_win(self, sums: dict) -> bool:
        """Return whether the held-out loss of a strength is too large in any case.

        `sums` are the sums of the losses of some splits, by their numbers.
        """
        n_scored = self._rows.test_weight[:, 0]
        losses = [loss / n_scored[k] for k, loss in sums.items() if n_scored[k]]
        least = np.mean(self._losses, axis=1).min()
        return sum(losses) > HOPELESS_LOSS * least * np.count_nonzero(n_scored)

    def has_ended(self) -> bool:
        """Return whether an automatic path ends.

        If a column is still held back, the path goes on, with another middle strength.
        """
        if self._gave_up:
            return True
        n_early = sum(model.alpha > self._middle for model in self._models)
        if not has_ended(self._losses, self._find_best(), n_early):
            return False
        if len(self._models) >= MOST_ALPHAS:
            return True
        model = self._rows.null_model[0], self._path.weights[-1]
        loss = float(np.mean(self._losses, axis=1).min())
        with one_blas_thread():
            middle = find_hidden_strength(self._params.l1_ratio, *model, loss)
        if not math.isfinite(middle):
            return True
        self._middle, self._largest = middle, HIDDEN_RATIO * middle
        return False

    def _score(self):
        """Return log-losses, scores and the standard error of the mean score."""
        n_scored, n_test = self._rows.test_weight.T
        losses, squares, hits = self._path.scores.T
        has_loss = n_scored > 0
        losses, squares = (
            sums[has_loss] / n_scored[has_loss] for sums in (losses, squares)
        )
        hits = np.minimum(hits / n_test, 1.0)  # the order of the rows differs
        if not np.isfinite(losses).all():
            raise FloatingPointError(f"the held-out log-loss became {losses}")
        size, size_of_all = self._rows.test_size
        scores, variance = -losses, squares - losses**2
        if self._rows.scorer is not None:
            scores, variance = self._score_by_scorer(), np.full(1, np.nan)
        elif self._estimator.scoring == "accuracy":
            scores, variance, size = hits, hits * (1 - hits), size_of_all
        if len(scores) > 1:
            return losses, scores, standard_error(scores)
        # A single split has the error of its rows.
        variance = float(np.maximum(variance[0], 0.0)) / size
        return losses, scores, math.sqrt(variance)  # of NaN is NaN

    def _score_by_scorer(self) -> np.ndarray:
        """Return the scorer's results for the models of the splits."""
        path, alpha, scores = self._path, self._models[-1].alpha, []
        rng = np.random.RandomState(0)
        for k, weights in enumerate(path.weights[:-1]):
            model = make_classifier(self._estimator, alpha)
            vars(model).update(
                self._model_attributes(alpha, weights, path.n_steps, rng),
                classes_=self._estimator.classes_,
                n_features_in_=self._estimator.n_features_in_,
            )
            scores.append(self._rows.score(model, k))
        return np.array(scores)

    def make_attributes(self, rng, *, is_complete: bool) -> dict:
        """Return the attributes of the fitted estimator, for the strengths so far.

        A callable `selection` chooses from a complete path only, else the best score.
        """
        params, scores = self._estimator, np.array(self._scores)
        xp = self._problem.data.xp
        alphas = np.array([model.alpha for model in self._models])
        best, strongest = self._find_best(), self._find_strongest()
        path = {
            "alphas_": alphas,
            "scores_": scores,
            "mean_score_": scores.mean(axis=1),
            "std_score_": scores.std(axis=1),
            "standard_error_": np.array(self._errors),
        }
        choice = {
            "alpha_min_": float(alphas[best]),
            "alpha_1se_": float(alphas[strongest]),
            "n_splits_": len(self._rows.test_weight),
            "n_passes_": self._path.n_passes,
        }
        if params.selection == "1se":
            index = strongest
        elif is_complete and callable(params.selection):
            index = _call_selection(params.selection, path)
        else:
            index = best
        alpha, weights, n_steps = self._models[index]
        total = self._rows.total_weight
        if self._keeps_path():
            coefs = [from_weights(self._problem, m.weights)[0].T for m in self._models]
            coefs = [coef[None, ...] for coef in coefs]
            coefs = xp.astype(xp.concat(coefs, axis=0), self._rows.dtype)
            choice["coef_path_"] = coefs
        return {
            **{name: xp.asarray(values, xp.float64) for name, values in path.items()},
            **choice,
            **self._model_attributes(alpha, weights, n_steps, rng),
            "alpha_": alpha,
            "C_": 1 / (alpha * total) if alpha * total else math.inf,
            "best_score_": float(path["mean_score_"][index]),
            "n_iter_": n_steps,
        }

    def _model_attributes(self, alpha, weights, n_steps: int, rng) -> dict:
        """Return the attributes of a model of the path."""
        params, state = self._params, make_state(weights, average=False)
        state.t = n_steps
        penalty = make_penalty(params, self._problem, alpha)
        problem = replace(self._problem, penalty=penalty)
        memory = self._rows.make_memory(rng)
        dtype = self._rows.dtype
        attributes = to_attributes(params, problem, state, weights, memory, dtype)
        return count_fitted_rows(attributes)

    def _find_best(self) -> int:
        """Return the number of the strength with the best mean score.

        It is the last one if no score is a number yet.
        """
        means = np.mean(self._scores, axis=1)
        return len(means) - 1 if np.isnan(means).all() else int(np.nanargmax(means))

    def _find_strongest(self) -> int:
        """Return the strongest penalty within one standard error of the best score."""
        best, means = self._find_best(), np.mean(self._scores, axis=1)
        if np.isnan(means[best]):
            return best
        error = self._errors[best]
        least = means[best] - (0.0 if math.isnan(error) else error)
        return int(np.flatnonzero(means >= least)[0])

    def _keeps_path(self) -> bool:
        size = math.prod(self._path.weights[-1].shape)
        return size * len(self._models) <= LARGEST_COEF_PATH

    def warn(self) -> None:
        """Warn of models that did not converge, and of a choice at the edge.

        Raise ValueError if no score is a number.
        """
        params = self._estimator
        if np.isnan(np.mean(self._scores, axis=1)).all():
            raise ValueError(
                f"scoring must give a number for some alpha, got NaN for all: "
                f"{params.scoring!r}. Choose a score that the test rows allow."
            )
        if self._unconverged:
            warn(
                f"Training ended before the stopping rule with tol={params.tol} was "
                f"met, for {len(self._unconverged)} of {len(self._models)} alphas, the "
                f"first one {self._unconverged[0]:.3g}: max_iter={params.max_iter} was "
                "reached, or no step lowered the objective any more. Raise max_iter or "
                "tol, scale X, or pass larger alphas.",
                ConvergenceWarning,
            )
        given, best = self._given, self._models[self._find_best()].alpha
        # No strength is smaller than 0.
        if given is not None and len(given) > 1 and best in {given[0], given[-1]} - {0}:
            edge, side = "smallest", "smaller"
            if best == given[0]:
                edge, side = "largest", "larger"
            warn(
                f"The best score is at {best:.3g}, the {edge} of alphas. Add "
                f"{side} values, or use alphas=None, which ends by itself."
            )


def make_classifier(estimator, alpha: float = 1.0) -> SoftmaxRegressionClassifier:
    """Return a classifier with the parameters of a classifier that cross-validates."""
    model = SoftmaxRegressionClassifier(
        alpha=alpha, solver="svrg" if estimator.tol < EXACT_TOL else "sgd"
    )
    known = model.get_params().keys()
    parameters = estimator.get_params(deep=False).items()
    return model.set_params(**{k: v for k, v in parameters if k in known})


def _find_scorer(estimator, shows_labels: bool):
    """Return a callable, or None for scores that come with the path."""
    scoring = estimator.scoring
    if scoring in (None, "neg_log_loss", "accuracy"):
        return None
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return complete_scorer(scorer, estimator.classes_) if shows_labels else scorer


def _check_score(score, scorer) -> float:
    """Return a score as a float, or raise ValueError."""
    if getattr(score, "shape", None) == ():  # a number of an array library
        score = float(score)
    if not isinstance(score, Real):
        raise ValueError(
            f"scoring must return a number, got {score!r} from {scorer!r}. Return a "
            "single score, larger for better models."
        )
    return float(score)


def _call_selection(selection, path: dict) -> int:
    """Return the number of a strength, from a callable like GridSearchCV's refit."""
    scores, mean = path["scores_"], path["mean_score_"]
    results = {
        "params": [{"alpha": float(alpha)} for alpha in path["alphas_"]],
        "param_alpha": path["alphas_"],
        "mean_test_score": mean,
        "std_test_score": path["std_score_"],
        "rank_test_score": rankdata(
            np.where(np.isnan(mean), np.inf, -mean), method="min"
        ).astype(np.int32),
        **{f"split{k}_test_score": column for k, column in enumerate(scores.T)},
    }
    index = selection(results)
    if not (isinstance(index, Integral) and 0 <= index < len(mean)):
        raise ValueError(
            f"selection must return the number of an alpha, from 0 to {len(mean) - 1}, "
            f"got {index!r}. Return for example results['mean_test_score'].argmax()."
        )
    return int(index)
