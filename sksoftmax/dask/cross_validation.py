"""Cross-validation of a penalty path, in passes over partitions for all models."""

from dataclasses import replace

import numpy as np

from sksoftmax._arrays import evenly_spaced_indices
from sksoftmax._classes import class_weights
from sksoftmax._cross_validation import make_classifier, make_null_model
from sksoftmax._data import make_data
from sksoftmax._moments import measure_moments
from sksoftmax._penalty_path import StackedPath, constant_model
from sksoftmax._splits import check_splits
from sksoftmax._strategy import choose_preconditioner
from sksoftmax._targets import make_targets
from sksoftmax._validation import unit_mean_factor
from sksoftmax.dask.folds import has_numbers, make_folds
from sksoftmax.dask.oracle import PartitionedStackedOracle, Partitions
from sksoftmax.dask.tasks import Splits
from sksoftmax.dask.training import Rows, draw_rows, make_empty_problem, summarize

_SAMPLED_ROWS = 4096  # for the fill values and the first strength


class SplitPartitions:
    """Rows in partitions: their splits, and the path of models trained on them."""

    scorer = None  # all scores come with the path

    def __init__(self, estimator, cv, X, y, sample_weight) -> None:
        """Initialise with the arguments of `fit`, and `cv` as for `make_folds`.

        `estimator` has the parameters of SoftmaxRegressionClassifierCV.
        """
        params = make_classifier(estimator)
        fold = cv if has_numbers(cv) else None
        rows = summarize(params, Partitions(X, y, sample_weight, fold))
        n_splits, folds = make_folds(cv, rows.summaries, rows.classes)
        n_classes = len(rows.classes)
        # No class weight counts in the weights that the models share.
        partitions = rows.attach_targets(np.ones(n_classes), 0.0, folds)
        totals, squares = partitions.fold_totals(n_splits, n_classes)
        splits, class_totals = _make_splits(estimator, rows, partitions.n_rows, totals)
        self.test_weight, test_squares = (
            _sum_test_rows(sums, splits.is_known) for sums in (totals, squares)
        )
        self.test_size = self.test_weight[0] ** 2 / test_squares[0]  # effective
        self.total_weight = float(
            rows.counts["class_count"] @ rows.counts["class_weight"]
        )
        self.rows = rows
        # But classes of weight zero are left out: no model learns from their values.
        is_learned, shared = rows.counts["class_weight"] > 0, partitions
        if not is_learned.all():
            shared = rows.attach_targets(1.0 * is_learned, 0.0, folds)
        self._measure(params, partitions, shared, splits, class_totals)

    def _measure(self, params, partitions, shared, splits, class_totals) -> None:
        """Build the problem and the path, after passes for the scales.

        The models share the scales of the columns in `shared`, partitions too.
        """
        rows = self.rows
        sample = evenly_spaced_indices(shared.n_rows, _SAMPLED_ROWS)
        X, y, weight = draw_rows(rows, shared, sample)
        data = make_data(X, rows.dtype, params.fit_intercept)
        fill_value = measure_moments(data, weight).fill_value
        self.moments = shared.moments(fill_value, rows.dtype, params.fit_intercept)
        problem = self.problem = make_empty_problem(params, rows, self.moments)
        self.dtype = problem.data.dtype  # of the attributes
        starts = [constant_model(problem, totals) for totals in class_totals]
        data = make_data(X, problem.data.dtype, params.fit_intercept)
        data.copy_center(problem.data)
        class_weight = splits.factors[-1][y]
        y = make_targets(y, 0.0, len(rows.classes), data.dtype, data.xp)
        weight = (weight * class_weight).astype(data.dtype)
        sample = replace(problem, data=data, y=y, sample_weight=weight)
        self.null_model = sample, make_null_model(problem, class_totals[-1])
        preconditioner_class = choose_preconditioner(
            params, problem, n_rows=shared.n_rows
        )
        # One machine's rows in the preconditioner make one machine's steps.
        base = shared.make_oracle(problem, preconditioner_class, n_units=1)
        oracle = PartitionedStackedOracle(problem, partitions, splits)
        self.path = StackedPath(params, oracle, [base], starts, sample)

    def make_memory(self, rng) -> dict:
        """Return the counts, moments and rng of `_state`."""
        return self.rows.make_memory(self.moments, rng)


def _sum_test_rows(sums, is_known):
    """Return the sums of the test rows that count in the log-loss, and of all.

    `sums`, (n_splits + 1, n_classes), are those of each fold, and of no fold.
    """
    tested = sums[:-1]
    return np.stack([(tested * is_known).sum(axis=1), tested.sum(axis=1)], axis=1)


def _make_splits(estimator, rows: Rows, n_rows: int, totals):
    """Return the Splits, and the class totals of each model, (n_models, n_classes).

    `totals`, (n_splits + 1, n_classes), are the weights of the rows of each fold, and
    of no fold. Weights in training have the mean one over `n_rows` rows.
    """
    is_trained = 1 - np.eye(len(totals))  # of the folds, by the models
    is_trained[-1, -1] = 1  # the last model sees all rows
    class_totals = is_trained @ totals
    class_weight = [rows.counts["class_weight"]] * len(totals)
    if isinstance(estimator.class_weight, str):  # "balanced" counts the training rows
        class_weight = [
            class_weights(estimator.class_weight, rows.classes, count)
            for count in class_totals
        ]
    class_totals = class_totals * class_weight
    is_known = class_totals[:-1] > 0
    test_weight = _sum_test_rows(totals, is_known)
    check_splits(estimator.scoring, is_known.any(axis=1), test_weight)
    scale = [unit_mean_factor(n_rows, total) for total in class_totals.sum(axis=1)]
    factors = np.array(class_weight) * np.array(scale)[:, None]
    counts_hits = estimator.scoring == "accuracy"
    splits = Splits(factors, is_known, estimator.label_smoothing, counts_hits)
    return splits, class_totals
