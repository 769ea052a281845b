"""Validation after each epoch, and reports to callbacks."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from sksoftmax._data import make_data
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._targets import make_targets
from sksoftmax._validation import unit_mean_factor, validate_held_out_rows


def stops_early(params):
    """Return `early_stopping` as "auto" or a bool, which may have been NumPy's."""
    switch = params.early_stopping
    return switch if isinstance(switch, str) else bool(switch)


def make_validation(
    estimator, problem, rows, held_out, X_val, y_val, sample_weight_val
):
    """Return a Validation, or None without validation rows.

    `problem` is the problem of the TrainingRows `rows`. `held_out` holds the indices of
    held-out rows, or is None. The other arguments are arguments of `fit`.
    """
    data, y, weight = problem.data, rows.y, rows.weight
    if not (X_val is None and y_val is None and sample_weight_val is None):
        X_val, y, weight = validate_held_out_rows(
            estimator, X_val, y_val, sample_weight_val, rows.class_weight, data.xp
        )
        held_out = np.flatnonzero(weight)
        data = make_data(X_val, data.dtype, estimator.fit_intercept)
        data.copy_center(problem.data)
    elif held_out is None:
        return None
    weight = weight * unit_mean_factor(len(held_out), weight[held_out].sum())
    validation_problem = replace(
        problem,
        data=data,
        y=make_targets(
            y, estimator.label_smoothing, rows.n_classes, data.dtype, data.xp
        ),
        sample_weight=data.xp.asarray(weight, data.dtype),
    )
    plateau = None
    if stops_early(estimator) is not False:
        patience = int(estimator.n_iter_no_change)
        plateau = Plateau(estimator.tol or 0.0, patience, problem.floor)
    return Validation(validation_problem, held_out, plateau)


class Validation:
    """The log-loss of validation rows after each epoch, and the best model."""

    def __init__(self, problem: Problem, rows, plateau: Plateau | None) -> None:
        """Build from rows of a problem; training is not stopped without `plateau`."""
        self._problem, self._rows = problem, problem.data.index(rows)
        self._plateau = plateau
        self.curve: list = []
        self.best_model = None

    def watch(self, solver, converged: bool) -> bool:
        """Update the curve in place after an epoch; return whether to stop."""
        model = solver.model
        loss = self._problem.mean_loss(self._rows, model)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the validation log-loss became {loss}")
        improved = loss < min(self.curve, default=math.inf)
        self.curve.append(loss)
        if self._plateau is None:
            return converged
        if improved:
            self.best_model = self._problem.data.xp.copy(model)
            if self._problem.constraint is not None:
                self._problem.constraint.mark_best()
        return self._plateau.reached(loss, solver.steps_per_epoch)


class Callbacks:
    """Reports of `fit` to scikit-learn's callbacks, if the estimator has any.

    The task of `fit` has a subtask for each epoch, or for each strength of a path.
    """

    def __init__(
        self, estimator, trained, X, y, sample_weight, name="epoch", n_tasks=None
    ) -> None:
        """Build the task of `fit` from the arguments of `fit`, and report its begin.

        `trained` is the copy of the estimator that `fit` trains. There are at most
        `n_tasks` subtasks of this name, or `max_iter`.
        """
        self._trained, self._name = trained, name
        self._fit_task = self._epoch_task = None
        if not getattr(estimator, "_skl_callbacks", None):
            return
        weight = None if sample_weight is None else {"sample_weight": sample_weight}
        self._task_data = {"estimator": estimator, "X": X, "y": y, "metadata": weight}
        self._fit_task = estimator._init_callback_context(
            max_subtasks=n_tasks or estimator.max_iter
        )
        self._fit_task.call_on_fit_task_begin(**self._task_data)

    def announce(self, epochs, max_iter: int):
        """Yield at most `max_iter` epochs, and report each epoch before it begins."""
        for _ in range(max_iter):
            if self._fit_task is not None:
                self._epoch_task = self._fit_task.subcontext(task_name=self._name)
                self._epoch_task.call_on_fit_task_begin(**self._task_data)
            epoch = next(epochs, None)
            if epoch is None:
                self.end_epoch()
                return
            yield epoch

    def end_epoch(self, make_attributes=None) -> bool:
        """Return whether a callback stops training; see `end` for the argument."""
        return self._end(self._epoch_task, make_attributes)

    def end(self, make_attributes) -> None:
        """Report the end; `make_attributes` returns what training adds to `trained`."""
        self._end(self._fit_task, make_attributes)

    def _end(self, task, make_attributes) -> bool:
        if task is None:
            return False
        return task.call_on_fit_task_end(
            **self._task_data,
            reconstruction_attributes=make_attributes
            and partial(self._reconstruct, make_attributes),
        )

    def _reconstruct(self, make_attributes) -> dict:
        """Return attributes that turn the estimator into the model of now.

        Attributes of an earlier fit cannot be deleted, so they become None.
        """
        earlier, trained = vars(self._task_data["estimator"]), vars(self._trained)
        removed = [k for k in earlier if k.endswith("_") and k not in trained]
        return {**dict.fromkeys(removed), **trained, **make_attributes()}
