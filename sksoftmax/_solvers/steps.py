"""The steps of minibatch SGD: preconditioned, or by a schedule."""

from collections.abc import Callable

from sksoftmax._arrays import evenly_spaced
from sksoftmax._preconditioner import largest_eigenvalue, ridge
from sksoftmax._problem import Problem
from sksoftmax._solvers.state import State


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
        self.lazy = preconditioner_class.lazy
        if state.hessian is not None:
            self._adopt(state)

    def needs_measuring(self, state: State) -> bool:
        """Return whether the curvature is due to be measured."""
        t = state.t - state.refresh_origin
        return state.hessian is None or t in self._preconditioner_class.refresh_times

    def measure(self, state: State, order, batch_size: int) -> None:
        """Update in place: measure the curvature and the step size.

        The rows are evenly spaced in `order`, a NumPy array. Few rows of a stream are
        completed by the measurements of earlier calls.
        """
        problem, weights = self._problem, state.weights
        data = problem.data
        sample_size = self._preconditioner_class.sample_size(data.n_weights)
        rows = evenly_spaced(order, sample_size)
        hessian = self._preconditioner_class.measure(problem, data.index(rows), weights)
        n_prior = max(0, min(self._prior_hessian_rows, sample_size - len(rows)))
        if n_prior:
            hessian += (self._prior_hessian - hessian) * (
                n_prior / (n_prior + len(rows))
            )
        state.hessian, state.hessian_rows = hessian, n_prior + len(rows)
        trace = self._preconditioner_class.trace(hessian)
        state.ridge = ridge(
            trace, problem.scaling.scale, problem.penalty.l2, self.damping
        )
        state.inverse = None
        self._adopt(state)
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
        self._set_step_size(state.step_size)

    def descend(self, weights, grad, loss, active) -> None:
        """Update the active weights in place by a step.

        A step that promises to lower the loss of the batch below zero is cut (Polyak).
        """
        if not self.lazy:
            grad += self._problem.penalty.gradient(weights)
        direction = self._preconditioner.apply(grad, active)
        xp = self._problem.data.xp
        slope = xp.vdot(grad, direction)
        direction *= xp.polyak_step_size(self._step_size, slope, loss, weights.dtype)
        weights -= direction
        self._problem.constrain(weights)

    def _adopt(self, state: State) -> None:
        if state.inverse is None:
            state.inverse = self._preconditioner_class.invert(
                state.hessian, state.ridge
            )
        self._preconditioner = self._preconditioner_class(
            state.inverse, self._problem.scaling.scale
        )
        self._set_step_size(state.step_size)

    def _set_step_size(self, step_size: float) -> None:
        self._step_size = step_size
        if self.lazy:
            # The Polyak cap does not apply to the penalty's part of a step. Otherwise
            # this part would depend on the batch at which a weight catches up.
            step_size = step_size * self._preconditioner.inverse
            self.shrinkage = self._problem.penalty.proximal_step(step_size)


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
