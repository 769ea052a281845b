"""The steps of minibatch SGD: preconditioned, or by a schedule."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sksoftmax._arrays import evenly_spaced, namespace, take
from sksoftmax._outliers import FEW_ROWS
from sksoftmax._preconditioner import largest_eigenvalue, ridge
from sksoftmax._problem import Problem
from sksoftmax._solvers.state import State

# A stream measures the curvature again if a number has changed by more than its factor
# since the measurement: LEAST_CHANGED_SHARE of the scales, which have fallen, the
# weight that the rows are measured with, or the number of rows to measure on. A new
# penalty or batch size asks for a new step size. Typical numbers change less from call
# to call.
SCALE_FACTOR, WEIGHT_FACTOR, ROWS_FACTOR, STEP_FACTOR = 1.5, 4.0, 2.0, 2.0
LEAST_CHANGED_SHARE, CHANGES_SAMPLE = 0.2, 1000


class CallWeights(NamedTuple):
    """The mean weights of the rows of a call, and of all rows of the stream so far."""

    mean: float
    mean_of_stream: float

    @property
    def are_light(self) -> bool:
        """Whether the rows of the call are much lighter than those of the stream."""
        return WEIGHT_FACTOR * self.mean < self.mean_of_stream


EQUAL_WEIGHTS = CallWeights(1.0, 1.0)


class PreconditionedStep:
    """Preconditioned steps, of a size that follows from the curvature."""

    # Proximal steps that `descend` defers until the next use of the weights.
    n_deferred = 1
    snapshot = snapshot_step = None  # attributes of SVRG's steps

    def __init__(
        self, problem: Problem, state: State, preconditioner_class, rng
    ) -> None:
        """Initialise from the Hessian in `state`; the class is Gram or Diagonal."""
        self._problem, self._preconditioner_class, self._rng = (
            problem,
            preconditioner_class,
            rng,
        )
        # The problem in which the curvature is measured, and the mean weight there.
        self._measured_problem, self._measured_weight = problem, None
        self.damping = preconditioner_class.damping
        known_hessian = state.hessian
        if (
            known_hessian is None
            or state.preconditioner_name != preconditioner_class.name
            or known_hessian.shape[0] != problem.data.n_weights
        ):
            state.preconditioner_name, state.hessian, state.hessian_rows = (
                preconditioner_class.name,
                None,
                0,
            )
        self._prior_hessian, self._prior_hessian_rows = (
            state.hessian,
            state.hessian_rows,
        )
        self._prior_weight = state.measured_weight
        self.lazy = preconditioner_class.lazy
        if state.hessian is not None:
            self._adopt(state)

    def needs_measuring(self, state: State) -> bool:
        """Return whether the curvature is due to be measured."""
        t = state.t - state.refresh_origin
        return state.hessian is None or t in self._preconditioner_class.refresh_times

    def prepare(self, state: State, order, batch_size: int, call_weights) -> None:
        """Update in place before a call of a stream: renew what no longer fits.

        Rows, weights, scales or the penalty may differ from those of earlier calls.
        `call_weights` are the CallWeights. Rows that are much lighter than those of the
        stream are measured with the mean weight of the stream: with a curvature of
        their own, their steps would be as long as those of other rows.
        """
        self._measured_weight = call_weights.mean
        if call_weights.are_light:
            self._measured_weight = call_weights.mean_of_stream
            self._measured_problem = self._reweigh(*call_weights)
        if state.hessian is None or state.measured_scale is None:
            return
        problem, cls = self._problem, self._preconditioner_class
        xp, scale = problem.data.xp, problem.scaling.scale
        n_rows = min(len(order), cls.sample_size(problem.data.n_weights))
        fallen, _ = _changed_shares(scale, state.measured_scale, SCALE_FACTOR)
        weight = max(call_weights)  # about that of the next measurement
        has_new_weights = len(order) >= min(FEW_ROWS, state.hessian_rows) and not (
            _is_near(weight, state.measured_weight, WEIGHT_FACTOR)
        )
        # Scales that grow may be those of a bad chunk, whose rows are saturated.
        if fallen > LEAST_CHANGED_SHARE:
            self._prior_hessian_rows = 0
        elif not (has_new_weights or n_rows > ROWS_FACTOR * state.hessian_rows):
            trace = cls.trace(state.hessian)

            def ridge_in(scale):
                return ridge(trace, scale, problem.penalty.l2, self.damping)

            new_ridge = ridge_in(state.measured_scale)
            changed = sum(_changed_shares(new_ridge, state.ridge, STEP_FACTOR))
            has_new_penalty = changed > LEAST_CHANGED_SHARE
            if has_new_penalty:  # the model will be another one
                state.ridge, state.inverse, state.n_averages = new_ridge, None, 0.0
                self._adopt(state)
            growth = xp.maximum(ridge_in(scale) / state.ridge, 1.0)
            # Steps along a column whose ridge has grown would be too long.
            if float(xp.max(growth, axis=0)) > STEP_FACTOR:
                self._adopt(state, growth[:, None])
            measured_size = state.measured_batch_size or batch_size
            if has_new_penalty or not _is_near(batch_size, measured_size, STEP_FACTOR):
                self._measure_step_size(state, order, batch_size)
            return
        state.refresh_origin = state.t

    def measure(self, state: State, order, batch_size: int) -> None:
        """Update in place: measure the curvature and the step size.

        The rows are evenly spaced in `order`, a NumPy array. Few rows of a stream are
        completed by the measurements of earlier calls.
        """
        problem, weights = self._measured_problem, state.weights
        data = problem.data
        sample_size = self._preconditioner_class.sample_size(data.n_weights)
        rows = evenly_spaced(order, sample_size)
        hessian = self._preconditioner_class.measure(problem, data.index(rows), weights)
        n_prior = max(0, min(self._prior_hessian_rows, sample_size - len(rows)))
        mean_weight = self._measured_weight or self._find_mean_weight(order)
        if n_prior:
            # The quotient of both weights might be infinite in the dtype.
            prior = self._prior_hessian / self._prior_weight * mean_weight
            hessian += (prior - hessian) * (n_prior / (n_prior + len(rows)))
        state.hessian, state.hessian_rows = hessian, n_prior + len(rows)
        state.measured_scale, state.measured_weight = problem.scaling.scale, mean_weight
        trace = self._preconditioner_class.trace(hessian)
        state.ridge = ridge(
            trace, problem.scaling.scale, problem.penalty.l2, self.damping
        )
        state.inverse = None
        self._adopt(state)
        self._measure_step_size(state, order, batch_size)

    def _measure_step_size(self, state: State, order, batch_size: int) -> None:
        problem, weights = self._measured_problem, state.weights
        data = problem.data
        # Numbers are drawn for features and outputs, so no draw depends on rows.
        start = [
            data.xp.asarray(self._rng.standard_normal(shape), weights.dtype)
            for shape in ((data.n_weights, 1), (1, weights.shape[1]))
        ]
        start[0] /= problem.scaling.scale
        batches = [data.index(evenly_spaced(order, batch_size))]
        if batch_size < 256:
            batches.append(data.index(evenly_spaced(order, batch_size, shift=0.5)))
        eigenvalue = largest_eigenvalue(
            problem, batches, weights, self._preconditioner, start
        )
        state.step_size = 1 / eigenvalue if eigenvalue > 0 else 1.0
        state.measured_batch_size = batch_size
        self._set_step_size(state.step_size)

    def _reweigh(self, mean: float, new_mean: float) -> Problem:
        """Return the problem with weights of `new_mean`, where the rows' is `mean`."""
        xp, weight = self._problem.data.xp, self._problem.sample_weight
        reweighed = xp.to_numpy(weight).astype(float) / mean * new_mean
        reweighed = xp.asarray(reweighed, weight.dtype)
        return replace(self._problem, sample_weight=reweighed)

    def _find_mean_weight(self, order) -> float:
        """Return the mean weight of the rows, and 1 if all weights have underflowed."""
        weight = take(self._problem.sample_weight, self._problem.data.index(order))
        return float(self._problem.data.xp.total(weight)) / len(order) or 1.0

    def descend(self, weights, grad, loss, active) -> None:
        """Update the active weights in place by a step.

        A step is cut if it promises to lower the objective by more than the batch's
        loss, or the L2 penalty if that is larger (Polyak). Lazy steps leave it out.
        """
        xp = self._problem.data.xp
        if not self.lazy:
            penalty_grad = self._problem.penalty.gradient(weights)
            grad += penalty_grad
            loss = xp.maximum(loss, xp.vdot(penalty_grad, weights) / 2)
        direction = self._preconditioner.apply(grad, active)
        slope = xp.vdot(grad, direction)
        direction *= xp.polyak_step_size(self._step_size, slope, loss, weights.dtype)
        weights -= direction
        self._problem.constrain(weights)

    def _adopt(self, state: State, growth=None) -> None:
        """Update in place: use the preconditioner of the state.

        The diagonal of its inverse is multiplied by `growth`, (n_weights, 1), if given.
        """
        if state.inverse is None:
            state.inverse = self._preconditioner_class.invert(
                state.hessian, state.ridge
            )
        scale = self._problem.scaling.scale
        if growth is not None:
            scale = scale * growth**0.5
        self._preconditioner = self._preconditioner_class(state.inverse, scale)
        self._set_step_size(state.step_size)

    def _set_step_size(self, step_size: float) -> None:
        self._step_size = step_size
        if self.lazy:
            # The Polyak cap does not apply to the penalty's part of a step. Otherwise
            # this part would depend on the batch at which a weight catches up.
            step_size = step_size * self._preconditioner.inverse
            self.shrinkage = self._problem.penalty.proximal_step(step_size)


def _is_near(value: float, measured: float, factor: float) -> bool:
    return measured / factor <= value <= measured * factor


def _changed_shares(values, measured, factor: float):
    """Return the shares of a sample of positive values that fell and grew by factor."""
    step = 1 + values.shape[0] // CHANGES_SAMPLE
    xp, ratio = namespace(values), values[::step, ...] / measured[::step, ...]
    return tuple(
        float(xp.total(xp.astype(has_changed, xp.float64))) / ratio.shape[0]
        for has_changed in (ratio < 1 / factor, ratio > factor)
    )


class ScheduledStep:
    """Steps along the gradient by a schedule of t = 1, 2, ..., with momentum."""

    n_deferred = 0
    snapshot = snapshot_step = None

    def __init__(
        self, problem: Problem, state: State, schedule: Callable, momentum: float
    ) -> None:
        self._state, self._penalty = state, problem.penalty
        self._constrain = problem.constrain
        self._schedule, self._momentum = schedule, momentum
        # Deferred steps must not depend on the time of catching up.
        self.lazy = momentum == 0 and schedule(1) == schedule(2)
        self.shrinkage = problem.penalty.gradient_step(schedule(1))
        if momentum == 0:
            state.velocity = None
        elif (
            state.velocity is None or state.velocity.shape[0] != problem.data.n_weights
        ):
            state.velocity = problem.zeros()

    def prepare(self, state: State, order, batch_size: int, call_weights) -> None:
        """Change nothing: these steps measure no curvature."""

    def needs_measuring(self, state: State) -> bool:
        """Return False: these steps measure no curvature."""
        return False

    def descend(self, weights, grad, loss, active) -> None:
        """Update the active weights in place by a step."""
        step_size = self._schedule(self._state.t)
        grad += self._penalty.gradient(weights, active)
        if self._momentum:
            grad += self._momentum * self._state.velocity
            self._state.velocity = grad
            weights -= step_size * grad
        else:
            grad *= step_size
            weights -= grad
        self._penalty.soft_threshold_weights(weights, step_size, active)
        self._constrain(weights)


def constant_schedule(eta0: float) -> Callable[[int], float]:
    """Return the step size as a function of the update number t = 1, 2, ..."""
    return lambda t: eta0


def inverse_scaling_schedule(eta0: float, power_t: float) -> Callable[[int], float]:
    """Return the step size eta0 / t**power_t."""
    exponent = -float(power_t)  # NumPy's integers have no negative powers
    return lambda t: eta0 * t**exponent  # t**power_t might overflow
