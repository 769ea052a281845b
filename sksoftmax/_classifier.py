"""SoftmaxRegressionClassifier: parameters, fit, partial_fit, predict, export."""

import copy
import math
from numbers import Integral, Real
from operator import is_not, itemgetter
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import NUMPY, input_to_numpy, namespace
from sksoftmax._classes import (
    check_class_order,
    check_class_totals,
    check_classes,
    check_new_classes,
    encode,
    encode_for_score,
    find_classes,
    validate_classes,
)
from sksoftmax._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    array_namespace,
    fit_context,
)
from sksoftmax._kronecker import PHM_ATTRIBUTES
from sksoftmax._labels import take_labels
from sksoftmax._monitoring import Callbacks, make_validation, stops_early
from sksoftmax._parameters import check_solver, check_stream_alpha, make_generator
from sksoftmax._prediction import predict_in_chunks
from sksoftmax._state import (
    add_classes,
    all_or_nothing,
    convert_arrays,
    count_fitted_rows,
    forget_curvature,
    from_attributes,
    from_pickle,
    is_zero,
    known_state,
    make_dense,
    make_memory,
    make_state,
    mean_weights,
    model_weights,
    shift_prior,
    snapshot,
    to_attributes,
    to_pickle,
    unshift_prior,
)
from sksoftmax._strategy import phases, run_pass
from sksoftmax._targets import is_soft_target, most_probable
from sksoftmax._training import make_problem, measure, train
from sksoftmax._validation import (
    check_model,
    check_namespace,
    check_warm_start,
    validate_probabilities,
    validate_rows,
    weigh_rows,
)

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
_KEPT_LOSSES = 1000  # of calls of partial_fit; copied in each call, in 1 us
# Attributes of some fits only: each fit deletes those of an earlier one.
_OPTIONAL_ATTRIBUTES = (
    "progressive_loss_curve_",
    "validation_loss_curve_",
    "best_validation_loss_",
    *PHM_ATTRIBUTES,
)


class SoftmaxRegressionClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    r"""Softmax (multinomial logistic) regression trained by minibatch SGD.

    The estimator finds the weights W (`coef_`) and the intercepts c (`intercept_`) that
    minimise

    .. math::

        \frac{\sum_i s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + c))}{\sum_i s_i}
        + \alpha \left(\frac{1 - \rho}{2} \|W\|_2^2 + \rho \|W\|_1\right).

    The strength :math:`\alpha` is `alpha`, and :math:`\rho` is `l1_ratio`.
    :math:`\mathrm{CE}(y, p) = -\log p_y` is the cross-entropy, and :math:`s_i` is the
    sample weight times the weight of the class. Two classes have one row of weights and
    a sigmoid. :class:`~sklearn.linear_model.LogisticRegression` solves the same problem
    if ``alpha = 1 / (C * sum_i s_i)``.

    The parameters, by what they set:

    - the model: `alpha`, `l1_ratio`, `fit_intercept`, `class_weight`,
      `label_smoothing`, `phm_order`;
    - the end of training: `tol`, `max_iter`, `n_iter_no_change`, `early_stopping`,
      `validation_fraction`;
    - the way there: `solver`, `batch_size`, `preconditioner`, `average`, `shuffle`,
      `warm_start`, `random_state`;
    - the textbook's minibatch SGD instead: `learning_rate`, `eta0`, `power_t`,
      `momentum`;
    - what is printed: `verbose`.

    The penalty is the only parameter to tune, and
    :class:`SoftmaxRegressionClassifierCV` chooses it. The units of the features do not
    change how fast training is. They change the penalty, which weighs more on features
    with small values.

    A minibatch step multiplies the gradient by a preconditioner, which approximates the
    inverse Hessian on sampled rows. The step size follows from the largest eigenvalue
    of the preconditioned Hessian. The model is a running average of the iterates. Steps
    on all rows train small data from the start, and larger dense data after an epoch or
    a few. ``solver="svrg"`` goes to the optimum.

    Parameters
    ----------
    alpha : float or "1/n_samples", default=1e-4
        Strength of the penalty. A number does not depend on the number of samples. 0 is
        no penalty; raising `alpha` draws all weights towards zero. "1/n_samples" is 1
        divided by the sum of s_i over the training rows, the penalty of
        LogisticRegression with C=1. `partial_fit` requires a number.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, between 0 (L2 alone) and 1 (L1 alone). Raising it
        makes more weights exactly zero; see `sparsify`. Data in one batch, sparse X and
        ``solver="svrg"`` end with Newton steps, which find the zeros of the optimum.
        Large dense data end near these zeros. Minibatches alone leave some of these
        weights nonzero, because of noise: a weight of the average is zero if the last
        iterate's weight is.

    fit_intercept : bool, default=True
        Whether to fit an intercept. The intercept is not penalised.

    solver : {"sgd", "svrg"}, default="sgd"
        - "sgd": until further training would change the objective by little; see `tol`.
          Small data have Newton steps on all rows, and larger dense data minibatches,
          and then steps on all rows. Sparse data with L2 have minibatches alone.
        - "svrg": to the optimum. After some epochs of "sgd", minibatch steps subtract
          their own error at a snapshot, where the gradient of all rows is known. Their
          noise vanishes at the optimum. Newton steps on all rows end every fit that
          converges, because they alone bound the gap to the optimum; see `tol`.
          `partial_fit` always uses "sgd".

    batch_size : int or "auto", default="auto"
        Rows in a minibatch. An integer of n_samples or more makes each step use all
        rows. Raising it lowers the noise of a step, and leaves fewer updates an epoch.

        "auto" uses all rows from the start if n_samples * n_features * n_classes is at
        most 4e7 (on a GPU 3e9), where two classes count as one. The limit for sparse X
        is stored values * n_classes of 4e6. Sparse X with `l1_ratio` above 0 uses all
        rows from the start, too. Otherwise "auto" starts with minibatches of 512 rows
        (on a GPU 2048), or up to 1024 rows if there are more than 512 classes. Dense X
        goes on with steps on all rows. A `learning_rate` other than "auto" has
        minibatches of 256 rows. `phm_order` has about 20 minibatches an epoch, of 32 to
        512 rows.

    max_iter : int, default=1000
        Largest number of epochs in `fit`. A step on all rows counts as one epoch,
        although it may make several passes over the rows. Raising it only matters
        for a fit that reaches `max_iter` before the stopping rule, and warns.

    tol : float or None, default=1e-2
        Stopping tolerance.

        - Epochs of minibatches: training stops after `n_iter_no_change` epochs in a row
          that each improve the objective by less than ``tol`` times itself.
        - Steps on all rows after minibatches: training stops when one more pass over
          the rows is expected to gain less than that.
        - Data in one batch, sparse X with `l1_ratio` above 0 and
          ``batch_size="auto"``, and ``solver="svrg"``: training stops when a bound of
          the gap to the optimum is at most ``tol`` times the objective, or times a
          thousandth of log(n_classes) if that is more. See Notes.

        Where the first two rules may hold far from the optimum, such as on collinear
        columns or rare classes, the gap is estimated, too, and training goes on if the
        estimate is large.

        Lowering `tol` gives a smaller gap and takes longer. None continues training
        for `max_iter` epochs, or until no step lowers the objective.

    n_iter_no_change : int, default=1
        Number of epochs without enough improvement before training stops. Steps on all
        rows after minibatches count passes over all rows instead, and twice as many
        with the diagonal preconditioner, for dense X and ``batch_size="auto"``. Raising
        it makes chance rises of the loss less likely to end training.

    learning_rate : {"auto", "constant", "invscaling"}, default="auto"
        - "auto": preconditioned steps of automatic size; required by "svrg".
        - "constant": textbook minibatch SGD with the step size `eta0`. Its model is the
          last iterate if `average` is False.
        - "invscaling": the same with ``eta0 / t**power_t`` in update t = 1, 2, ...

    eta0 : float, default=0.1
        Step size of the textbook schedules. Raising it trains faster, until steps
        overshoot and the loss grows.

    power_t : float, default=0.5
        Exponent of "invscaling". Raising it shrinks the steps faster.

    momentum : float, default=0.0
        Momentum of the textbook schedules: the share of the last update's direction
        that is added to the gradient. Raising it towards 1 lengthens steps along
        directions that persist, and makes noise last longer.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The preconditioner of ``learning_rate="auto"``. "gram" is the weighted Gram
        matrix of the features, with (n_features + 1)^2 numbers, and "diagonal" is its
        diagonal. "auto" uses the matrix for dense X with up to 2048 features, and for
        sparse X with up to 64 * sqrt(stored values a row), unless all rows are one
        batch of few rows. Otherwise "auto" uses the diagonal, which is cheap and takes
        more epochs if features are strongly correlated. "gram" requires at most 20000
        features, and `l1_ratio` above 0 the diagonal. `fit` measures the matrix for
        "diagonal", too, where it costs little, to check a plateau of dense X.

    average : bool, default=True
        Whether to return a running average of the iterates, which smooths out the
        noise of minibatches. Steps on all rows have no noise, and are not averaged.

    shuffle : bool, default=True
        Whether to draw a new order of the rows for each epoch.

    class_weight : dict or "balanced", default=None
        Weights of the classes, ``{label: weight}``, 1 if not given. Labels that are no
        classes are ignored, so that folds may lack a class. If a class is not in the
        dict either, a warning names both. A dict without any class is an error. Class
        weights shift the probabilities too; `correct_prior` takes this effect back.
        "balanced" gives all classes that occur the same total weight. `fit` balances
        the rows it gets, and `partial_fit` all rows so far, with those of the call. A
        row of probabilities has the mean of the class weights under them as its weight.
        The totals of classes that share rows are then only nearly equal.

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved to all classes alike, at least 0
        and below 1 [8]_. Raising it makes predicted probabilities less extreme.
        Validation losses are smoothed too; class weights and scores are not.

    phm_order : int, default=None
        Number of Kronecker products whose sum `coef_` is [9]_; None for a `coef_`
        without this constraint. An order n of 2 or more stores about a n-th of the
        weights: n^3 + n_classes * n_features / n numbers, where both sizes are rounded
        up to multiples of n, see `n_parameters_`. Raising n saves more, until n^3
        outgrows the rest. The problem is no longer convex: `fit` ends near a local
        optimum, which may not be the best one. X has to be dense and NumPy's.
        `l1_ratio` and ``solver="svrg"`` are not supported.

    warm_start : bool, default=False
        Whether `fit` starts from `coef_` and `intercept_`. The classes must be the
        same, or more: then the model grows as in `partial_fit`. Zeros replace a model
        with a larger objective than weights of zero have. The averaging and the count
        of updates `t_` start again, and the scales and curvature are measured again. A
        path of penalties goes from large to small `alpha`. Newton steps are then
        stricter about when to stop, because a change of the penalty leaves little to
        gain in each pass.

    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling, the start of the step size's power iteration and the
        validation split. The same data, parameters and seed give the same bits on the
        same machine, with any number of threads; see Notes. Training with all samples
        as one batch draws nothing.

    early_stopping : bool or "auto", default="auto"
        Whether `fit` stops by the log-loss of validation rows instead of the objective.
        `tol` and `n_iter_no_change` stay the same, and five steps on all rows (ten with
        `phm_order`) count as one epoch. `fit` then returns the model of the epoch with
        the lowest log-loss. "auto" means True if `X_val` is given to `fit`, and else
        False. True without `X_val` sets rows aside. False records the losses of
        `X_val`, and does not stop by them. `partial_fit` ignores `early_stopping`.

    validation_fraction : float, default=0.1
        Share of the rows to set aside, stratified by class if there are enough. Each
        class keeps rows to train on. A class with too few rows to split has no row to
        validate on, without a warning. Raising `validation_fraction` makes the
        losses surer and leaves fewer rows to train on. Not used with `X_val`.

    verbose : int, default=0
        If `verbose` is 1 or more, `fit` prints a line an epoch and why training ended,
        and `partial_fit` prints a line a call that has rows with weight.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; always NumPy's.

    t_ : int
        Number of updates of the weights.

    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Weights of the features; one row for two classes. Under scikit-learn's
        `array_api_dispatch`, `coef_` is of X's library and on its device. The dtype is
        that of training, or float64 if float32 lacks the digits; see Notes.

    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts, of the library and on the device of `coef_`; zeros if
        `fit_intercept` is False. Training makes those of three or more classes sum to
        zero.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, if X has string column names.

    n_iter_ : int
        Epochs of minibatches and steps on all rows of `fit`; `partial_fit` adds one a
        call that has rows with weight.

    loss_curve_ : list of float
        Objective of the model after each epoch or step on all rows of `fit`. The steps
        report the objective of all rows, and minibatches that of at most 2048 rows,
        which stay the same. Outliers count as they do in training.

    progressive_loss_curve_ : list of float
        Mean loss of the rows of each call of `partial_fit`, the last 1000 calls. Each
        batch is measured before its update, by the last iterate: progressive validation
        [13]_. Outliers count as they do in training.

    validation_loss_curve_ : list of float
        Log-loss of the validation rows after each epoch, if there are such rows.

    best_validation_loss_ : float
        The lowest value of `validation_loss_curve_`.

    phm_A_ : ndarray of shape (n, n, n)
        The first factors of ``phm_order=n``. The sum of
        ``np.kron(phm_A_[i], phm_S_[i])``, cut to the shape of `coef_`, is `coef_` with
        its features in the order of `phm_permutation_`.

    phm_S_ : ndarray of shape (n, ceil(n_classes / n), ceil(n_features / n))
        The second factors of ``phm_order=n``.

    phm_permutation_ : ndarray of shape (n * ceil(n_features / n),)
        The order of the features: one after the other, dealt out to n blocks in turn,
        or dealt out by scale, whichever loses least. Numbers from n_features on fill
        the last block up.

    n_parameters_ : int
        Number of weights that the factors hold; for models with `phm_order`.

    See Also
    --------
    SoftmaxRegressionClassifierCV : Chooses `alpha` by cross-validation.
    sklearn.linear_model.LogisticRegression : Full-batch solvers.
    sklearn.linear_model.SGDClassifier : One-versus-rest, a sample at a time.

    Notes
    -----
    float32 and float64 are kept. 16-bit floats and 8- and 16-bit integers are trained
    in float32, other integers in float64, and all are cast a batch at a time. Data in
    one batch are trained in float64, unless the device has no float64. `coef_` is then
    rounded to the dtype above, unless rounding would raise the objective by more than a
    small share of `tol`. Features with a mean of more than 1000 standard deviations
    from zero, or with a root mean square below 1e-16, make float32 models float64.

    Outliers among the rows have bounded weights in minibatches, in streams, and in the
    steps on all rows that follow minibatches by default. In `fit`, a class that would
    lose more than half of its weight keeps it all, as large values tell the class.
    ``solver="svrg"`` and data in one batch minimise the objective above exactly.

    Threads share the rows of NumPy arrays and SciPy matrices. There are as many threads
    as this process has cores, but no more than BLAS is allowed to use: set them by
    ``threadpoolctl.threadpool_limits`` or the variable OMP_NUM_THREADS. BLAS itself has
    one thread during a fit. Small data are trained by one thread.

    Labels are compared by value: 64-bit integers exactly, in any dtype, and text with
    text alone. The number 1 is True and 1.0, and never the text "1". Arrays of dtype
    object are converted to numbers if they hold numbers.

    X may be a PyTorch tensor, a CuPy array or another array of the array API standard,
    with scikit-learn 1.9 or newer and its `array_api_dispatch`. All fitted arrays and
    predictions are then of X's library and on its device. `classes_`, and labels for
    which the library has no numbers, such as strings, stay NumPy's. y and weights may
    be of any library. Predictions and `partial_fit` require the library and device of
    `fit`.

    `set_callbacks` takes the callbacks of scikit-learn 1.9 or newer, such as a progress
    bar. Each epoch of `fit` is a task. A callback can ask to stop. `fit` then returns
    the model of that epoch, or with early stopping of the best epoch so far.

    The averaged, preconditioned SGD is described in [1]_ (curvature from sampled rows)
    and [2]_ (averaging). A step is shortened if it would promise a negative loss [3]_.
    Minibatches first and all rows after them are the idea of [5]_. After minibatches of
    dense rows, L-BFGS [14]_ with the preconditioner of [1]_ takes the steps on all
    rows. Elsewhere, and if L-BFGS comes to no plateau, they are Newton's method, by
    conjugate gradients with this preconditioner. The conjugate gradients stop when
    further products promise too little [4]_ [6]_. The whole Hessian of up to 2000
    weights, of all classes, replaces the preconditioner once the products have cost
    twice as much as this matrix would. The matrix of "gram" replaces the diagonal on a
    plateau where it estimates a large gap.

    Problems with L1 are solved on few features at a time, the working sets of [11]_.
    The quadratic model of a Newton step keeps L1. An interior point method [12]_
    minimises the model if the whole Hessian is in use, and active sets [10]_ do
    otherwise. "svrg" is [7]_ with the preconditioner of [1]_, and computes residuals
    again instead of keeping n_samples * n_classes of them.

    Fenchel duality bounds the gap to the optimum. The probabilities that the step's
    quadratic model expected are a point of the dual problem. The gap is at most the sum
    of two parts. The first is the mean Kullback-Leibler divergence of these
    probabilities from the model's. The second is the value that the penalty and its
    conjugate assign to the gradient that the step left. The intercept has no penalty,
    so its small share of the gradient is counted with a factor of 1000. A penalty that
    is zero or too weak gives no useful bound. The decrement <G, H^-1 G> in the whole
    Hessian H, times 1e6, then stands in for the bound. The decrement counts only after
    steps that gained next to nothing. The objective itself is a bound, too, which ends
    fits of separable data.

    References
    ----------
    .. [1] Frangella, Rathore, Zhao and Udell (2023), "PROMISE: Preconditioned
       Stochastic Optimization Methods by Incorporating Scalable Curvature Estimates".
    .. [2] Polyak and Juditsky (1992), "Acceleration of Stochastic Approximation by
       Averaging".
    .. [3] Loizou et al. (2021), "Stochastic Polyak Step-size for SGD".
    .. [4] Dembo, Eisenstat and Steihaug (1982), "Inexact Newton Methods".
    .. [5] Friedlander and Schmidt (2012), "Hybrid Deterministic-Stochastic Methods for
       Data Fitting".
    .. [6] Nash and Sofer (1990), "Assessing a Search Direction Within a
       Truncated-Newton Method".
    .. [7] Johnson and Zhang (2013), "Accelerating Stochastic Gradient Descent using
       Predictive Variance Reduction".
    .. [8] Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), "Rethinking the Inception
       Architecture for Computer Vision".
    .. [9] Zhang et al. (2021), "Beyond Fully-Connected Layers with Quaternions:
       Parameterization of Hypercomplex Multiplications with 1/n Parameters".
    .. [10] Wen, Yin, Goldfarb and Zhang (2010), "A Fast Algorithm for Sparse
       Reconstruction Based on Shrinkage, Subspace Optimization, and Continuation".
    .. [11] Massias, Gramfort and Salmon (2018), "Celer: a Fast Solver for the Lasso
       with Dual Extrapolation".
    .. [12] Kim, Koh, Lustig, Boyd and Gorinevsky (2007), "An Interior-Point Method for
       Large-Scale l1-Regularized Least Squares".
    .. [13] Blum, Kalai and Langford (1999), "Beating the Hold-Out: Bounds for K-fold
       and Progressive Cross-Validation".
    .. [14] Liu and Nocedal (1989), "On the Limited Memory BFGS Method for Large Scale
       Optimization".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier().fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    >>> clf.predict_proba(X[:1]).round(2)
    array([[1., 0., 0.]])
    """

    # Links of the HTML representation, filled in by scikit-learn.
    _doc_link_module = "sksoftmax"
    _doc_link_template = (
        "https://sksoftmax.readthedocs.io/en/stable/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    # Types of the attributes of a fitted model, for type checkers.
    classes_: Any
    coef_: Any
    intercept_: Any
    n_iter_: int
    t_: int

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn reads this class attribute)
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"1/n_samples"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"sgd", "svrg"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"auto", "constant", "invscaling"})],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "preconditioner": [StrOptions({"auto", "gram", "diagonal"})],
        "average": ["boolean"],
        "shuffle": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "phm_order": [Interval(Integral, 2, None, closed="left"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        alpha: float | Literal["1/n_samples"] = 1e-4,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        solver: Literal["sgd", "svrg"] = "sgd",
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-2,
        n_iter_no_change: int = 1,
        learning_rate: Literal["auto", "constant", "invscaling"] = "auto",
        eta0: float = 0.1,
        power_t: float = 0.5,
        momentum: float = 0.0,
        preconditioner: Literal["auto", "gram", "diagonal"] = "auto",
        average: bool = True,
        shuffle: bool = True,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        phm_order: int | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.momentum = momentum
        self.preconditioner = preconditioner
        self.average = average
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.phm_order = phm_order
        self.warm_start = warm_start
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.verbose = verbose

    @property
    def penalty(self) -> str:
        """Name of the penalty: "l1", "l2" or "elasticnet", by `l1_ratio`.

        `penalty` is no parameter. If `penalty` is "l1", scikit-learn's SelectFromModel
        keeps the features whose absolute weights sum to 1e-5 or more.
        """
        # As near 1 as scikit-learn asks of the l1_ratio of its LogisticRegression.
        if np.isclose(self.l1_ratio, 1):
            return "l1"
        return "elasticnet" if self.l1_ratio else "l2"

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model to the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features. `fit` does not change X. CSR matrices without duplicates, and
            arrays and memory maps of floats or integers, are not copied. Duplicates
            are added up in the dtype of training. Dates and durations are refused.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class. Probabilities are at least 0, and
            a row sums to one up to .002 (in bfloat16 .016); rows are divided by their
            sums. The classes are then 0, 1, ..., or the column names of a data frame or
            an Arrow table. Probabilities in float32 or float64 are not copied if named
            columns are sorted.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A common factor changes nothing if `alpha` is a number.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Features of rows to validate on after each epoch. `X_val` turns early
            stopping on, see `early_stopping`. A Pipeline transforms `X_val` as X with
            ``Pipeline(..., transform_input=["X_val"])`` and
            ``sklearn.set_config(enable_metadata_routing=True)``. Without these two, no
            error tells that `fit` gets untransformed `X_val`.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Labels of the rows of `X_val`, all among the labels of y, or class
            probabilities. Columns without names are in the order of `classes_`, which
            is sorted.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the rows of `X_val`, which are multiplied by the weights of the
            classes.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, the weights or the validation data cannot be used, or
            if the weights of the model became infinite. The estimator is then
            unchanged.
        TypeError
            If X holds dates or other objects that are no numbers. If X is a sparse
            tensor, or an array on a device without scikit-learn's `array_api_dispatch`.
            If this setting is on and X is a lazy or read-only array of another library.

        Warns
        -----
        ConvergenceWarning
            If training ends before the stopping rule of `tol` is met. If `eta0` or
            `phm_order` leaves the model worse than weights of zero, or `phm_order` at
            an objective above that of an earlier epoch.
        UserWarning
            If `class_weight` names labels that are no classes, and lacks a class.
        """
        check_solver(self)
        with all_or_nothing(self) as trained:
            callbacks = Callbacks(self, trained, X, y, sample_weight)
            is_warm = self.warm_start and hasattr(trained, "coef_")
            if is_warm:
                check_model(trained)
            X, y = validate_rows(trained, X, y, reset=True)
            if is_warm:
                check_warm_start(trained, X)
            classes = find_classes(y, trained.classes_ if is_warm else None)
            if is_warm:
                check_new_classes(classes, trained.classes_, "y")
                vars(trained).update(add_classes(trained, classes))
                vars(trained).update(unshift_prior(trained))
            trained.classes_ = classes
            rows = weigh_rows(classes, self.class_weight, X, y, sample_weight)
            check_class_totals(classes, rows.class_count * rows.class_weight)
            rng, held_out = make_generator(self.random_state), None
            if stops_early(self) is True and X_val is None:
                rows, held_out = rows.split(self.validation_fraction, rng)
            training = measure(self, rows.normalized())
            problem = make_problem(
                self,
                training,
                rows.y,
                rows.n_classes,
                total_weight=rows.total_weight,
            )
            validation = make_validation(
                trained, problem, rows, held_out, X_val, y_val, sample_weight_val
            )
            start = model_weights(trained, problem) if is_warm else problem.zeros()
            state = make_state(start, self.average)
            loss_curve: list[float] = []
            # Calls of `partial_fit` add rows in the unit of their weights.
            moments = training.moments.weighted(mean_weights(rows).mean)

            # A callback's model has a copy of the generator, as training still draws.
            def make_attributes(model, final_rng=None):
                final_rng = final_rng or copy.deepcopy(rng)
                memory = make_memory(rows, moments, final_rng)
                attributes = to_attributes(
                    self, problem, state, model, memory, training.dtype
                )
                attributes = count_fitted_rows(attributes)
                # The preconditioner of "svrg" has too little damping for noisy steps.
                if self.solver == "svrg":
                    attributes = forget_curvature(attributes)
                attributes["loss_curve_"] = loss_curve.copy()
                attributes["n_iter_"] = len(loss_curve)
                if validation is not None:
                    attributes["validation_loss_curve_"] = validation.curve.copy()
                    attributes["best_validation_loss_"] = min(validation.curve)
                return attributes

            _delete_attributes(trained, _OPTIONAL_ATTRIBUTES)
            epochs = phases(self, problem, state, rows.indices, rng)
            model = train(
                self,
                problem,
                epochs,
                loss_curve,
                make_attributes,
                validation,
                callbacks,
            )
            vars(trained).update(make_attributes(model, rng))
            callbacks.end(dict)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Continue training with one pass over these rows.

        The rows are cut into batches of `batch_size`. Fewer rows make one batch and one
        update. The estimator keeps only sums over the rows: moments and curvature.

        Training continues from the current `coef_`, `intercept_` and `t_`, including
        manual edits. Set on a new estimator, with `classes_`, these attributes are a
        model to start from, whose counts begin at zero. Changed parameters take effect
        at once, a sparse `coef_` is made dense, and the dtype of `coef_` stays. Dense
        and sparse X may be mixed between calls. A call whose sample weights are all
        zero, or below the normal numbers of the dtype, changes no weight; new `classes`
        are added.

        The model follows data that change. An iterate weighs by the rows of its update
        in the average, and by at least 1 / 1000 for 512 rows: in long streams, every
        350000 rows halve the weight of all earlier ones. After a sudden change, such as
        two classes that swap, the model may start again from zeros: if the mean loss of
        a call was more than twice that of zeros, the next call has 32 rows or more of
        usual weight, and zeros have a lower loss on these. A textbook schedule never
        starts again. The scales of the features are measured over all rows ever seen.

        A call that names more `classes` than the model knows adds them. A new class
        starts with weights of zero and the intercept mean(c) - log(n + 1), after n rows
        without it. The weights of the classes need not sum to zero with L1. Their mean
        raw prediction at the mean of the features then replaces mean(c). When two
        classes become three, one known class gets half of their row of weights, and the
        other one minus that half. The averaging starts again, and everything else
        continues.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class: rows of at least 0 that sum to
            one. The columns are the classes in the order of `classes_`, or a data frame
            names them.
        classes : array-like of shape (n_classes,), default=None
            All labels, also those of later calls. The first call requires `classes`,
            unless y has a column for each class. Later calls may omit `classes`, or
            name the known labels and new ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, absolute: a row of weight 2 has twice the effect of a
            row of weight 1 in another call.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, `classes` or the weights cannot be used, if attributes
            set by hand do not agree, or if the weights of the model became infinite. X
            cannot be used if it is of another library or on another device than
            `coef_`. The estimator is then unchanged.
        TypeError
            If X holds dates or other objects that are no numbers, or is of a kind that
            `fit` refuses.

        Warns
        -----
        UserWarning
            If `class_weight` names labels that are no classes, and lacks a class.
        """
        with all_or_nothing(self) as trained:
            trained._validate_changed_params()  # fit_context does in first calls only
            check_stream_alpha(self.alpha)
            is_first = not (hasattr(trained, "coef_") or hasattr(trained, "intercept_"))
            has_features = hasattr(trained, "n_features_in_")
            X, y = validate_rows(trained, X, y, reset=is_first or not has_features)
            if not is_first:
                check_model(trained, X.shape[1])
                check_namespace(trained, "partial_fit", X)
                if "_state" not in vars(trained):  # the attributes were set by hand
                    check_class_order(trained.classes_)
            classes = validate_classes(
                classes, y, None if is_first else trained.classes_
            )
            grown = {} if is_first else add_classes(trained, classes)
            vars(trained).update(grown)
            if grown and "_state" not in grown:
                _delete_attributes(trained, ["_state"])  # of another model
            trained.classes_ = classes
            earlier = None if is_first else known_state(trained)
            earlier_count = earlier["counts"]["class_count"] if earlier else 0.0
            rows = weigh_rows(
                classes, self.class_weight, X, y, sample_weight, earlier_count
            )
            known = earlier
            if earlier and not earlier["moments"]["total"]:  # no row had weight
                known = None
            dtype, xp = None, namespace(X)
            # Zeros of calls without weight decide no dtype, but weights set by hand do.
            if known or not (is_first or (earlier and is_zero(trained))):
                dtype = xp.training_dtype(trained.coef_)
            rows = rows.without_tiny_weights(xp.finfo(dtype or xp.training_dtype(X)))
            if not (len(rows.indices) or is_first):
                if grown:
                    _delete_attributes(trained, PHM_ATTRIBUTES)
                return self
            check_classes(classes)
            if not is_first:
                vars(trained).update(unshift_prior(trained))
            rng = earlier["rng"] if earlier else make_generator(self.random_state)
            training = measure(self, rows, True, dtype, known)
            problem = make_problem(
                self, training, rows.y, rows.n_classes, vars(trained)
            )
            if is_first:
                state = make_state(problem.zeros(), self.average)
            else:
                state = from_attributes(trained, problem)
            n_iter = getattr(trained, "n_iter_", 0) + bool(len(rows.indices))
            losses = getattr(trained, "progressive_loss_curve_", None)
            losses = [] if losses is None else list(losses)
            weight = float(training.data.xp.total(training.bounded_weight))
            if len(rows.indices):
                solver = run_pass(
                    self,
                    problem,
                    state,
                    rows.indices,
                    rng,
                    last_loss=losses[-1] if losses else 0.0,
                    call_weights=mean_weights(rows, earlier),
                )
            if weight > 0:  # a first call may have none
                losses.append(solver.progressive_loss / weight)
                if self.verbose:
                    print(f"call {n_iter}: progressive loss {losses[-1]:.6f}")
            del losses[:-_KEPT_LOSSES]
            trained.progressive_loss_curve_ = losses
            memory = make_memory(rows, training.moments, rng, earlier)
            _delete_attributes(trained, PHM_ATTRIBUTES)
            vars(trained).update(
                to_attributes(self, problem, state, state.average, memory)
            )
            trained.n_iter_ = n_iter
        return self

    def decision_function(self, X: Any) -> Any:
        """Return the raw predictions, X W' + c.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        raw_prediction : array of shape (n_samples,) or (n_samples, n_classes)
            In the dtype of `coef_`, at least float32. The number of a row, for two
            classes, is the log of the odds of the second class; a positive number
            predicts the second class.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X has other features than the model, NaN or infinity, another library or
            device than `coef_`, or raw predictions that overflow. If `classes_`,
            `coef_` and `intercept_` were set by hand and do not agree.
        TypeError
            If X holds dates or other objects that are no numbers, or is of a kind that
            `fit` refuses.
        """
        raw = predict_in_chunks(self, "decision_function", X, lambda loss, raw, y: raw)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : array of shape (n_samples,)
            Labels.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As for `decision_function`.
        """
        model = snapshot(self)
        indices = predict_in_chunks(
            model, "predict", X, lambda loss, raw, y: loss.predict(raw)
        )
        return take_labels(model.classes_, indices)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of `classes_`, in the dtype of `coef_`, at least
            float32; rows sum to one.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As for `decision_function`.
        """
        return predict_in_chunks(
            self, "predict_proba", X, lambda loss, raw, y: loss.predict_proba(raw)
        )

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of `classes_`; finite even if a probability underflows.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As for `decision_function`.
        """
        return predict_in_chunks(
            self,
            "predict_log_proba",
            X,
            lambda loss, raw, y: loss.predict_log_proba(raw),
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or probabilities of the classes, whose most probable class is the
            label. Columns without names are in the order of `classes_`. Predictions of
            rows with labels that the model does not know count as wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The weighted share of rows whose predicted class is right.

        Raises
        ------
        NotFittedError, TypeError
            As for `decision_function`.
        ValueError
            As for `decision_function`. If y misses a label, or holds text for classes
            that are numbers, or numbers for classes that are text. If y or
            `sample_weight` has not one entry for each row.
        """
        check_is_fitted(self)
        model = snapshot(self)
        predicted = input_to_numpy(model.predict(X), "y")
        predicted = encode(predicted, model.classes_)
        if is_soft_target(y):
            y = most_probable(encode(validate_probabilities(y), model.classes_))
        else:
            y = encode_for_score(y, model.classes_)
        sample_weight = input_to_numpy(sample_weight, "sample_weight")
        return accuracy_score(y, predicted, sample_weight=sample_weight)

    def surprisal(self, X: Any, y: Any) -> Any:
        """Return how surprising each label is to the model, in bits.

        The surprisal of a label is -log2 of its probability: 0 for a certain label, 1
        for the toss of a coin. The mean surprisal is the cross-entropy, that is, the
        log-loss in bits instead of nats. Rows with the largest surprisal are the first
        to check for wrong labels, if the model was not trained on them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or probabilities of the classes, which give the mean surprisal under
            them. Columns without names are in the order of `classes_`.

        Returns
        -------
        surprisal : array of shape (n_samples,)
            In bits, in the dtype of `coef_`; finite even if a probability underflows.

        Raises
        ------
        NotFittedError, TypeError
            As for `decision_function`.
        ValueError
            As for `decision_function`. If y misses a label, holds a label that the
            model does not know, or has not one entry for each row.
        """
        return predict_in_chunks(
            self,
            "surprisal",
            X,
            lambda loss, raw, y: loss.losses(raw, y) / math.log(2),
            y,
        )

    def predictive_entropy(self, X: Any) -> Any:
        """Return how uncertain each prediction is, in bits.

        The entropy of the predicted probabilities, sum_c -p_c log2 p_c, is the
        surprisal that the model expects. The entropy is 0 for one certain class, and
        log2(n_classes) if all classes are equally probable.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        entropy : array of shape (n_samples,)
            In bits, in the dtype of `coef_`.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As for `decision_function`.
        """

        def entropy(loss, raw, y):
            xp = namespace(raw)
            return xp.sum(xp.entr(loss.predict_proba(raw)), axis=1) / math.log(2)

        return predict_in_chunks(self, "predictive_entropy", X, entropy)

    def correct_prior(self, class_prior: Any = None) -> Self:
        """Shift `intercept_` so that probabilities hold for other shares of classes.

        `class_weight` changes the shares of the classes that training sees, and the
        probabilities with them. This method is the way back: the predicted odds of two
        classes are multiplied by the ratio of their new and old shares [1]_ [2]_. Call
        it after training. `partial_fit`, and `fit` with ``warm_start=True``, continue
        from the intercepts before the shift, so call it again after them.

        Parameters
        ----------
        class_prior : array-like of shape (n_classes,), default=None
            Shares of the classes where the model is used, positive, in the order of
            `classes_`, or a pandas Series whose index has the classes. None: the shares
            in the training data, by sample weight.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator. A second call with the same `class_prior` changes
            nothing, and another prior replaces the first one.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `class_prior` is not a positive number for each class, if the model has
            no intercept, or if the classes were never counted, as their weights were
            set by hand.
        TypeError
            If `class_prior` is an array on a device, and scikit-learn's
            `array_api_dispatch` is off.

        Notes
        -----
        With n_k as the total sample weight of class k and w_k as its class weight,
        training sees the share q_k = n_k w_k / sum_j n_j w_j. The intercept of class k
        changes by log(p_k / q_k) for the prior p_k, and all intercepts by a constant. A
        class that training did not see, with q_k = 0, is shifted by the constant alone.
        Rows of probabilities have one weight for all their classes, so n_k w_k is then
        the sum of these weights times the probabilities of class k. The shift is exact
        for labels, and brings the mean probabilities near the prior otherwise.

        References
        ----------
        .. [1] King and Zeng (2001), "Logistic Regression in Rare Events Data".
        .. [2] Saerens, Latinne and Decaestecker (2002), "Adjusting the Outputs of a
           Classifier to New a Priori Probabilities: A Simple Procedure".

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sksoftmax import SoftmaxRegressionClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> X, y = X[:110], y[:110]  # 50, 50 and 10 rows
        >>> clf = SoftmaxRegressionClassifier(class_weight="balanced").fit(X, y)
        >>> clf.predict_proba(X).mean(axis=0).round(3)
        array([0.455, 0.45 , 0.095])
        >>> clf.correct_prior().predict_proba(X).mean(axis=0).round(3)
        array([0.455, 0.458, 0.088])
        """
        check_is_fitted(self)
        check_model(self)
        with all_or_nothing(self) as corrected:
            vars(corrected).update(shift_prior(corrected, class_prior))
        return self

    def sparsify(self, threshold: float = 0.0) -> Self:
        """Convert `coef_` to a sparse matrix, which saves memory if it holds zeros.

        Parameters
        ----------
        threshold : float, default=0.0
            Coefficients of a smaller magnitude become zero, which changes predictions.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator. `partial_fit` makes `coef_` dense again.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If `coef_` is an array of another library than NumPy.
        ValueError
            If `threshold` is negative or not finite.
        """
        check_is_fitted(self)
        check_model(self)
        coef = self.coef_
        if not (isinstance(coef, np.ndarray) or sp.issparse(coef)):
            raise TypeError(
                "coef_ must be a NumPy array to become a SciPy matrix, got one of "
                f"{namespace(coef)}. Fit on NumPy arrays."
            )
        if not (isinstance(threshold, Real) and 0 <= threshold < math.inf):
            raise ValueError(
                f"threshold must be a finite number of at least 0, got {threshold!r}. "
                "Use 0.0 to keep all coefficients."
            )
        # SciPy has no float16 and no numbers of another byte order.
        coef = coef.astype(NUMPY.training_dtype(coef), copy=False)
        coef = sp.csr_matrix(coef, copy=sp.issparse(self.coef_))
        coef.sum_duplicates()
        coef.data[np.abs(coef.data) < threshold] = 0
        coef.eliminate_zeros()
        self.coef_ = coef
        return self

    def densify(self) -> Self:
        """Convert `coef_` back to a dense array.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `classes_`, `coef_` and `intercept_` were set by hand and do not agree.
        """
        check_is_fitted(self)
        check_model(self)
        self.coef_ = make_dense(self.coef_)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.phm_order is None
        tags.array_api_support = array_namespace is not None and not self.phm_order
        return tags

    def to_logistic_regression(self) -> "LogisticRegression":
        """Return the model as scikit-learn's LogisticRegression.

        Tools that store or serve a LogisticRegression can then store or serve this
        model.

        Returns
        -------
        model : sklearn.linear_model.LogisticRegression
            A fitted estimator with copies of the weights and the same predictions. Its
            parameters are the defaults, and do not describe the training.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `classes_`, `coef_` and `intercept_` were set by hand and do not agree.
        """
        check_is_fitted(self)
        # Imported here because the import is slow and rarely needed.
        from sklearn.linear_model import LogisticRegression

        fitted = snapshot(self)
        check_model(fitted)
        model = LogisticRegression(fit_intercept=fitted.fit_intercept)
        n_iter = min(getattr(fitted, "n_iter_", 0), np.iinfo(np.int32).max)
        model.n_iter_ = np.array([n_iter], np.int32)
        for name in ("classes_", "coef_", "intercept_", "feature_names_in_"):
            if hasattr(fitted, name):
                attribute = getattr(fitted, name)
                xp = namespace(attribute)
                setattr(model, name, xp.copy(xp.detach(attribute)))
        model.n_features_in_ = fitted.coef_.shape[1]
        return model

    def __getstate__(self):
        """Return the attributes for a pickle or a copy, see `to_pickle`."""
        return to_pickle(super().__getstate__())

    def __setstate__(self, state):
        """Restore the attributes, see `from_pickle`."""
        super().__setstate__(from_pickle(state, type(self)))

    def __sklearn_array_api_convert__(self, converter):
        """Return a copy with converted arrays; scikit-learn's way to move models."""
        moved = copy.deepcopy(self)
        vars(moved).update(convert_arrays(vars(moved), converter))
        return moved

    def _validate_changed_params(self):
        """Check the parameters if one is another object than in the last call."""
        parameters = itemgetter(*self._parameter_constraints)(vars(self))
        validated = getattr(self, "_validated_parameters", ())
        if len(validated) != len(parameters) or any(map(is_not, parameters, validated)):
            self._validate_params()
            self._validated_parameters = parameters


def _delete_attributes(estimator, names) -> None:
    """Update in place: delete the attributes of these names, if there are any."""
    for name in names:
        vars(estimator).pop(name, None)
