"""Training on partitions: a model of a sample, then Newton steps on all rows."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.random import sample_without_replacement

from sksoftmax._classes import check_class_totals, class_weights
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._data import make_data
from sksoftmax._labels import find_positions, unite
from sksoftmax._monitoring import Callbacks
from sksoftmax._parameters import make_generator, penalty_strength
from sksoftmax._solvers.newton import Newton
from sksoftmax._solvers.proximal_newton import make_newton
from sksoftmax._state import (
    add_classes,
    count_fitted_rows,
    forget_curvature,
    make_state,
    to_attributes,
    to_weights,
)
from sksoftmax._strategy import choose_preconditioner
from sksoftmax._training import TrainingData, choose_dtype, make_problem, train
from sksoftmax._validation import unit_mean_factor
from sksoftmax.dask.oracle import SMALL_MESSAGE, Partitions, TrainingPartitions

# Most numbers and rows in the sample for the first model, for which any client has
# room. Measured on MNIST, passes to relative gaps of 1e-2 and 1e-3: 33 and 57 from 5000
# rows, 18 and 45 from 21400 (these numbers), 15 and 48 from all 60000.
_SAMPLED_NUMBERS, _SAMPLED_ROWS = 2**24, 2**17
# Training stops if each of this many products with the Hessian, a pass each, would
# lower the objective by less than this share of tol. Measured on MNIST for tol of 1e-2,
# 1e-3 and 1e-4: a share of .1 stops after 24, 53 and 77 passes with gaps of 1.1, 1.1
# and 1.4 tol; .05 stops after 34, 66 and 98 passes with gaps of .6, .3 and .2 tol. A
# proof that the gap is within tol takes 93 and 131 passes for the first two.
_IDLE_PRODUCTS, _IDLE_SHARE = 5, 0.05


class Rows(NamedTuple):
    """The checked rows of all partitions, and their classes and features."""

    partitions: Partitions
    summaries: list  # PartitionSummary or None, of each partition
    classes: np.ndarray  # (n_classes,), sorted
    row_counts: np.ndarray  # (n_classes,), of the rows with weight
    counts: dict  # in the form of `_state`
    n_features: int
    feature_names: tuple
    dtype: Any  # to train in
    row_size: float  # numbers in a row, at least 1

    def attach_targets(self, class_weight, smoothing, folds=None) -> TrainingPartitions:
        """Return the rows with weight for training; their weights have the mean one.

        Weights are multiplied by `class_weight`, (n_classes,). `folds` are those of
        each partition, or None.
        """
        n_rows = int(self.row_counts @ (class_weight > 0))
        total = self.counts["class_count"] @ class_weight
        class_factors = class_weight * unit_mean_factor(n_rows, total)
        return self.partitions.attach_targets(
            self.summaries,
            self.classes,
            class_factors,
            self.counts["class_weight"] > 0,
            smoothing,
            self.dtype,
            folds,
        )

    @property
    def total_weight(self) -> float:
        """Return the sum of sample weight times class weight."""
        return float(self.counts["class_count"] @ self.counts["class_weight"])

    def make_memory(self, moments, rng) -> dict:
        """Return the counts, moments and rng of `_state`.

        `moments` are those of weights of mean one; `_state` has the unit of the weights
        of rows.
        """
        moments = moments.weighted(self.counts["mean_weight"])
        return {"counts": self.counts, "moments": moments._asdict(), "rng": rng}

    def attributes(self) -> dict:
        """Return the attributes of a fitted estimator that depend on no model."""
        attributes = {"classes_": self.classes, "n_features_in_": self.n_features}
        if self.feature_names:
            attributes["feature_names_in_"] = np.array(self.feature_names, object)
        return attributes


def fit_partitions(params, X, y, sample_weight) -> dict:
    """Return the attributes of a model fitted to the rows of Dask collections.

    `params` has the parameters of SoftmaxRegressionClassifier.
    """
    rows = summarize(params, Partitions(X, y, sample_weight))
    class_weight = rows.counts["class_weight"]
    partitions = rows.attach_targets(class_weight, params.label_smoothing)
    rng = make_generator(params.random_state)
    coef, intercept, fill_value = _fit_sample(params, rows, partitions, rng)
    moments = partitions.moments(fill_value, rows.dtype, params.fit_intercept)
    problem = make_empty_problem(params, rows, moments)
    state = make_state(to_weights(problem, coef.T, intercept), average=True)
    preconditioner_class = choose_preconditioner(params, problem)
    oracle = partitions.make_oracle(problem, preconditioner_class)
    epochs = _epochs(make_newton(oracle, state), problem, params.tol or 0.0)
    memory = rows.make_memory(moments, rng)
    make_attributes = partial(to_attributes, params, problem, state, memory=memory)
    loss_curve, callbacks = [], Callbacks(params, params, X, y, None)
    model = train(params, problem, epochs, loss_curve, make_attributes, None, callbacks)
    return {
        **rows.attributes(),
        "loss_curve_": loss_curve,
        "n_iter_": len(loss_curve),
        "n_passes_": partitions.n_passes,
        # partial_fit takes noisy steps, for which the preconditioner is unsuitable.
        **forget_curvature(count_fitted_rows(make_attributes(model))),
    }


def make_empty_problem(params, rows: Rows, moments):
    """Return the problem without rows, for the moments of the columns of all rows."""
    empty_rows = np.empty((0, rows.n_features), rows.dtype)
    data = make_data(empty_rows, rows.dtype, params.fit_intercept)
    dtype = choose_dtype(params, rows.dtype, data.xp, moments)
    data = make_data(empty_rows, dtype, params.fit_intercept)
    training = TrainingData(data, np.empty(0, dtype), None, moments, dtype)
    return make_problem(
        params,
        training,
        np.empty(0, np.intp),
        len(rows.classes),
        total_weight=rows.total_weight,
    )


def summarize(params, partitions: Partitions) -> Rows:
    """Return the rows, after a pass that checks them."""
    summaries = partitions.summarize()
    nonempty = [summary for summary in summaries if summary is not None]
    classes = unite([summary.labels for summary in nonempty])
    class_count, row_counts = np.zeros((2, len(classes)))
    for summary in nonempty:
        positions = find_positions(summary.labels, classes)
        class_count[positions] += summary.totals
        row_counts[positions] += summary.n_rows
    class_weight = class_weights(params.class_weight, classes, class_count)
    check_class_totals(classes, class_count * class_weight)
    dtype = np.result_type(*(summary.dtype for summary in nonempty))
    n_stored = sum(summary.n_stored for summary in nonempty)
    n_samples = sum(summary.n_samples for summary in nonempty)
    n_rows = int(row_counts @ (class_weight > 0))
    return Rows(
        partitions,
        summaries,
        classes,
        row_counts,
        {
            "n_rows": n_rows,
            "mean_weight": float(class_count @ class_weight) / n_rows,
            "class_count": class_count,
            "class_weight": class_weight,
        },
        nonempty[0].n_features,
        nonempty[0].feature_names,
        dtype,
        max(1, n_stored / n_samples),
    )


def draw_rows(rows: Rows, partitions: TrainingPartitions, sampled):
    """Return X, targets and weights of `sampled`, sorted numbers of rows."""
    n_weights, n_classes = rows.n_features + 1, len(rows.classes)
    message = max(n_weights * max(n_weights, n_classes), SMALL_MESSAGE)
    return partitions.sample(sampled, int(message / rows.row_size))


def _fit_sample(params, rows: Rows, partitions: TrainingPartitions, rng):
    """Return coef and intercept of a model of a sample, and its fill values."""
    n_rows, n_classes = int(_SAMPLED_NUMBERS / rows.row_size), len(rows.classes)
    n_rows = min(max(1024, n_rows), _SAMPLED_ROWS, partitions.n_rows)
    sampled = sample_without_replacement(partitions.n_rows, n_rows, random_state=rng)
    X, y, weight = draw_rows(rows, partitions, np.sort(sampled))
    shared = "l1_ratio", "fit_intercept", "preconditioner"
    model = SoftmaxRegressionClassifier(
        alpha=penalty_strength(params.alpha, rows.total_weight),
        **{name: getattr(params, name) for name in shared},
        random_state=rng.randint(2**31 - 1),
    )
    if y.ndim == 1 and len(np.unique(y)) < 2:
        zeros = np.zeros((n_classes if n_classes > 2 else 1, X.shape[1]))
        return zeros, zeros[:, 0], np.zeros(X.shape[1])
    model.fit(X, y, weight)
    vars(model).update(add_classes(model, np.arange(n_classes)))
    return model.coef_, model.intercept_, model._state["moments"]["fill_value"]


def _epochs(newton: Newton, problem, tol: float):
    """Yield the solver, the objective, and whether training has converged, each step.

    Training converges if the gap is proved to be within tol. Without L1, it also
    converges if the quadratic model, confirmed by the last step, promises too little.
    """
    if problem.penalty.makes_zeros:
        yield from newton.iterate_to_gap(tol)
        return
    epochs = newton.iterate_to_plateau(_IDLE_SHARE * tol, _IDLE_PRODUCTS)
    for solver, objective, converged in epochs:
        yield solver, objective, converged or newton.gap_is_within(tol)
