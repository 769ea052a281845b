"""SoftmaxRegressionClassifierCV: the penalty by cross-validation, on one path."""

import copy
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.metrics import get_scorer_names

from sksoftmax._alphas import MOST_ALPHAS, check_alphas
from sksoftmax._classes import (
    check_class_totals,
    class_weights,
    encode,
    find_classes,
    validate_classes,
)
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._compat import Interval, StrOptions, fit_context
from sksoftmax._cross_validation import (
    CrossValidation,
    SplitRows,
    check_no_model,
    check_only_split,
    join_validation_rows,
    make_classifier,
)
from sksoftmax._monitoring import Callbacks
from sksoftmax._parameters import make_generator
from sksoftmax._splits import make_splits
from sksoftmax._state import add_classes, all_or_nothing
from sksoftmax._targets import ProbabilityTable, is_soft_target
from sksoftmax._validation import validate_rows, validate_sample_weight, weigh_rows

# Attributes that not every fit sets.
OPTIONAL_ATTRIBUTES = "coef_path_", "progressive_loss_curve_"


class SoftmaxRegressionClassifierCV(SoftmaxRegressionClassifier):
    r"""Softmax regression whose penalty is chosen by cross-validation.

    The chosen strength, `alpha_`, has the best mean score over K splits into training
    rows and test rows, unless `selection` says otherwise:

    .. math::

        \hat\alpha = \arg\max_\alpha \frac{1}{K} \sum_{k=1}^{K}
        \mathrm{score}(W_k(\alpha), c_k(\alpha);\, \mathrm{test\ rows}_k)

    The model of a split is that of ``SoftmaxRegressionClassifier(alpha=alpha)`` fitted
    to its training rows :math:`T_k`, where outliers keep their full weight. With
    :math:`\rho` as `l1_ratio`, it minimises

    .. math::

        \frac{\sum_{i \in T_k} s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + c))}
        {\sum_{i \in T_k} s_i}
        + \alpha \left(\frac{1 - \rho}{2} \|W\|_2^2 + \rho \|W\|_1\right).

    The strengths are tried on a path from strong to weak penalties [2]_. A model for
    each split leaves the test rows of the split out, and one more model sees all rows.
    Dense X without L1 trains them side by side in the same passes over X, which cost
    far less than a fit for each split and strength. The model of all rows at the chosen
    strength is `coef_`, without another fit.

    The parameters, by what they set:

    - the choice: `alphas`, `cv`, `scoring`, `selection`;
    - the model: `l1_ratio`, `fit_intercept`, `class_weight`, `label_smoothing`;
    - the training: `tol`, `max_iter`, `preconditioner`, `random_state`;
    - what is printed: `verbose`.

    The class lacks the other parameters of :class:`SoftmaxRegressionClassifier`. For
    scikit-learn's callbacks, each strength is a task with the name "alpha".

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), int or None, default=None
        Strengths of the penalty. None: about two a decade, from one that is large for
        the scale of the features: 6 to 25 strengths. The path ends two strengths or
        more after the best one, once the held-out log-loss has risen by more than the
        standard error over the splits (a single split: at all) or for four strengths.
        The path also ends when the log-loss is flat. It goes on if the penalty still
        holds back a column that lowers the loss by 1 %, until the log-loss would be 1.5
        times that of the best strength. An integer: this number of strengths, from 1e3
        to 1e-9, evenly on a log scale. An array: exactly these, all of them. A warning
        says if the best one is the largest or the smallest of those given.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, between 0 (L2 alone) and 1 (L1 alone).

    cv : int, splitter, iterable of pairs of row numbers, or None, default=None
        The splits into training and test rows, as in
        :func:`~sklearn.model_selection.check_cv`. None: 5 stratified folds, or as many
        as the most frequent class has rows. The folds of None and of a number leave
        rows of weight zero out. Test rows of several splits may overlap.
        With `X_val`, `cv` has to be None.

    scoring : str, callable or None, default=None
        The score to maximise. None and "neg_log_loss" are minus the log-loss, and
        "accuracy" is the share of right predictions. These come with the passes.
        Another name, or a callable ``scorer(estimator, X, y)``, is called for each
        strength and split with a fitted :class:`SoftmaxRegressionClassifier`, and with
        `sample_weight` if `fit` got weights and the scorer's metric takes them, unless
        ``set_score_request(sample_weight=False)`` declines. The test rows of a split
        that have weight are then copied. A metric of probabilities knows all classes,
        and a metric of one of two classes is that of the second one. If y holds class
        probabilities, a name scores the most probable classes, and a callable gets the
        probabilities.

    selection : {"min", "1se"} or callable, default="min"
        - "min": the strength with the best mean score.
        - "1se": the largest strength whose mean score is within one standard error of
          the best one [1]_.
        - A callable gets a dict like `cv_results_` of
          :class:`~sklearn.model_selection.GridSearchCV` at the end of the path, and
          returns the index of a strength.

    fit_intercept : bool, default=True
        Whether to fit an intercept. The intercept is not penalised.

    max_iter : int, default=1000
        Largest number of steps of a model at a strength. Reaching it warns.

    tol : float, default=1e-2
        Stopping tolerance. Dense X without L1: the steps of a model end if one more is
        expected to lower its objective by less than a fifth of ``tol`` times itself.
        Sparse X or L1: as in :class:`SoftmaxRegressionClassifier`. Below 1e-2, the gap
        of each model to its optimum is at most ``tol`` times its objective, or times a
        thousandth of log(n_classes) if that is more.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The preconditioner, see :class:`SoftmaxRegressionClassifier`.

    class_weight : dict or "balanced", default=None
        Weights of the classes in training, see :class:`SoftmaxRegressionClassifier`.
        "balanced" counts the training rows of each split. Scores have sample weights,
        and no class weights.

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved to all classes alike in training,
        at least 0 and below 1. Scores are not smoothed.

    random_state : int, RandomState instance or None, default=None
        Seed of the minibatches of sparse X, and of dense X with L1 that is more than
        one batch. Other dense X draws nothing.

    verbose : int, default=0
        If `verbose` is 1 or more, `fit` prints a line for each strength, and
        `partial_fit` prints a line a call.

    Attributes
    ----------
    alpha_ : float
        The chosen strength.

    C_ : float
        The same strength for :class:`~sklearn.linear_model.LogisticRegression`,
        ``1 / (alpha_ * sum_i s_i)``.

    alphas_ : array of shape (n_alphas,)
        The strengths, from large to small.

    scores_ : array of shape (n_alphas, n_splits)
        The score of each strength and split; larger is better.

    mean_score_ : array of shape (n_alphas,)
        Mean of the scores over the splits.

    std_score_ : array of shape (n_alphas,)
        Standard deviation of the scores over the splits, as in `cv_results_`.

    standard_error_ : array of shape (n_alphas,)
        Standard error of `mean_score_`. For a single split: from its test rows, whose
        weights w count as (sum w)^2 / sum w^2 rows (Kish 1965), or NaN if the score is
        not a mean over rows.

    best_score_ : float
        The mean score of `alpha_`.

    alpha_min_ : float
        The strength with the best mean score.

    alpha_1se_ : float
        The largest strength within one standard error of the best mean score.

    coef_path_ : array of shape (n_alphas, 1 or n_classes, n_features)
        Weights of the models of all rows, if these are at most a million numbers.

    n_splits_ : int
        Number of splits.

    n_passes_ : int
        Passes over X that the models share. Newton's method for single models, which
        `tol` below 1e-2 or a large gap asks for, has passes of its own. Epochs of all
        models, for sparse X or L1.

    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; always NumPy's.

    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Weights of the features, of the model of all rows at `alpha_`.

    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts.

    n_iter_ : int
        Steps of this model, at `alpha_` and at the strengths before.

    t_ : int
        Number of updates of the weights.

    progressive_loss_curve_ : list of float
        Mean loss of the rows of each call of `partial_fit` at the strength `alpha_`,
        the last 1000 calls; see :class:`SoftmaxRegressionClassifier`.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, if X has string column names.

    See Also
    --------
    SoftmaxRegressionClassifier : The classifier with a given strength.
    sklearn.linear_model.LogisticRegressionCV : A fit for each split and strength.

    Notes
    -----
    Dense X without L1: the weights of all models stand side by side, so that a pass
    reads X once for all of them, as for the linear probes of [3]_. A model leaves rows
    out by weights of zero, and nothing is copied. Each model takes L-BFGS steps [4]_
    with a preconditioner that the models share: the Gram matrix of the features, or its
    diagonal for wide X. Its pairs of steps and changes of the gradient are carried on
    to the next strength, where they stay exact. Models of at most 100 weights have
    their own Hessians instead, and so have those of at most 600 weights if the
    curvature at zero misleads. Newton's method continues a model whose gap is still
    estimated as large. Sparse X or L1: each model continues from its own weights at the
    strength before.

    No model learns from its test rows. Each starts from its own weights, and stops by
    its own training rows; the shared matrix contains no label. The log-losses of weak
    strengths are those of models that were not trained to the optimum, unless `tol` is
    small. The delivered model has made the same kind of steps.

    A class without weight in the training rows of a split has no sensible probability
    there. Its test rows, and rows of probabilities with a share of it, are left out of
    the log-loss. The accuracy counts all test rows.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen and Stone (1984), "Classification and Regression
       Trees".
    .. [2] Friedman, Hastie and Tibshirani (2010), "Regularization Paths for Generalized
       Linear Models via Coordinate Descent".
    .. [3] Oquab et al. (2023), "DINOv2: Learning Robust Visual Features without
       Supervision", whose linear probes share the passes of a network.
    .. [4] Liu and Nocedal (1989), "On the Limited Memory BFGS Method for Large Scale
       Optimization".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifierCV().fit(X, y)
    >>> round(clf.alpha_, 6)
    0.0001
    >>> clf.predict(X[:2])
    array([0, 0])
    """

    phm_order = None  # not supported, as its problem is not convex

    _parameter_constraints = {  # noqa: RUF012 (scikit-learn reads this class attribute)
        "alphas": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "selection": [StrOptions({"min", "1se"}), callable],
        **{
            name: SoftmaxRegressionClassifier._parameter_constraints[name]
            for name in (
                "l1_ratio",
                "fit_intercept",
                "max_iter",
                "preconditioner",
                "class_weight",
                "label_smoothing",
                "random_state",
                "verbose",
            )
        },
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        alphas: Any = None,
        l1_ratio: float = 0.0,
        cv: Any = None,
        scoring: Any = None,
        selection: Any = "min",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-2,
        preconditioner: Literal["auto", "gram", "diagonal"] = "auto",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.alphas = alphas
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.preconditioner = preconditioner
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Choose the strength of the penalty, and fit the model of all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features. `fit` does not change X, and copies nothing of its size.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class; see
            :meth:`SoftmaxRegressionClassifier.fit`. Folds are then stratified by the
            most probable class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in training and in the scores.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for splitters such as GroupKFold.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Features of rows that validate instead of folds. The split's model is
            trained on X, and the delivered model on X and `X_val`, which are joined in
            one copy. To save the copy, pass joined rows and
            ``cv=[(training_rows, test_rows)]``.
        y_val : array-like of shape (n_val,) or (n_val, n_classes), default=None
            Labels of the rows of `X_val`, all among the labels of y, or class
            probabilities.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the rows of `X_val`, one if not given. They have the unit of
            `sample_weight`, as the delivered model is trained on both.

        Returns
        -------
        self : SoftmaxRegressionClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, the weights, the validation data or the splits cannot
            be used, or if the weights of a model became infinite. The estimator is then
            unchanged.
        TypeError
            If X holds dates or other objects that are no numbers, or is of a library or
            on a device that cannot be used.

        Warns
        -----
        ConvergenceWarning
            If training ends before the stopping rule of `tol` is met, at some strength.
        UserWarning
            If the best score is at the largest or the smallest of the given `alphas`.
            If the folds ignore `groups`, or a class has fewer rows than there are folds
            (warnings of scikit-learn). If `class_weight` names labels that are no
            classes, and lacks a class.
        """
        validation_rows = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, groups, validation_rows)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Continue training with one pass over these rows, at the strength `alpha_`.

        The first call of a new estimator chooses the strength on its rows, as `fit`
        does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or the probability of each class.
        classes : array-like of shape (n_classes,), default=None
            All labels, also those of later calls; see
            :meth:`SoftmaxRegressionClassifier.partial_fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, absolute.

        Returns
        -------
        self : SoftmaxRegressionClassifierCV
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, X, y, `classes` or the weights cannot be used. The estimator
            is then unchanged.
        TypeError
            If X holds dates or other objects that are no numbers, or is of a kind that
            `fit` refuses.

        Warns
        -----
        ConvergenceWarning, UserWarning
            As for `fit`, in the call that chooses the strength.
        UserWarning
            If `class_weight` names labels that are no classes, and lacks a class.
        """
        with all_or_nothing(self) as trained:
            trained._validate_changed_params()
            if not hasattr(trained, "alpha_"):
                check_no_model(trained)
                labels = validate_rows(trained, X, y, reset=True)[1]
                all_classes = validate_classes(classes, labels)
                encode(labels, all_classes)  # checks that they are among the classes
                trained._fit(X, y, sample_weight, None, (None,) * 3, all_classes)
                vars(trained).update(add_classes(trained, all_classes))
                return self
            model = make_classifier(trained, trained.alpha_)
            parameters = {*model.get_params(), "_validated_parameters"}
            model.__dict__.update(
                (k, v) for k, v in vars(trained).items() if k not in parameters
            )
            model.partial_fit(X, y, classes, sample_weight)
            for name in vars(trained).keys() - vars(model).keys() - parameters:
                del vars(trained)[name]
            vars(trained).update(
                (k, v) for k, v in vars(model).items() if k not in parameters
            )
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def _fit(
        self, X, y, sample_weight, groups, validation_rows, known_classes=None
    ) -> Self:
        """Return the fitted estimator, after `fit` or a first `partial_fit`.

        `validation_rows` are `X_val`, `y_val` and `sample_weight_val`. `known_classes`
        name the columns of a y without names.
        """
        alphas = check_alphas(self.alphas)
        with all_or_nothing(self) as trained:
            n_alphas = MOST_ALPHAS if alphas is None else len(alphas)
            task = "alpha", n_alphas
            callbacks = Callbacks(self, trained, X, y, sample_weight, *task)
            X, y = validate_rows(trained, X, y, reset=True)
            y_val, weight_val = validation_rows[1:]
            has_table = isinstance(y, ProbabilityTable)
            if y_val is not None:  # the only rows that scorers are shown
                has_table = is_soft_target(y_val)
            has_weights = sample_weight is not None or weight_val is not None
            classes = trained.classes_ = find_classes(y, known_classes)
            class_weight = self.class_weight
            if isinstance(class_weight, dict) and known_classes is not None:
                # It may name classes that later calls bring.
                factors = class_weights(class_weight, known_classes, None)
                class_weight = dict(zip(list(known_classes), factors, strict=True))
            rows = weigh_rows(classes, class_weight, X, y, sample_weight)
            weight, cv = validate_sample_weight(sample_weight, X), self.cv
            if any(argument is not None for argument in validation_rows):
                check_only_split(self.cv, groups)
                rows, weight, cv = join_validation_rows(
                    trained, rows, weight, *validation_rows
                )
            check_class_totals(classes, rows.class_count * rows.class_weight)
            splits = make_splits(trained, cv, rows, weight, groups)
            rng = make_generator(self.random_state)
            split_rows = SplitRows(
                trained,
                rows,
                weight,
                splits,
                rng,
                has_weights=has_weights,
                has_table=has_table,
            )
            validation = CrossValidation(trained, split_rows)

            def make_attributes():
                return validation.make_attributes(copy.deepcopy(rng), is_complete=False)

            for name in OPTIONAL_ATTRIBUTES:
                vars(trained).pop(name, None)
            path = validation.choose_alphas(alphas)
            for alpha in callbacks.announce(path, n_alphas):
                validation.train(alpha)
                stop = callbacks.end_epoch(make_attributes)
                if stop or (alphas is None and validation.has_ended()):
                    break
            validation.warn()
            vars(trained).update(validation.make_attributes(rng, is_complete=True))
            callbacks.end(dict)
        return self
