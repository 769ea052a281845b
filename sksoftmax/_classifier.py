"""SoftmaxRegressionClassifier: parameters, fit, partial_fit, predict, export."""

import copy
import math
import warnings
from numbers import Integral, Real
from operator import is_not
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import NUMPY, input_to_numpy, namespace
from sksoftmax._classes import (
    check_class_totals,
    check_classes,
    check_new_classes,
    encode,
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
from sksoftmax._monitoring import Callbacks, make_validation, stops_early
from sksoftmax._parameters import check_solver, make_generator
from sksoftmax._prediction import predict_in_chunks
from sksoftmax._state import (
    add_classes,
    all_or_nothing,
    convert_arrays,
    forget_curvature,
    from_attributes,
    from_pickle,
    make_dense,
    make_memory,
    make_state,
    model_weights,
    to_attributes,
    to_pickle,
)
from sksoftmax._strategy import phases, run_pass
from sksoftmax._targets import is_soft_target, most_probable
from sksoftmax._training import make_problem, measure, train
from sksoftmax._validation import (
    check_namespace,
    check_warm_start,
    validate_probabilities,
    validate_rows,
    weigh_rows,
)

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# Labels of these dtypes are predicted on X's device, others in NumPy.
_LABELS = "bool", "int8", "uint8", "int16", "int32", "int64", "float32", "float64"
# Attributes of some fits, that no other fit leaves as they were.
_OPTIONAL_ATTRIBUTES = (
    "validation_loss_curve_",
    "best_validation_loss_",
    *PHM_ATTRIBUTES,
)


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
        check_solver(self)
        # Outside of what a failure undoes: scikit-learn has to find what this stores on
        # the estimator to tear the callbacks down.
        callbacks = Callbacks(self, X, y, sample_weight)
        with all_or_nothing(self):
            is_warm = self.warm_start and hasattr(self, "coef_")
            X, y = validate_rows(self, X, y, reset=True)
            if is_warm:
                check_warm_start(self, X)
            known_classes = self.classes_ if is_warm else None
            classes = find_classes(y, known_classes)
            if is_warm:
                check_new_classes(classes, self.classes_)
                vars(self).update(add_classes(self, classes))
            self.classes_ = classes
            rows = weigh_rows(self.classes_, self.class_weight, X, y, sample_weight)
            check_class_totals(self.classes_, rows.class_count * rows.class_weight)
            rng, held_out = make_generator(self.random_state), None
            if stops_early(self) is True and X_val is None:
                rows, held_out = rows.split(self.validation_fraction, rng)
            training = measure(self, rows.normalized())
            problem = make_problem(self, training, rows.y, rows.n_classes)
            validation = make_validation(
                self, problem, rows, held_out, X_val, y_val, sample_weight_val
            )
            start = model_weights(self, problem) if is_warm else problem.zeros()
            state = make_state(start, self.average)
            loss_curve = []

            # With a copy of the generator, if training is to go on.
            def make_attributes(model, final_rng=None):
                final_rng = final_rng or copy.deepcopy(rng)
                memory = make_memory(rows, training.moments, final_rng)
                attributes = to_attributes(
                    self, problem, state, model, memory, training.dtype
                )
                if self.solver == "svrg":  # its metric is for steps without noise
                    attributes = forget_curvature(attributes)
                attributes["loss_curve_"] = loss_curve.copy()
                attributes["n_iter_"] = len(loss_curve)
                if validation is not None:
                    attributes["validation_loss_curve_"] = validation.curve.copy()
                    attributes["best_validation_loss_"] = min(validation.curve)
                return attributes

            for name in _OPTIONAL_ATTRIBUTES:
                vars(self).pop(name, None)
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
        it was, but for the averaging, which starts again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class: rows of at least 0 that sum to
            one. Columns are those of `classes_` in its order, or named by a data frame.
        classes : array-like of shape (n_classes,), default=None
            All labels that there will be; required in the first call, unless y has a
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
        with all_or_nothing(self):
            self._validate_changed_params()  # fit_context does so in a first call only
            is_first = not hasattr(self, "coef_")
            X, y = validate_rows(self, X, y, reset=is_first)
            if not is_first:
                check_namespace(self, "partial_fit", X)
            known_classes = None if is_first else self.classes_
            classes = input_to_numpy(classes, "classes")
            classes = validate_classes(classes, y, known_classes)
            if not is_first:
                vars(self).update(add_classes(self, classes))
            self.classes_ = classes
            earlier = None if is_first else self._state
            earlier_count = 0.0 if is_first else earlier["counts"]["class_count"]
            rows = weigh_rows(
                self.classes_, self.class_weight, X, y, sample_weight, earlier_count
            )
            if not (len(rows.indices) or is_first):
                return self
            check_classes(self.classes_)
            rng = make_generator(self.random_state) if is_first else earlier["rng"]
            dtype = None if is_first else self.coef_.dtype
            training = measure(self, rows, True, dtype, earlier)
            problem = make_problem(self, training, rows.y, rows.n_classes, vars(self))
            if is_first:
                state = make_state(problem.zeros(), self.average)
            else:
                state = from_attributes(self, problem)
            if len(rows.indices):
                run_pass(self, problem, state, rows.indices, rng)
            memory = make_memory(rows, training.moments, rng, earlier)
            vars(self).update(
                to_attributes(self, problem, state, state.average, memory)
            )
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
        y : ndarray of shape (n_samples,)
            Labels.
        """
        indices = predict_in_chunks(
            self, "predict", X, lambda loss, raw, y: loss.predict(raw)
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
        log_proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; finite even where the probability underflows.
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
            table = validate_probabilities(y)
            y = self.classes_[most_probable(encode(table, self.classes_))]
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
        return predict_in_chunks(
            self,
            "surprisal",
            X,
            lambda loss, raw, y: loss.losses(raw, y) / math.log(2),
            y,
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

        return predict_in_chunks(self, "predictive_entropy", X, entropy)

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
        self.coef_ = make_dense(self.coef_)
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

        attributes = to_pickle(super().__getstate__())
        return {**attributes, "_sksoftmax_version": __version__}

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
        super().__setstate__(from_pickle(state))

    def __sklearn_array_api_convert__(self, converter):
        """Return a copy whose arrays are converted, for scikit-learn to move it."""
        moved = copy.deepcopy(self)
        vars(moved).update(convert_arrays(vars(moved), converter))
        return moved

    def _validate_changed_params(self):
        """Validate the parameters if one is another object than in the last call."""
        parameters = [vars(self)[name] for name in self._parameter_constraints]
        validated = getattr(self, "_validated_parameters", [])
        if len(validated) != len(parameters) or any(map(is_not, parameters, validated)):
            self._validate_params()
            self._validated_parameters = parameters
