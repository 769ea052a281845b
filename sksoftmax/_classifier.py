"""SoftmaxRegressionClassifier: parameters, validation, fit, partial_fit, predict."""

import copy
import math
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from operator import is_not
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from sksoftmax._arrays import NUMPY, chunks, input_namespace, input_to_numpy, namespace
from sksoftmax._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    array_namespace,
    check_first_call,
    fit_context,
)
from sksoftmax._data import make_data
from sksoftmax._kronecker import (
    PHM_ATTRIBUTES,
    KroneckerSums,
    fitted_sums,
    is_sum,
    project_weights,
)
from sksoftmax._loss import cross_entropy
from sksoftmax._moments import (
    ColumnScaling,
    Moments,
    measure_bounded_moments,
    measure_moments,
)
from sksoftmax._monitoring import Callbacks, Validation
from sksoftmax._outliers import FEW_ROWS, SAMPLED_ROWS
from sksoftmax._penalty import ElasticNet
from sksoftmax._problem import Problem
from sksoftmax._solvers.plateau import Plateau
from sksoftmax._solvers.state import State
from sksoftmax._state import expand_outputs, expand_state
from sksoftmax._targets import (
    ProbabilityTable,
    class_totals,
    is_soft_target,
    make_targets,
    most_probable,
    order_of_columns,
    weights_by_class,
)
from sksoftmax._training import Plan
from sksoftmax._validation import (
    check_sparse_indices,
    check_weight_sum,
    unit_mean_factor,
    validate_sample_weight,
)

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# Labels of these dtypes are predicted on X's device, others in NumPy.
_LABELS = "bool", "int8", "uint8", "int16", "int32", "int64", "float32", "float64"
_MIN_SHARE = 1e-3  # of a new iterate in the average of a stream
# Standard deviations from zero to a mean from which float32 rounds a feature's part
# of the raw predictions by more than 6e-5 of their standard deviation.
_LARGEST_FLOAT32_MEAN = 1e3
# Times `matmul_chunk_size` numbers of X or of predictions at a time.
_PREDICTION_CHUNKS = 4


class SoftmaxRegressionClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Softmax (multinomial logistic) regression trained by minibatch SGD.

    Minimises, over the weights W (`coef_`) and the intercept c (`intercept_`)::

        sum_i s_i CE(y_i, softmax(W x_i + c)) / sum_i s_i
        + alpha * ((1 - l1_ratio) / 2 * ||W||_2^2 + l1_ratio * ||W||_1)

    with the cross-entropy CE(y, p) = -log p_y and s_i the sample weight times the
    weight of the class. Two classes have one row of weights and a sigmoid.
    ``alpha = 1 / (C * sum_i s_i)`` is the problem of
    :class:`~sklearn.linear_model.LogisticRegression`.

    The penalty is the only parameter to tune. Minibatch steps are taken in the metric
    of a sampled Hessian, their size follows from its largest eigenvalue, and the
    iterates are averaged. Features need no scaling. Newton's method on all rows trains
    small data from the start, and dense data after an epoch or a few.
    ``solver="svrg"`` goes to the optimum.

    Parameters
    ----------
    alpha : float, default=1e-4
        Strength of the penalty. It does not depend on the number of samples.
        0 is no penalty; raising it draws all weights towards zero.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, between 0 (L2 alone) and 1 (L1 alone). More of it
        makes more weights zero, exactly; see `sparsify`. With minibatches a weight of
        the average is zero where that of the last iterate is: noise leaves more
        weights than the optimum has. Newton steps on all rows find the zeros of the
        optimum: those of data in one batch, of ``solver="svrg"``, and of sparse X.

    fit_intercept : bool, default=True
        Whether to fit an intercept. It is not penalised.

    solver : {"sgd", "svrg"}, default="sgd"
        - "sgd": minibatch SGD, until more training would matter little; see `tol`.
        - "svrg": to the optimum. After some epochs of "sgd", minibatch steps less
          their own error at an anchor, where the gradient of all rows is known: their
          noise vanishes at the optimum. Newton steps on all rows end every fit, as
          only they bound how far the objective is from the optimum; see `tol`.
          `partial_fit` always uses "sgd".

    batch_size : int or "auto", default="auto"
        Rows in a minibatch. As many as there are samples, or more, and each step uses
        all of them, in one pass over the rows. "auto" does so from the start where
        n_samples * n_features * n_classes is at most 4e7 (for sparse X: stored values
        * n_classes at most 4e6; on a GPU 1e9). Otherwise it takes 512 rows (up to 1024
        of more than 512 classes; on a GPU 2048), of dense X for as long as an epoch of
        at most 65536 rows improves the objective by 5 % or more, and then all. With
        ``solver="svrg"`` anchored minibatches come in between, on dense X while an
        epoch of them divides the estimated distance to the optimum by four or more;
        sparse X goes on with all rows after an epoch that gains less than 20 %. Sparse
        X with `l1_ratio` above 0 takes all rows from the start. The size is 256 with a
        `learning_rate` other than "auto". Larger batches have less noise
        and fewer updates an epoch.

    max_iter : int, default=1000
        Most epochs of `fit`. A Newton step on all rows counts as one epoch, although
        it makes several passes over the rows. Raising it matters only where they were
        over before the stopping rule was met, which warns.

    tol : float or None, default=1e-2
        Stopping tolerance.

        - With minibatches, training stops when an epoch improves the objective by less
          than ``tol`` times itself, `n_iter_no_change` epochs in a row. A plateau
          within three epochs, or with a given `batch_size`, is checked on all rows
          first. Newton steps after minibatches stop when one more pass over the rows
          is expected to gain less than that.
        - With ``solver="svrg"``, and when all samples are one batch from the start,
          training stops when the objective is at most ``tol`` times itself above the
          optimum (or times a thousandth of log(n_classes) if that is more). The bound
          comes from Fenchel duality; see Notes.

        A smaller `tol` is nearer to the optimum and takes longer. With None, training
        goes on for `max_iter` epochs, or until no step helps any more.

    n_iter_no_change : int, default=1
        Epochs without enough improvement to wait for before stopping; after minibatches
        as many passes over all rows, in a diagonal metric twice as many. Raising it
        rides out chance rises of the loss, for as many epochs more.

    learning_rate : {"auto", "constant", "invscaling"}, default="auto"
        - "auto": preconditioned steps of automatic size; required by "svrg".
        - "constant": textbook minibatch SGD with the step size `eta0`.
        - "invscaling": the same with ``eta0 / t**power_t`` in update t = 1, 2, ...

    eta0 : float, default=0.1
        Step size of the textbook schedules. Raising it trains faster, up to where
        steps overshoot and the loss grows.

    power_t : float, default=0.5
        Exponent of "invscaling". Larger lets the steps shrink faster.

    momentum : float, default=0.0
        Momentum of the textbook schedules: this share of the last update's direction
        is added to the gradient. Raising it towards 1 makes steps longer along
        directions that stay, and noise last longer.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The metric of ``learning_rate="auto"``: the weighted Gram matrix of the
        features, (n_features + 1)^2 numbers, or its diagonal. "auto": the matrix for
        dense X with up to 2048 features, and for sparse X with up to
        64 * sqrt(stored values a row); else the diagonal, which is cheap and takes
        more epochs where features are strongly correlated. With `l1_ratio` above 0
        always the diagonal.

    average : bool, default=True
        Whether to return a running average of the iterates, which smooths out the
        noise of minibatches. Without noise, all samples in a batch, it is not needed
        and not done.

    shuffle : bool, default=True
        Whether to draw a new order of the rows for each epoch.

    class_weight : dict or "balanced", default=None
        Weights of the classes, ``{label: weight}``, 1 where not given. "balanced"
        gives all classes that occur the same total weight: in `fit` those of its rows,
        in `partial_fit` by all rows so far, those of the call included. Where y holds
        probabilities, a row has the mean of the class weights under them as its weight
        (and classes that share rows do not come out quite equal).

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved to all classes alike, at least 0
        and below 1 [8]_. Raising it keeps the model from being too sure of its labels.
        Validation losses are smoothed too; class weights and scores are not.

    phm_order : int, default=None
        With n = 2 or more `coef_` is a sum of n Kronecker products [9]_, which holds
        about a n-th of the weights: n^3 + n_classes * n_features / n, see
        `n_parameters_`. Larger ones save more, up to where n^3 outgrows the rest. The
        problem is no longer convex: a nearby solution is found, not the best one. X
        has to be dense and NumPy's; not with `l1_ratio` or ``solver="svrg"``.

    warm_start : bool, default=False
        Whether `fit` starts from `coef_` and `intercept_`. The classes must be the
        same, or more: then the model grows as in `partial_fit`. A model with a larger
        objective than weights of zero is replaced by zeros. The averaging and the
        count of updates `t_` start again, and the data's scales and curvature are
        measured again.

    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling, the start of the step size's power iteration and the
        validation split. Same data, parameters and seed give the same bits on the
        same machine with the same number of threads. Where all samples are one batch
        nothing is drawn.

    early_stopping : bool or "auto", default="auto"
        Whether `fit` stops by the log-loss of validation rows instead of the
        objective, with the same `tol` and `n_iter_no_change` (five Newton steps on all
        rows count as one epoch), and returns the model of the epoch for which
        it was lowest. "auto": exactly when `X_val` is given to `fit`. True without
        `X_val` sets rows aside. With False the losses of `X_val` are recorded, not
        obeyed. `partial_fit` ignores it.

    validation_fraction : float, default=0.1
        Share of the rows to set aside, stratified by class if there are enough. Raising
        it makes the losses surer and leaves fewer rows to train on. Not used with
        `X_val`.

    verbose : int, default=0
        With 1 or more, `fit` prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; always NumPy's.

    t_ : int
        Updates of the weights.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the features; one row for two classes. Of X's library and on its
        device, where scikit-learn's `array_api_dispatch` is on. The dtype is that of
        training, or float64 where float32 lacks the digits; see Notes.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts, zeros if `fit_intercept` is False; where `coef_` is. Those of three
        or more classes sum to zero.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, if X has string column names.

    n_iter_ : int
        Epochs of minibatches and Newton steps on all rows of `fit`; `partial_fit` adds
        one a call.

    loss_curve_ : list of float
        Objective of the model after each epoch or Newton step of `fit`. After Newton
        steps it is that of all rows, after minibatches of at most 2048 of them, the
        same each time. Outliers count in it as they do in training.

    validation_loss_curve_ : list of float
        Log-loss of the validation rows after each epoch; only where there are some.

    best_validation_loss_ : float
        The lowest of them.

    phm_A_ : ndarray of shape (n, n, n)
        With ``phm_order=n``, the first factors: of `coef_`, its features in the order
        of `phm_permutation_`, the sum of ``np.kron(phm_A_[i], phm_S_[i])`` is what is
        within its shape.

    phm_S_ : ndarray of shape (n, ceil(n_classes / n), ceil(n_features / n))
        The second factors.

    phm_permutation_ : ndarray of shape (n * ceil(n_features / n),)
        The order of the features: one after the other, or dealt out to n blocks in
        turn, whichever loses less. Numbers from n_features on fill the last block up.

    n_parameters_ : int
        With `phm_order`, the number of weights that the factors hold.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : Full-batch solvers.
    sklearn.linear_model.SGDClassifier : One-versus-rest, a sample at a time.

    Notes
    -----
    float32 and float64 are kept; 16-bit floats and 8- and 16-bit integers are trained
    on in float32, other integers in float64, and cast a batch at a time. On a CPU, data
    in one batch are always trained in float64. `coef_` is then rounded to the dtype
    above, unless that would raise the objective by more than a small share of `tol`.
    Features whose mean is more than 1000 standard deviations from zero make float32
    models float64.

    Outliers among the rows have bounded weights in minibatches, in streams, and in the
    Newton steps that follow minibatches by default. ``solver="svrg"`` and data in one
    batch minimise the objective above exactly.

    With scikit-learn 1.9 or newer and its `array_api_dispatch`, X may be a PyTorch
    tensor, a CuPy array or another that follows the array API standard. All arrays,
    predictions too, are then of its library and on its device, but for `classes_` and
    labels that it has no numbers for, such as strings; y and weights may be of any.
    Predictions and `partial_fit` want the same library and device as `fit`.

    With scikit-learn 1.9 or newer, `set_callbacks` takes its callbacks, such as a
    progress bar. Each epoch of `fit` is a task. Where a callback asks to stop, `fit`
    returns the model of that epoch, or of the best one so far with early stopping.

    The averaged, preconditioned SGD is described in [1]_ (curvature from sampled
    rows) and [2]_ (averaging); a step is cut where it would promise a negative loss
    [3]_. Minibatches first and all rows after them are the idea of [5]_. The steps on
    all rows are Newton's, by conjugate gradients in the metric of [1]_, as precise as
    pays [4]_ [6]_. With L1 they are proximal and find the zeros by active sets [10]_.
    Up to 2000 weights, of all classes, the whole Hessian takes the metric's place where
    products with it would cost more. "svrg" is [7]_ in the metric of [1]_. It computes
    residuals again instead of keeping n_samples * n_classes of them.

    The distance to the optimum is bounded by Fenchel duality. The probabilities that
    the step's quadratic model expected are a point of the dual problem. The gap is at
    most their mean Kullback-Leibler divergence from the model's probabilities, plus
    what the penalty's conjugate makes of the gradient that the step left. The intercept
    has no penalty, so its small share of the gradient is weighed with a factor of 1000.
    A penalty that is zero or too weak gives no useful bound. The decrement
    <G, H^-1 G> in the whole Hessian H, times 1e6, stands in for it, but only after
    steps that gained next to nothing. The objective itself is a bound, too, which ends
    fits of separable data.

    The true gap was measured on eleven data sets, with C from .01 to 100 and `tol` from
    1e-2 to 1e-6. None of 998 stops was above `tol`, the largest was .44 `tol`, and 833
    were below a hundredth of it. Seventeen more fits, all of raw digits with L1 or
    elastic net, reached `max_iter` and warned.

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

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn reads this class attribute)
        "alpha": [Interval(Real, 0, None, closed="left")],
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
        alpha: float = 1e-4,
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
            Features. Not changed, and not copied where they are CSR with sorted
            indices, or an array or memory map of floats or integers.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class: rows of at least 0 that sum to
            one (up to .002; they are divided by their sums). The classes are then 0, 1,
            ..., or the column names of a data frame. Probabilities are not copied if
            they are float32 or float64 and their columns, if named, are sorted.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A common factor changes nothing.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Features of rows to validate on after each epoch. They turn early stopping
            on, see `early_stopping`. In a Pipeline they are transformed as X is with
            ``Pipeline(..., transform_input=["X_val"])``.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Their labels, all among those of y, or class probabilities; columns without
            names are in the order of `classes_`, which is sorted.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights; like those of other rows they are multiplied by the weights
            of the classes.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, the weights or the validation data cannot be used, or
            if the weights of the model became infinite. The estimator is then as it
            was before.
        TypeError
            If X is a sparse tensor, or an array that cannot be written to, or one on a
            device without scikit-learn's `array_api_dispatch`.
        """
        if self.solver == "svrg" and not self._automatic:
            raise ValueError(
                "solver='svrg' was wanted with learning_rate="
                f"{self.learning_rate!r}; its steps have to fit the curvature. Use "
                "learning_rate='auto', or solver='sgd' for the textbook schedules."
            )
        # Outside of what a failure undoes: scikit-learn has to find what this stores on
        # the estimator to tear the callbacks down.
        callbacks = Callbacks(self, X, y, sample_weight)
        with self._all_or_nothing():
            X, y = self._validate_both(X, y, reset=True)
            is_warm = self.warm_start and hasattr(self, "coef_")
            if is_warm:
                self._check_namespace("fit", X)
            if is_warm and self.coef_.shape[1] != X.shape[1]:
                raise ValueError(
                    f"X has {X.shape[1]} features, but with warm_start=True fit goes "
                    f"on from a model of {self.coef_.shape[1]}. Set warm_start=False, "
                    "or fit a clone."
                )
            self._set_classes_from_y(y, is_warm)
            y = self._encode(y)
            sample_weight = validate_sample_weight(sample_weight, X)
            class_count = class_totals(y, sample_weight, len(self.classes_))
            class_weight = self._class_weights(class_count)
            self._check_classes(class_count * class_weight)
            weight = sample_weight * weights_by_class(class_weight, y)
            rng = self._new_rng()
            rows, held_out = np.flatnonzero(weight), None
            if self._stops_early is True and X_val is None:
                rows, held_out = self._split(rows, y, rng)
            training_weight = np.zeros_like(weight)
            training_weight[rows] = weight[rows] * unit_mean_factor(
                len(rows), weight[rows].sum()
            )
            dtype = namespace(X).training_dtype(X)
            data = make_data(X, dtype, self.fit_intercept)
            is_full_batch = Plan(self).takes_all_rows(
                data, len(rows), len(self.classes_)
            )
            if is_full_batch and not data.xp.wide_batches:
                # Steps on all rows come as near the optimum as their numbers allow.
                data = make_data(X, data.xp.float64, self.fit_intercept)
            training_weight = data.xp.asarray(training_weight, data.dtype)
            bounded_weight = training_weight
            if is_full_batch:
                moments = measure_moments(data, training_weight)
            else:
                bounded_weight, moments = self._measure_moments(data, training_weight)
            self._moments = moments._asdict()
            dtype = self._choose_dtype(dtype, data.xp, moments)
            if dtype == data.xp.float64 != data.dtype:
                data = make_data(X, dtype, self.fit_intercept)
                training_weight, bounded_weight = (
                    data.xp.astype(weight, data.dtype)
                    for weight in (training_weight, bounded_weight)
                )
            problem = self._make_problem(data, y, training_weight, bounded_weight)
            validation = None
            if not (X_val is None and y_val is None and sample_weight_val is None):
                given = X_val, y_val, sample_weight_val, class_weight
                validation_rows = self._validation_rows(problem, *given)
                validation = self._make_validation(problem, *validation_rows)
            elif held_out is not None:
                validation = self._make_validation(problem, data, y, weight, held_out)
            state = self._initial_state(
                self._model_weights(problem) if is_warm else problem.zeros()
            )
            epochs = Plan(self).epochs(problem, state, rows, rng)
            self._counts = {"n_rows": len(rows), "class_count": class_count}

            # A copy, if training is to go on.
            def make_attributes(model, rng_copy=None):
                rng_copy = rng_copy or copy.deepcopy(rng)
                attributes = self._to_attributes(problem, state, model, rng_copy, dtype)
                if self.solver == "svrg":  # its metric is for steps without noise
                    attributes["_solver_state"].update(hessian=None, inverse=None)
                attributes["loss_curve_"] = self.loss_curve_.copy()
                attributes["n_iter_"] = len(self.loss_curve_)
                if validation is not None:
                    attributes["validation_loss_curve_"] = validation.curve.copy()
                    attributes["best_validation_loss_"] = min(validation.curve)
                return attributes

            model = self._train(epochs, make_attributes, validation, callbacks)
            vars(self).update(make_attributes(model, rng))
            callbacks.end(dict)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Go on training with one pass over these rows.

        The rows are cut into batches of `batch_size`; fewer rows are one batch, one
        update. Nothing of them is kept but sums over rows: moments and curvature.

        It goes on from `coef_` and `intercept_` as they are, whether a fit, a stream
        or a hand has changed them, and from `t_`; changed parameters take effect at
        once, a sparse `coef_` is made dense, and the dtype of `coef_` stays. Dense and
        sparse calls may alternate; one whose weights are all zero teaches nothing.

        Where the data change, the model follows. In the average an update weighs
        1 / 1000 at least: half of what it held is forgotten every 700 updates, and
        classes that swap are learnt within 1200. With ``average=False`` the model is
        the last iterate and does so within 25. The scales of the features are over all
        rows ever seen.

        A call that names more `classes` than the model knows adds them. A new class
        starts with weights of zero and the intercept mean(c) - log(n + 1),
        where n rows were seen before it. (With L1 the weights of the classes need not
        sum to zero: then their mean raw prediction at the mean of the features stands
        for mean(c).) Of two classes that become three, one is given
        half of their row of weights and the other one minus that. The rest goes on as
        it was, but for the averaging, which starts anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class: rows of at least 0 that sum to
            one. Columns are those of `classes_` in its order, or named by a data frame.
        classes : array-like of shape (n_classes,), default=None
            All labels that there will be; wanted at the first call, unless y has a
            column for each. Later on it can be left out, or name the known labels and
            new ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, absolute: rows of weight 2 pull twice as hard as rows
            of weight 1 in another call.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, `classes` or the weights cannot be used, if X is of
            another library or on another device than `coef_`, or if the weights of the
            model became infinite. The estimator is then as it was before.
        """
        with self._all_or_nothing():
            self._validate_changed_params()  # fit_context does so in a first call only
            is_first = not hasattr(self, "coef_")
            X, y = self._validate_both(X, y, reset=is_first)
            if not is_first:
                self._check_namespace("partial_fit", X)
            self._set_classes_from_argument(
                input_to_numpy(classes, "classes"), y, is_first
            )
            y = self._encode(y)
            sample_weight = validate_sample_weight(sample_weight, X)
            class_count = class_totals(y, sample_weight, len(self.classes_))
            n_rows_seen = 0
            if not is_first:
                class_count += self._counts["class_count"]
                n_rows_seen = self._counts["n_rows"]
            weight = sample_weight * weights_by_class(
                self._class_weights(class_count), y
            )
            rows = np.flatnonzero(weight)
            if not (len(rows) or is_first):
                return self
            self._check_classes()
            self._counts = {
                "n_rows": n_rows_seen + len(rows),
                "class_count": class_count,
            }
            rng = self._new_rng() if is_first else self._rng
            dtype = namespace(X).training_dtype(X) if is_first else self.coef_.dtype
            check_weight_sum(weight.sum(), float(namespace(X).finfo(dtype).max))
            data = make_data(X, dtype, self.fit_intercept)
            known_moments = None if is_first else Moments(**self._moments)
            weight = data.xp.asarray(weight, dtype)
            reference_moments = known_moments if n_rows_seen >= SAMPLED_ROWS else None
            fill_value = None if is_first else known_moments.fill_value
            bounded_weight, moments = self._measure_moments(
                data, weight, fill_value, reference_moments
            )
            if is_first and self._choose_dtype(dtype, data.xp, moments) != dtype:
                dtype = data.xp.float64
                data = make_data(X, dtype, self.fit_intercept)
                weight, bounded_weight = (
                    data.xp.astype(w, dtype) for w in (weight, bounded_weight)
                )
            if not is_first:
                if self._automatic and len(rows) >= FEW_ROWS:
                    known_moments = known_moments.discounted(moments)
                moments = known_moments.merge(moments)
            self._moments = moments._asdict()
            problem = self._make_problem(data, y, weight, bounded_weight)
            state = (
                self._initial_state(problem.zeros())
                if is_first
                else self._from_attributes(problem)
            )
            if not is_first:
                problem.penalty.sums = fitted_sums(self, problem.coef_shape)
            if len(rows):
                Plan(self).run_pass(problem, state, rows, rng, _MIN_SHARE)
            vars(self).update(self._to_attributes(problem, state, state.average, rng))
            self.n_iter_ = getattr(self, "n_iter_", 0) + 1
        return self

    def decision_function(self, X: Any) -> Any:
        """Return the raw predictions, X W' + c.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        raw_prediction : ndarray of shape (n_samples,) or (n_samples, n_classes)
            In the dtype of `coef_`. With two classes a row's number is the log of the
            odds of the second one; positive predicts it.
        """
        raw = self._predict_in_chunks("decision_function", X, lambda loss, raw, y: raw)
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        indices = self._predict_in_chunks(
            "predict", X, lambda loss, raw, y: loss.predict(raw)
        )
        xp, dtype = namespace(indices), self.classes_.dtype
        if xp is NUMPY or dtype.name not in _LABELS or not dtype.isnative:
            return self.classes_[xp.to_numpy(indices)]
        return xp.take(xp.asarray(self.classes_), indices, axis=0)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`, in the dtype of `coef_`; rows sum to one.
        """
        return self._predict_in_chunks(
            "predict_proba", X, lambda loss, raw, y: loss.predict_proba(raw)
        )

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; finite even where the probability underflows.
        """
        return self._predict_in_chunks(
            "predict_log_proba", X, lambda loss, raw, y: loss.predict_log_proba(raw)
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or probabilities of the classes, of which the largest is taken;
            columns without names are in the order of `classes_`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The weighted share of rows that are predicted right.
        """
        if is_soft_target(y):
            check_is_fitted(self)
            y = self.classes_[most_probable(self._encode(self._make_table(y)))]
        predicted = input_to_numpy(self.predict(X), "y")
        y = input_to_numpy(y, "y")
        sample_weight = input_to_numpy(sample_weight, "sample_weight")
        return accuracy_score(y, predicted, sample_weight=sample_weight)

    def surprisal(self, X: Any, y: Any) -> Any:
        """Return how surprising each label is to the model, in bits.

        The surprisal of a label is -log2 of its probability: 0 where it was certain, 1
        for the toss of a coin. Its mean is the cross-entropy, that is, log-loss in bits
        instead of nats. The rows it is largest for are the first to check for wrong
        labels, if the model was not trained on them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or probabilities of the classes; of these, the mean surprisal.
            Columns without names are in the order of `classes_`.

        Returns
        -------
        surprisal : ndarray of shape (n_samples,)
            In bits, in the dtype of `coef_`; finite even where a probability
            underflows.

        Raises
        ------
        ValueError
            If y holds a label that the model does not know.
        """
        return self._predict_in_chunks(
            "surprisal", X, lambda loss, raw, y: loss.losses(raw, y) / math.log(2), y
        )

    def predictive_entropy(self, X: Any) -> Any:
        """Return how uncertain each prediction is, in bits.

        It is the entropy of the predicted probabilities, sum_c -p_c log2 p_c, which is
        the surprisal that the model expects: 0 for one certain class, log2(n_classes)
        if all are equally probable.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        entropy : ndarray of shape (n_samples,)
            In bits, in the dtype of `coef_`.
        """

        def entropy(loss, raw, y):
            xp = namespace(raw)
            return xp.sum(xp.entr(loss.predict_proba(raw)), axis=1) / math.log(2)

        return self._predict_in_chunks("predictive_entropy", X, entropy)

    def sparsify(self) -> Self:
        """Convert `coef_` to a sparse matrix, which saves memory if it holds zeros.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator. It predicts as before; `partial_fit` densifies first.
        """
        check_is_fitted(self)
        if not (isinstance(self.coef_, np.ndarray) or sp.issparse(self.coef_)):
            raise TypeError(
                f"coef_ is of {namespace(self.coef_)}, but sparse matrices are "
                "SciPy's. Fit on NumPy arrays to sparsify the model."
            )
        self.coef_ = sp.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Convert `coef_` back to an ndarray.

        Returns
        -------
        self : SoftmaxRegressionClassifier
            The fitted estimator.
        """
        check_is_fitted(self)
        self.coef_ = _make_dense(self.coef_)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.phm_order is None
        tags.array_api_support = array_namespace is not None and not self.phm_order
        return tags

    def to_logistic_regression(self) -> "LogisticRegression":
        """Return the model as scikit-learn's LogisticRegression.

        Whatever can store or serve that can then store or serve this model.

        Returns
        -------
        model : sklearn.linear_model.LogisticRegression
            A fitted estimator with copies of the weights: it predicts the same. Its
            parameters are the defaults and say nothing about how it was trained.
        """
        check_is_fitted(self)
        from sklearn.linear_model import LogisticRegression  # slow, and rarely needed

        model = LogisticRegression(fit_intercept=self.fit_intercept)
        model.n_iter_ = np.array([self.n_iter_], np.int32)
        for name in ("classes_", "coef_", "intercept_", "feature_names_in_"):
            if hasattr(self, name):
                attribute = getattr(self, name)
                setattr(model, name, namespace(attribute).copy(attribute))
        model.n_features_in_ = self.n_features_in_
        return model

    def __getstate__(self):
        """Leave out what follows from the rest, and share no generator with a copy."""
        from sksoftmax import __version__  # not known before this module is

        attributes = super().__getstate__().copy()
        attributes["_sksoftmax_version"] = __version__
        if "_solver_state" in attributes:
            attributes["_solver_state"] = {
                **attributes["_solver_state"],
                "inverse": None,
            }
            # In arrays and numbers: NumPy 1 does not read generators of NumPy 2.
            attributes["_rng"] = self._rng.get_state(legacy=False)
            if is_sum(self):  # the factors say it all
                cleared = {"hessian": None, "velocity": None}
                attributes["_solver_state"] = {**attributes["_solver_state"], **cleared}
                attributes.update(coef_=None, _iterate_minus_average=None)
        return attributes

    def __sklearn_array_api_convert__(self, converter):
        """Return a copy whose arrays are converted, for scikit-learn to move it."""
        moved = copy.deepcopy(self)
        for name in ("coef_", "intercept_", "_iterate_minus_average", "_solver_state"):
            value = vars(moved).get(name)
            if isinstance(value, dict):
                value = {key: _convert(v, converter) for key, v in value.items()}
            elif isinstance(value, tuple):
                value = tuple(_convert(v, converter) for v in value)
            else:
                value = _convert(value, converter)
            if name in vars(moved):
                setattr(moved, name, value)
        return moved

    def __setstate__(self, state):
        """Warn if another version has saved the estimator.

        Parameters that it did not know have their defaults.
        """
        from sksoftmax import __version__

        state = {**SoftmaxRegressionClassifier().get_params(), **state}
        saved_by = state.pop("_sksoftmax_version", "unknown")
        if saved_by != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name="sksoftmax.SoftmaxRegressionClassifier",
                    current_sklearn_version=__version__,
                    original_sklearn_version=saved_by,
                ),
                stacklevel=2,
            )
        if "_rng" in state:
            rng = np.random.RandomState()
            rng.set_state(state["_rng"])
            state["_rng"] = rng
        super().__setstate__(state)
        if vars(self).get("coef_", 0) is None:
            shape = len(self.intercept_), self.n_features_in_
            sums = KroneckerSums(len(self.phm_A_), shape, self.phm_permutation_)
            self.coef_ = sums.join(self.phm_A_, self.phm_S_)

    @property
    def _automatic(self):
        return self.learning_rate == "auto"

    @property
    def _stops_early(self):
        """True, False (NumPy's are others) or "auto"."""
        switch = self.early_stopping
        return switch if isinstance(switch, str) else bool(switch)

    @contextmanager
    def _all_or_nothing(self):
        """Put the estimator back as it was if anything is raised, an interrupt too."""
        attributes = vars(self).copy()
        generators = [self.random_state, attributes.get("_rng")]
        generators = [g for g in generators if isinstance(g, np.random.RandomState)]
        generator_states = [generator.get_state() for generator in generators]
        try:
            with np.errstate(all="ignore"):
                yield
        except BaseException as error:
            vars(self).clear()
            vars(self).update(attributes)
            for generator, state in zip(generators, generator_states, strict=True):
                generator.set_state(state)
            if isinstance(error, FloatingPointError):
                way_out = (
                    "Scale X, for example with StandardScaler."
                    if self._automatic
                    else f"eta0={self.eta0} is too large for these data: lower eta0, "
                    "scale X, or use learning_rate='auto'."
                )
                raise ValueError(f"Training diverged: {error}. {way_out}") from error
            raise

    def _validate_changed_params(self):
        """Validate the parameters if one is another object than in the last call."""
        parameters = [vars(self)[name] for name in self._parameter_constraints]
        validated = getattr(self, "_validated_parameters", [])
        if len(validated) != len(parameters) or any(map(is_not, parameters, validated)):
            self._validate_params()
            self._validated_parameters = parameters

    def _validate(self, X, y="no_validation", reset=False):
        """Return X as it is, if it is rows of numbers, and y as a column of labels."""
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"X has the shape {tuple(X.shape)}, but rows of features are wanted. "
                "Flatten images with X.reshape(n_samples, -1)."
            )
        xp = input_namespace(X, "X")
        X = input_to_numpy(X, "X") if xp is NUMPY else xp.detach(X)
        X = check_sparse_indices(X)
        try:
            with np.errstate(all="ignore"):
                return validate_data(
                    self,
                    X,
                    y,
                    accept_sparse="csr",
                    dtype=xp.accepted_dtypes,
                    reset=reset,
                )
        except OverflowError as error:
            raise ValueError(
                f"X holds numbers that are too large for float64 ({error}). Divide the "
                "feature by a constant."
            ) from error
        except ValueError as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(
                f"X must hold numbers, but {error}. Encode text with TfidfVectorizer "
                "and categories with OneHotEncoder."
            ) from error

    def _validate_both(self, X, y, reset):
        """Return X and y: labels, (n_samples,), or a ProbabilityTable."""
        if not is_soft_target(y):
            return self._validate(X, input_to_numpy(y, "y"), reset)
        X, table = self._validate(X, reset=reset), self._make_table(y, X)
        check_consistent_length(X, table.rows)
        return X, table

    def _make_table(self, y, X=None):
        """Return y, of several columns, as a ProbabilityTable, where X is."""
        names, order, xp = None, None, input_namespace(y, "y")
        if xp is NUMPY:
            y = input_to_numpy(y, "y")
        if hasattr(y, "columns"):
            names, order = order_of_columns(y.columns)
        if not hasattr(y, "dtype") and not hasattr(y, "iloc"):  # nor array nor pandas
            y = np.asarray(y)
        try:  # of the kinds allowed the first is for indicators: they take enough room
            kinds = [xp.float32, xp.float64]
            rows = check_array(xp.detach(y), dtype=kinds, input_name="y")
        except ValueError as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(
                f"y has the shape {y.shape}, so its rows must be probabilities of the "
                f"classes, but {error}. Labels are to be in one column."
            ) from error
        if order is not None and (order[1:] < order[:-1]).any():
            rows = rows[:, order]
        target_xp = xp if X is None else namespace(X)
        if target_xp is not xp:
            rows = target_xp.asarray(xp.to_numpy(rows))
        return ProbabilityTable(rows, names)

    def _set_classes_from_y(self, y, is_warm):
        """Set `classes_` to those of y; a model to start from grows."""
        if not isinstance(y, ProbabilityTable):
            check_classification_targets(y)
            classes = np.unique(y)
        elif is_warm and y.names is None and len(y.classes) == len(self.classes_):
            return
        else:
            classes = y.classes
        if is_warm:
            self._add_classes(classes)
        self.classes_ = classes

    def _set_classes_from_argument(self, classes, y, is_first):
        """Set `classes_` to the `classes` of partial_fit; a model that is there grows.

        Without them a first y that is a table names the classes.
        """
        table = isinstance(y, ProbabilityTable)
        if is_first:
            check_first_call(self, y.classes if table and classes is None else classes)
        if classes is None or np.array_equal(classes, self.classes_):
            return
        if not is_first:
            self._add_classes(unique_labels(classes))
        if table and y.names is None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={classes} are not sorted, but columns of y without names are "
                f"read in the order of {self.classes_}. Sort both, or pass y as a data "
                "frame."
            )

    def _encode(self, y):
        """Return class indices, (n_samples,), or probabilities of all `classes_`."""
        if isinstance(y, ProbabilityTable):
            return y.align_to(self.classes_)
        if not np.isin(y, self.classes_).all():
            check_classification_targets(y)
            raise ValueError(
                f"y holds the labels {np.setdiff1d(y, self.classes_)}, which are not "
                f"among the classes {self.classes_} of the model. Leave these rows "
                "out, or teach the model these classes first: partial_fit takes new "
                "ones in the `classes` of any call."
            )
        return np.searchsorted(self.classes_, y)

    def _add_classes(self, classes):
        """Give the model these classes, (n_classes,), sorted, in place of its own."""
        known_classes = self.classes_
        if np.array_equal(known_classes, classes):
            return
        if (
            len(classes) == 0
            or isinstance(known_classes[0], str) != isinstance(classes[0], str)
            or not np.isin(known_classes, classes).all()
        ):
            raise ValueError(
                f"The model knows the classes {known_classes}, but {classes} are to "
                "take their "
                "place. Classes can be added, not taken away: name the known ones too, "
                "or start anew with a clone (or fit with warm_start=False)."
            )
        positions, n_classes = np.searchsorted(classes, known_classes), len(classes)

        def expand(array):
            return expand_outputs(array, positions, n_classes)

        self.classes_ = classes
        self.coef_, intercept = (
            expand(_make_dense(self.coef_).T).T,
            expand(self.intercept_),
        )
        if self.fit_intercept:
            xp = namespace(intercept)
            known_intercept, coef = (
                xp.to_numpy(x)[positions] for x in (intercept, self.coef_)
            )
            # Zero but with L1, where rows of coef_ do not sum to zero.
            new_intercept = (
                known_intercept.mean() + coef.mean(axis=0) @ self._moments["mean"]
            )
            new_intercept -= math.log(self._counts["n_rows"] + 1)
            is_new = np.isin(np.arange(n_classes), positions, invert=True)
            intercept = xp.where(xp.asarray(is_new), float(new_intercept), intercept)
        self.intercept_ = intercept
        if self._iterate_minus_average is not None:
            self._iterate_minus_average = tuple(
                map(expand, self._iterate_minus_average)
            )
        self._solver_state = expand_state(
            self._solver_state, self.t_, positions, n_classes
        )
        class_count = np.zeros(n_classes)
        class_count[positions] = self._counts["class_count"]
        self._counts = {**self._counts, "class_count": class_count}

    def _class_weights(self, class_count):
        """Return the weight of each class, (n_classes,).

        "balanced" follows from `class_count`, the sum of each class's sample weights:
        all classes that occur get the same total.
        """
        n_classes = len(self.classes_)
        if self.class_weight is None:
            return np.ones(n_classes)
        if self.class_weight == "balanced":
            seen = class_count > 0
            share = class_count.sum() / max(1, np.count_nonzero(seen))
            return share / np.where(seen, class_count, np.inf)
        labels = self.classes_.tolist()
        unknown = [label for label in self.class_weight if label not in labels]
        if unknown:
            raise ValueError(
                f"class_weight names {unknown}, which are not among the classes "
                f"{labels}. Leave them out."
            )
        per_class = [self.class_weight.get(k, 1.0) for k in labels]
        if not all(isinstance(w, Real) and 0 <= w < math.inf for w in per_class):
            raise ValueError(
                f"class_weight={self.class_weight} holds a weight that is no number, "
                "negative or not finite. Weights must be at least 0."
            )
        return np.array(per_class, float)

    def _check_classes(self, totals=None):
        """Want two classes, and in `fit`, by the total weight of each, rows of two."""
        seen = self.classes_
        if totals is not None:
            seen = self.classes_[totals > 0]
            if not len(seen):
                raise ValueError(
                    "All rows have the weight zero (sample_weight times class_weight): "
                    "there is nothing to fit. Give some row a positive weight."
                )
        elif len(seen) < 2:
            raise ValueError(
                f"At least two classes are wanted, but only {seen.tolist()} is named. "
                "Name in `classes` all labels that there will be."
            )
        if len(seen) < 2:
            raise ValueError(
                "Rows of at least two classes are wanted, but all with a positive "
                f"weight are of one class, {seen.tolist()[0]!r}. Add rows of another."
            )

    def _new_rng(self):
        """Return a generator of our own, seeded from `random_state`."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        return np.random.RandomState(seed)

    def _split(self, rows, y, rng):
        """Return the numbers of the rows to train on and of those set aside, sorted.

        `rows` are numbers of rows of y, (n_samples,) or (n_samples, n_classes).
        """
        try:
            split = train_test_split(
                rows,
                test_size=self.validation_fraction,
                random_state=rng,
                stratify=most_probable(y)[rows],
            )
        except ValueError:  # too few of a class to have some on both sides
            split = train_test_split(
                rows, test_size=self.validation_fraction, random_state=rng
            )
        return np.sort(split[0]), np.sort(split[1])

    def _validation_rows(self, problem, X, y, sample_weight, class_weight):
        """Return fit's validation data as `_make_validation` takes them.

        These are the rows of X, targets, weights, (n_val,), and the numbers of the rows
        that have weight; `class_weight` has the shape (n_classes,).
        """
        if X is None or y is None:
            given, missing = "X_val", "y_val"
            if X is None:
                given = "y_val" if y is not None else "sample_weight_val"
                missing = "X_val"
            raise ValueError(
                f"{given} was given without {missing}. To validate, pass X_val and "
                "y_val, and sample_weight_val if the rows have weights."
            )
        try:
            X, y = self._validate_both(X, y, reset=False)
            if namespace(X) is not problem.data.xp:
                raise ValueError(
                    f"X_val is {namespace(X)}, X is {problem.data.xp}. Move X_val."
                )
            y = self._encode(y)
            weight = validate_sample_weight(sample_weight, X)
            weight = weight * weights_by_class(class_weight, y)
            if not weight.any():
                raise ValueError("all weights are zero.")
        except ValueError as error:
            raise ValueError(f"The validation data cannot be used: {error}") from error
        data = make_data(X, problem.data.dtype, self.fit_intercept)
        data.copy_center(problem.data)
        return data, y, weight, np.flatnonzero(weight)

    def _make_validation(self, problem, data, y, weight, rows):
        """Return what watches those rows, an index array, while `problem` is solved.

        Of the rows of `data`, y are the targets and weight, (n_rows,), the weights.
        """
        weight = weight * unit_mean_factor(len(rows), weight[rows].sum())
        validation_problem = replace(
            problem,
            data=data,
            y=self._make_targets(data, y),
            sample_weight=data.xp.asarray(weight, data.dtype),
        )
        plateau = None
        if self._stops_early is not False:
            plateau = Plateau(
                self.tol or 0.0, int(self.n_iter_no_change), problem.floor
            )
        return Validation(validation_problem, rows, plateau)

    def _measure_moments(self, data, weight, fill_value=None, known_moments=None):
        """Return weights with outliers bounded, and the moments of the columns.

        Textbook SGD bounds nothing. `known_moments` are the moments of earlier rows.
        """
        if self._automatic:
            return measure_bounded_moments(data, weight, fill_value, known_moments)
        return weight, measure_moments(data, weight, fill_value)

    def _make_problem(self, data, y, weight, bounded_weight=None):
        """Return what there is to minimise over these rows; weights: as batches."""
        scaling = ColumnScaling.from_moments(
            Moments(**self._moments),
            self.fit_intercept,
            data.xp.numpy_dtype(data.dtype),
            may_center=self._automatic,
        )
        data.set_center(scaling.center)
        penalty = ElasticNet(
            self.alpha,
            self.l1_ratio,
            data.n_features,
            self.fit_intercept,
            data.dtype,
            data.xp,
        )
        loss = cross_entropy(len(self.classes_))
        if self.phm_order:
            self._check_phm(data, (loss.n_outputs, data.n_features))
        scaling, targets = scaling.convert(data.xp), self._make_targets(data, y)
        return Problem(data, targets, weight, loss, penalty, scaling, bounded_weight)

    def _choose_dtype(self, dtype, xp, moments):
        """Return the dtype of the model: that of X, or float64 for more digits.

        The raw prediction of a feature far from zero is a small difference of large
        numbers, of which float32 would round the difference away.
        """
        if not self._automatic or dtype == xp.float64:
            return dtype
        variance = moments.squares / (moments.total or 1.0)
        is_far = moments.mean**2 > _LARGEST_FLOAT32_MEAN**2 * variance
        is_far &= variance > (0.01 * np.finfo(np.float32).eps * moments.mean) ** 2
        return xp.float64 if is_far.any() else dtype

    def _is_as_good(self, problem, weights, rounded):
        """Return whether rounding the weights raises the objective by less than tol.

        With a smaller tol than float32 has digits for, by less than these allow.
        """
        rows = problem.data.index(np.arange(problem.data.n_samples))
        objective, rounded_objective = (
            problem.objective(rows, w) for w in (weights, rounded)
        )
        tol = min(self.tol or 0.0, 1e-2) / 10 + 1e-6
        return rounded_objective - objective <= tol * max(objective, problem.floor)

    def _check_phm(self, data, shape):
        """Want parameters and data with which Kronecker sums work and save weights."""
        size, n_parameters = (
            shape[0] * shape[1],
            KroneckerSums(int(self.phm_order), shape).n_parameters,
        )
        is_dense = data.xp is NUMPY and not sp.issparse(data.X)
        for is_met, way_out in [
            (
                n_parameters < size,
                f"but it saves nothing: coef_ has {size} weights, its factors would "
                f"have {n_parameters}. Try another, or None.",
            ),
            (self.l1_ratio == 0, "but it keeps no zeros. Use l1_ratio=0."),
            (self.solver == "sgd", "but it is not convex. Use solver='sgd'."),
            (is_dense, "but it wants dense NumPy arrays. Convert X."),
        ]:
            if not is_met:
                raise ValueError(f"phm_order={self.phm_order} was wanted, {way_out}")

    def _make_targets(self, data, y):
        """Return what gives the targets of some rows when it is indexed with them."""
        n_classes = len(self.classes_)
        return make_targets(y, self.label_smoothing, n_classes, data.dtype, data.xp)

    def _train(self, epochs, make_attributes, validation, callbacks):
        """Train until a rule or a callback says so; return the model.

        `epochs` yields a solver with its model, the objective and whether that has
        converged; `make_attributes` makes a model attributes of a fitted estimator;
        `validation` is None without rows to validate on.
        """
        self.loss_curve_ = []
        for name in (
            "validation_loss_curve_",
            "best_validation_loss_",
            *PHM_ATTRIBUTES,
        ):
            vars(self).pop(name, None)
        for solver, objective, converged in callbacks.announce(epochs, self.max_iter):
            self.loss_curve_.append(objective)
            done = converged
            line = f"epoch {len(self.loss_curve_)}: objective {objective:.6f}"
            if validation is not None:
                done = validation.watch(solver, converged)
                line += f", validation log-loss {validation.curve[-1]:.6f}"
            if self.verbose:
                print(line)
            stop = callbacks.end_epoch(partial(make_attributes, solver.model))
            if stop or (done and self.tol is not None):
                break
        else:  # not `done`: with validation, a solver at its end is no failure
            if self.tol is not None and not converged:
                self._warn_not_converged(solver.model.dtype)
        loss_at_zero = math.log(len(self.classes_))
        if not self._automatic and self.loss_curve_[-1] > loss_at_zero:
            warnings.warn(
                f"The objective came to {self.loss_curve_[-1]:.3g}; weights of zero "
                f"have {loss_at_zero:.3g}. eta0={self.eta0} is too large for these "
                "data: lower eta0, scale X, or use learning_rate='auto'.",
                ConvergenceWarning,
                stacklevel=4,
            )
        if validation is None or validation.best_model is None:
            return solver.model
        return validation.best_model

    def _warn_not_converged(self, dtype):
        """Say what came before the stopping rule, and the way out."""
        cause = f"max_iter={self.max_iter} epochs were over"
        way_out = "Raise max_iter or tol, or pass tol=None to want just so many epochs."
        if len(self.loss_curve_) < self.max_iter:
            cause = f"no step lowered the objective in {dtype} any more"
            way_out = "Raise tol, scale X, or pass X as float64."
        warnings.warn(
            f"After {len(self.loss_curve_)} epochs {cause}, before the stopping "
            f"rule with tol={self.tol} was met. {way_out}",
            ConvergenceWarning,
            stacklevel=5,
        )

    def _initial_state(self, weights):
        """Return a state at t = 0."""
        copied = namespace(weights).copy(weights) if self.average else weights
        return State(weights, copied)

    def _model_weights(self, problem):
        """Return coef_ and intercept_ as weights, (n_weights, n_outputs)."""
        detach = problem.data.xp.detach
        coef, intercept = detach(_make_dense(self.coef_)), detach(self.intercept_)
        return self._to_weights(problem, coef.T, intercept)

    def _to_weights(self, problem, coef, intercept):
        """Return weights of the centered features, a new array."""
        weights = problem.zeros()
        weights[: coef.shape[0], :] = coef
        if self.fit_intercept:
            weights[-1, :] = intercept + problem.data.shift(weights)
        return weights

    def _from_weights(self, problem, weights):
        """Return coef, (n_features, n_outputs), and intercept of features as given."""
        xp = problem.data.xp
        coef = xp.copy(weights[: problem.data.n_features, :])
        if not self.fit_intercept:
            return coef, xp.full((coef.shape[1],), 0.0, coef.dtype)
        intercept = weights[-1, :] - problem.data.shift(weights)
        if intercept.shape[0] > 1:  # what they have in common changes no probability
            intercept = intercept - xp.sum(intercept, axis=0) / intercept.shape[0]
        return coef, intercept

    def _to_attributes(self, problem, state, model, rng, dtype=None):
        """Return the attributes of the model, and what `partial_fit` needs to go on.

        The model has the `dtype`, if it is given and has digits enough, and else that
        of the problem.
        """
        phm_attributes = {}
        if self.phm_order:
            order, n_features = int(self.phm_order), problem.data.n_features
            model, phm_attributes = project_weights(
                order, problem.penalty.sums, model, n_features
            )
        coef, intercept = self._from_weights(problem, model)
        if dtype is not None and dtype != coef.dtype:
            xp = problem.data.xp
            rounded = [xp.astype(a, dtype) for a in (coef, intercept)]
            if self._is_as_good(problem, model, self._to_weights(problem, *rounded)):
                coef, intercept = rounded
        solver_state = vars(state).copy()
        del solver_state["weights"], solver_state["average"], solver_state["t"]
        # How far the last iterate is ahead of the average, so that `coef_` alone says
        # where training goes on, also after someone has edited it.
        difference = None
        if state.average is not state.weights:
            difference = self._from_weights(problem, state.weights - state.average)
        return {
            "coef_": coef.T,
            "intercept_": intercept,
            "t_": state.t,
            "_solver_state": solver_state,
            "_iterate_minus_average": difference,
            "_rng": rng,
            **phm_attributes,
        }

    def _from_attributes(self, problem):
        """Return the state in which the last call left the solver."""
        state = self._initial_state(self._model_weights(problem))
        if self.average and self._iterate_minus_average is not None:
            state.weights += self._to_weights(problem, *self._iterate_minus_average)
        vars(state).update(self._solver_state, t=self.t_)
        return state

    def _check_namespace(self, method, X):
        """Want X, validated, where the weights of the model are."""
        input_xp, model_xp = namespace(X), namespace(self.coef_)
        if input_xp is not model_xp:
            raise ValueError(
                f"X passed to {type(self).__name__}.{method}() must use the same "
                f"namespace and the same device as X in fit: the model is {model_xp}, "
                f"X is {input_xp}. Move X, or fit the model there. (Without "
                "scikit-learn's array_api_dispatch all X are taken as NumPy's.)"
            )

    def _predict_in_chunks(self, method, X, transform, y=None):
        """Return transform(loss, raw predictions, targets), a part of rows at a time.

        Nothing of the size of X is copied, and integers are cast a part at a time.
        `method` is the name of what was called.
        """
        check_is_fitted(self)
        if y is None:
            X = self._validate(X)
        else:
            X, y = self._validate_both(X, y, reset=False)
        self._check_namespace(method, X)
        xp = namespace(X)
        coef, intercept = map(xp.detach, (self.coef_.T, self.intercept_))
        n_classes = len(self.classes_)
        if y is not None:
            y = make_targets(self._encode(y), 0.0, n_classes, coef.dtype, xp)
        loss, product = cross_entropy(n_classes), xp.matmul
        if sp.issparse(X) or sp.issparse(coef):
            product = partial(safe_sparse_dot, dense_output=True)
        width = 4 * coef.shape[1]
        if X.dtype != coef.dtype:  # then a part of X is copied
            width = max(width, X.shape[1])
        size = max(1, _PREDICTION_CHUNKS * xp.matmul_chunk_size // width)
        largest = float(xp.finfo(coef.dtype).max) / 2  # two may be subtracted
        result = None
        for part in chunks(slice(0, X.shape[0]), size):
            with np.errstate(all="ignore"):
                raw = product(xp.astype(X[part, :], coef.dtype), coef)
                raw += intercept
                if not (
                    math.isfinite(xp.vdot(raw, raw))  # mostly says it in one pass
                    or xp.all(xp.abs(raw) <= largest)
                ):
                    raise ValueError(
                        f"X passed to {type(self).__name__}.{method}() holds values "
                        f"too large for this model: raw predictions overflow in "
                        f"{coef.dtype}. Scale X as it was in fit."
                    )
                transformed = transform(loss, raw, None if y is None else y[part])
            if transformed.shape[0] == X.shape[0]:
                return xp.row_major(transformed)
            if result is None:
                shape = (X.shape[0], *transformed.shape[1:])
                result = xp.empty(shape, transformed.dtype)
            result[part, ...] = transformed
        return result


def _convert(value, converter):
    """Return the value, converted if it is an array."""
    is_array = value is not None and not isinstance(value, str | Real)
    return converter(value) if is_array else value


def _make_dense(coef):
    return coef.toarray() if sp.issparse(coef) else coef
