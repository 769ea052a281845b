"""Preconditioners, and the largest eigenvalue that makes the step size automatic.

A preconditioner approximates the inverse Hessian of the objective by one matrix for all
classes,

    K = S' diag(k) S / m,    ridge = damping * trace(K) / n_weights + l2 / scale^2,
    apply(G) = (K + diag(ridge))^-1 (G / scale) / scale.

The m rows of S are divided by the scales of the columns and have a one appended. The
mean curvature of the loss in each row is k. The scales make a preconditioner exactly
invariant to a rescaling of the features.
"""

import math
from functools import reduce

from sksoftmax._arrays import add_tuples, chunks, count_rows, namespace, take

# Rows of S at a time, in a thread; more of them if they are narrow, as a thread costs
# as much as this work, in multiply-adds.
_GRAM_ROWS, _GRAM_WORK = 1024, 1e8
# The bounds of the share of the diagonal that is added to the diagonal for steps on all
# rows; the share is the rounding of Cholesky's factors. More hides the directions in
# which features that are nearly collinear differ: steps then promise little where they
# would gain much.
LEAST_ROUNDING, LARGEST_ROUNDING = 1e-10, 1e-4
# The least share to add for the rounding of gradients, in units of their eps. The
# inverse multiplies this rounding in directions of little curvature.
GRADIENT_ROUNDING = 0.1
# The matrix is measured again in float64 if the share for rounding hides more than this
# share of its directions. Measured: at most .004 on MNIST, .07 to .94 where 100 to 1000
# features have a common part 100 to 3000 times as large as their own parts. There
# float32 ended at up to 9 % above the optimum, and at 3.4 times with a batch_size.
LARGEST_HIDDEN_SHARE = 0.05
# A sample misses a feature with less than this share of the expected curvature.
LEAST_SAMPLED_SHARE = 0.5
# The gap is estimated at this multiple of <G, M G>. It is near half of <G, M G> if M is
# the inverse of the Hessian, and more if a sample or a diagonal misses directions.
GAP_FACTOR = 10.0


class Gram:
    """The full matrix, (n_weights, n_weights): for dense X of moderate width."""

    name = "gram"
    lazy = False  # every step moves every weight
    # Update numbers: the curvature changes fast at first and barely later.
    refresh_times = frozenset([0] + [16 * 8**k for k in range(16)])
    damping = 3.0  # from sampled rows, K is as noisy as a minibatch's gradient

    def __init__(self, inverse, scale) -> None:
        self.inverse, self._scale = inverse, scale

    @staticmethod
    def invert(hessian, ridge):
        """Return (K + diag(ridge))^-1, shape (n_weights, n_weights)."""
        xp = namespace(hessian)
        return xp.inverse(xp.add_to_diagonal(hessian, ridge))

    @staticmethod
    def trace(hessian) -> float:
        return namespace(hessian).trace(hessian)

    @classmethod
    def build(cls, problem, hessian, n_sampled: int | None, active=slice(None)):
        """Return the preconditioner for steps on all rows, which have no noise.

        `n_sampled` rows were measured, or all rows if it is None. A sample may miss
        most of a rare feature, whose part of the diagonal then comes from the moments
        of all rows.
        """
        scaling = problem.scaling
        columns = scaling.mean_square, scaling.scale, problem.penalty.l2
        return cls(cls.invert_measured(hessian, *columns, n_sampled), scaling.scale)

    @staticmethod
    def invert_measured(hessian, mean_square, scale, l2, n_sampled: int | None):
        """Return the inverse for steps without noise; all others are (n_weights, 1)."""
        xp = namespace(hessian)
        diagonal = xp.astype(xp.diagonal(hessian), xp.float64)
        mean_square = xp.astype(mean_square[:, 0], xp.float64)
        rounding = GRADIENT_ROUNDING * float(xp.finfo(scale.dtype).eps)
        added = max(rounding_damping(hessian), rounding) * diagonal
        if n_sampled is not None:
            expected = mean_square * (
                float(xp.total(diagonal)) / (float(xp.total(mean_square)) or 1.0)
            )
            is_missed = diagonal < LEAST_SAMPLED_SHARE * expected
            missed = xp.where(is_missed, expected - diagonal, 0.0)
            added = added + missed
        added = xp.where(diagonal + added > 0, added, 1.0)
        diagonal = xp.astype(xp.where(diagonal > 0, diagonal, 1.0), hessian.dtype)
        added = xp.astype(added, hessian.dtype) + ridge(0.0, scale, l2, 0.0)
        matrix = xp.add_to_diagonal(hessian, added)
        inverse = damped_inverse(matrix, diagonal)
        if n_sampled is not None:
            inverse /= inversion_bias(diagonal.shape[0], n_sampled)
        return inverse

    @staticmethod
    def work(problem, n_rows: int) -> float:
        """Return the multiply-adds of `measure` on n_rows rows."""
        n_weights = problem.data.n_weights
        return n_weights * (n_rows * (n_weights + 40) + n_weights**2)

    @staticmethod
    def sample_size(n_weights: int) -> int:
        """Return the number of rows to measure the curvature on."""
        return max(2048, 2 * n_weights)

    @staticmethod
    def measure(problem, rows, weights):
        """Return K of `rows` at `weights`, in the dtype of the weights."""
        loss, data, scale = problem.loss, problem.data, problem.scaling.scale
        xp, scaled_weights, n_rows = data.xp, scale * weights, count_rows(rows)

        def share(part):
            S = data.batch(part, compact=False).scaled(scale)
            S = xp.astype(S, weights.dtype)
            k = loss.mean_curvature(loss.proba(xp.matmul(S, scaled_weights)))
            S *= xp.sqrt(k * (problem.sample_weight[part] / n_rows))[:, None]
            return (xp.matmul(S.T, S),)

        part_size = max(_GRAM_ROWS, int(_GRAM_WORK / data.n_weights**2))
        shares = xp.ordered_map(share, chunks(rows, part_size))
        return reduce(add_tuples, shares)[0]

    @classmethod
    def build_exactly(cls, problem, measure, weights, n_sampled: int | None):
        """Return the preconditioner, in float64 if rounding hides many directions.

        `measure` returns K at the weights, in their dtype.
        """
        xp, hessian = problem.data.xp, measure(weights)
        preconditioner = cls.build(problem, hessian, n_sampled)
        # The trace of damping diag(K) (K + damping diag(K))^-1 counts these directions.
        products = xp.diagonal(preconditioner.inverse) * xp.diagonal(hessian)
        n_hidden = rounding_damping(hessian) * float(xp.total(products))
        is_hidden = n_hidden > LARGEST_HIDDEN_SHARE * hessian.shape[0]
        if is_hidden and weights.dtype != xp.float64:
            hessian = measure(xp.astype(weights, xp.float64))
            preconditioner = cls.build(problem, hessian, n_sampled)
        return preconditioner

    def restrict(self, free, damping: float) -> None:
        """Return None: the matrix stays a matrix of all weights."""

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient, (n_weights, n_outputs), a new array."""
        xp, dtype, (n_weights, n_outputs) = namespace(grad), grad.dtype, grad.shape
        grad = xp.astype(grad / self._scale, self.inverse.dtype)
        n_groups = int(n_weights**2 * n_outputs / xp.block_work)
        if n_groups < 2:
            direction = xp.matmul(self.inverse, grad)
        else:  # groups of outputs, for threads
            direction = xp.empty(grad.shape, grad.dtype)

            def multiply(group):
                direction[:, group] = xp.matmul(self.inverse, grad[:, group])

            groups = chunks(slice(0, n_outputs), -(-n_outputs // min(4, n_groups)))
            list(xp.ordered_map(multiply, groups))
        direction /= self._scale
        return xp.astype(direction, dtype)


class Diagonal:
    """The diagonal alone, from the moments of the columns: for sparse or wide X.

    Only the penalty moves weights outside of the active ones of a batch, so these
    weights can catch up later.
    """

    name = "diagonal"
    lazy = True
    refresh_times = frozenset([0] + [8 * 4**k for k in range(24)])
    damping = 1.0

    def __init__(self, inverse, scale) -> None:
        # Without a bound, tiny features that separate the classes would overflow.
        xp = namespace(scale)
        largest = float(xp.finfo(scale.dtype).max) ** 0.9
        self.inverse = xp.minimum(inverse / scale**2, largest)

    @staticmethod
    def invert(hessian, ridge):
        """Return 1 / (K + ridge), shape (n_weights, 1)."""
        return 1 / (hessian + ridge[:, None])

    @classmethod
    def build(cls, problem, hessian, n_sampled: int | None, active=slice(None)):
        """Return the preconditioner for steps on all rows, which have no noise."""
        penalty = ridge(0.0, problem.scaling.scale, problem.penalty.l2, 0.0)
        xp = namespace(hessian)
        mean = float(xp.total(hessian)) / hessian.shape[0]
        hessian = xp.where(hessian > 0, hessian, mean or 1.0)
        return cls._make_restricted(cls.invert(hessian, penalty), problem, active)

    @classmethod
    def _make_restricted(cls, inverse, problem, active):
        return cls(inverse, problem.scaling.scale)

    @staticmethod
    def work(problem, n_rows: int) -> float:
        """Return the multiply-adds of `measure` on n_rows rows."""
        data = problem.data
        return data.n_stored / data.n_samples * n_rows

    @staticmethod
    def trace(hessian) -> float:
        return float(namespace(hessian).sum(hessian[:, 0], axis=0))

    @staticmethod
    def sample_size(n_weights: int) -> int:
        """Return the number of rows to measure the curvature on."""
        return 512  # for one number, the mean curvature

    @staticmethod
    def measure(problem, rows, weights):
        """Return the diagonal of K for `rows` at `weights`."""
        loss, total = problem.loss, 0.0
        for part in chunks(rows, _GRAM_ROWS):
            raw = problem.data.batch(part, compact=False).raw_prediction(weights)
            k = loss.mean_curvature(loss.proba(raw))
            total += float(k @ problem.sample_weight[part])
        return problem.scaling.mean_square * (total / count_rows(rows))

    def restrict(self, free, damping: float) -> None:
        """Return None: a diagonal fits all sets of weights, and damping is a factor."""

    def damping_diagonal(self, active):
        """Return the diagonal, (n_weights, 1), of the active weights."""
        return 1 / self._restrict_inverse(active)

    def _restrict_inverse(self, active):
        return take(self.inverse, active)

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient of the active weights."""
        return take(self.inverse, active) * grad


class CenteredDiagonal(Diagonal):
    """The diagonal for features centered at their means, whether X is centered or not.

    The intercept is then not correlated with any feature, but every step moves every
    weight. This preconditioner thus serves batches of all rows. Measured on 20
    newsgroups, from two epochs of minibatches to a relative gap of 1e-4: 13 passes
    instead of 43.
    """

    name = "centered diagonal"

    def __init__(self, inverse, scale, residual_mean, active=slice(None)) -> None:
        """Initialise for the active weights."""
        super().__init__(inverse, scale)
        self.inverse, residual_mean = (
            take(self.inverse, active),
            take(residual_mean, active),
        )
        xp = namespace(residual_mean)
        self._correlated = xp.flatnonzero(xp.to_numpy(residual_mean)[:, 0])
        self._residual_mean = take(residual_mean, self._correlated)

    @classmethod
    def _make_restricted(cls, inverse, problem, active):
        scaling = problem.scaling
        return cls(inverse, scaling.scale, scaling.residual_mean, active)

    @staticmethod
    def measure(problem, rows, weights):
        """Return the diagonal of K for `rows` at `weights`."""
        hessian, xp = Diagonal.measure(problem, rows, weights), problem.data.xp
        _, scale, mean_square, residual_mean = problem.scaling
        mean_square = xp.where(mean_square > 0, mean_square, 1.0)
        variance = mean_square - (residual_mean / scale) ** 2
        return hessian * xp.maximum(variance / mean_square, 0.0)

    def _restrict_inverse(self, active):
        return self.inverse

    def apply(self, grad, active=slice(None)):
        """Return the preconditioned gradient of the active weights."""
        shift = self._residual_mean * (
            take(self.inverse, self._correlated) * grad[-1, :]
        )
        direction = grad * self.inverse
        direction[self._correlated, ...] -= shift
        direction[-1, :] -= self._residual_mean[:, 0] @ take(
            direction, self._correlated
        )
        return direction


def rounding_damping(matrix) -> float:
    """Return the share of the diagonal to add for Cholesky's factors of a matrix."""
    eps = float(namespace(matrix).finfo(matrix.dtype).eps)
    return min(max(eps * matrix.shape[0], LEAST_ROUNDING), LARGEST_ROUNDING)


def inversion_bias(n_weights: int, n_sampled: int) -> float:
    """Return how much larger the inverse of a sampled matrix is than that of all rows.

    The factor is that of the mean of a Wishart matrix's inverse, and 2 at most.
    """
    return 1 / (1 - n_weights / max(n_sampled, 2 * n_weights))


def damped_inverse(matrix, diagonal):
    """Return the inverse of a matrix, damped if rounding has left it indefinite.

    As small a share of the diagonal is added as Cholesky's factors need.
    """
    if not matrix.shape[0]:
        return matrix
    xp = namespace(matrix)
    damping, least = 0.0, max(1e-9, 10 * float(xp.finfo(matrix.dtype).eps))
    diagonal = diagonal + 1e-6 * float(xp.max(diagonal, axis=0))
    while True:
        try:
            return xp.inverse(xp.add_to_diagonal(matrix, damping * diagonal))
        except FloatingPointError:
            if damping > 1:
                raise
            damping = max(10 * damping, least)


def largest_eigenvalue(problem, batches, weights, preconditioner, start) -> float:
    """Return the largest eigenvalue of M H_B, the larger one of several batches B.

    Six power iterations begin at the product of the two arrays in `start`,
    (n_weights, 1) and (1, n_outputs). The value is the quotient
    <H V, M H V> / <V, H V>, because no rescaling of features changes this quotient.
    """
    loss, xp, largest = problem.loss, problem.data.xp, 0.0
    for rows in batches:
        batch = problem.data.batch(rows, compact=preconditioner.lazy)
        active = batch.active
        sample_weight = (problem.sample_weight[rows] / rows.shape[0])[:, None]
        proba = loss.proba(batch.raw_prediction(take(weights, active)))
        V = take(start[0], active) * start[1]
        value = 0.0
        for _ in range(6):
            grad_raw = loss.hessian_product(proba, batch.raw_prediction(V))
            grad_raw *= sample_weight
            HV = batch.gradient(grad_raw)
            if (
                not preconditioner.lazy
            ):  # steps of a lazy one on the penalty are proximal
                HV += problem.penalty.gradient(V, active)
            MHV = preconditioner.apply(HV, active)
            norm, power = float(xp.vdot(V, HV)), float(xp.vdot(HV, MHV))
            if not (norm > 0 and power > 0):
                break
            value = power / norm
            V = MHV / math.sqrt(power)
        largest = max(largest, value)
    return largest


def ridge(trace: float, scale, l2, damping: float):
    """Return the addition to the diagonal of K, (n_weights,).

    `damping` guards against the noise in the sampled K and in minibatch gradients;
    `l2`, (n_weights, 1), is the curvature of the penalty.
    """
    xp = namespace(scale)
    noise = damping and damping * (trace / scale.shape[0] or 1.0)
    largest = float(xp.finfo(scale.dtype).max) ** 0.75
    penalty = xp.minimum(l2 / xp.astype(scale, xp.float64) ** 2, largest)
    return xp.astype(noise + penalty[:, 0], scale.dtype)
