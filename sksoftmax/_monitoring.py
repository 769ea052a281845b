"""Validation losses and callbacks of each epoch."""

import math
from dataclasses import replace

import numpy as np

from sksoftmax._data import make_data
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._targets import make_targets
from sksoftmax._validation import unit_mean_factor, validate_held_out_rows


def stops_early(params):
    """Return `early_stopping` as True, False (NumPy's are others) or "auto"."""
    switch = params.early_stopping
    return switch if isinstance(switch, str) else bool(switch)


def make_validation(
    estimator, problem, rows, held_out, X_val, y_val, sample_weight_val
):
    """Return what watches validation rows, or None without any.

    `problem` is that of the TrainingRows `rows`, and `held_out` the indices of those
    set aside, or None. The other arguments are those of `fit`.
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
    """The loss of rows that are not trained on, and the model of the best epoch."""

    def __init__(self, problem: Problem, rows, plateau: Plateau | None) -> None:
        """Watch `rows` of a problem; without `plateau` they stop nothing."""
        self._problem, self._rows = problem, problem.data.index(rows)
        self._plateau = plateau
        self.curve: list = []
        self.best_model = None

    def watch(self, solver, converged: bool) -> bool:
        """Record the loss after an epoch of the solver; return whether to stop."""
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
        return self._plateau.reached(loss, solver.steps_per_epoch)


class Callbacks:
    """Reports of `fit` to scikit-learn's callbacks, if the estimator has any.

    Its task has one subtask an epoch.
    """

    def __init__(self, estimator, X, y, sample_weight) -> None:
        """Start the task, on the data as they were passed to `fit`."""
        self._fit = self._epoch = None
        if not getattr(estimator, "_skl_callbacks", None):
            return
        weight = None if sample_weight is None else {"sample_weight": sample_weight}
        self._task_data = {"estimator": estimator, "X": X, "y": y, "metadata": weight}
        self._fit = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self._fit.call_on_fit_task_begin(**self._task_data)

    def announce(self, epochs, max_iter: int):
        """Yield at most `max_iter` epochs; callbacks know of each before it starts."""
        for _ in range(max_iter):
            if self._fit is not None:
                self._epoch = self._fit.subcontext(task_name="epoch")
                self._epoch.call_on_fit_task_begin(**self._task_data)
            epoch = next(epochs, None)
            if epoch is None:
                self.end_epoch()
                return
            yield epoch

    def end_epoch(self, fitted=None) -> bool:
        """Return whether a callback asks to stop; see `end` for `fitted`."""
        return self._end(self._epoch, fitted)

    def end(self, fitted) -> None:
        """End the task; `fitted` returns the attributes that make a fitted model."""
        self._end(self._fit, fitted)

    def _end(self, task, fitted) -> bool:
        if task is None:
            return False
        return task.call_on_fit_task_end(
            **self._task_data, reconstruction_attributes=fitted
        )
