"""The classifier for rows in Dask collections, on one machine or on many."""

import copy
from importlib import import_module
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax._alphas import check_alphas
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import (
    OPTIONAL_ATTRIBUTES,
    SoftmaxRegressionClassifierCV,
)
from sksoftmax._compat import StrOptions, fit_context
from sksoftmax._cross_validation import CrossValidation
from sksoftmax._parameters import make_generator
from sksoftmax._state import all_or_nothing, from_pickle, to_pickle

__all__ = ["DaskSoftmaxRegressionClassifier", "DaskSoftmaxRegressionClassifierCV"]


class DaskSoftmaxRegressionClassifier(ClassifierMixin, BaseEstimator):
    r"""Softmax regression on rows in Dask collections, on one machine or on many.

    The objective is that of `SoftmaxRegressionClassifier`, over the rows of all
    partitions, with :math:`\alpha` as `alpha` and :math:`\rho` as `l1_ratio`:

    .. math::

        \frac{\sum_i s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + c))}{\sum_i s_i}
        + \alpha \left(\frac{1 - \rho}{2} \|W\|_2^2 + \rho \|W\|_1\right)

    The parameters, by what they set:

    - the model: `alpha`, `l1_ratio`, `fit_intercept`, `class_weight`,
      `label_smoothing`;
    - the training: `tol`, `max_iter`, `preconditioner`, `random_state`;
    - what is printed: `verbose`.

    The method is Newton's, the last part of ``solver="svrg"``. A step solves for its
    direction by conjugate gradients, preconditioned by a sampled Hessian. Each of their
    products with the Hessian of all rows takes one pass. The sums of a pass have the
    size of `coef_`; they are computed where the rows are and added in a tree. The
    partitioning and the order of the rows do not matter. The first model is fitted to a
    random sample in the process that calls `fit`: at most 131072 rows, and at most 2^24
    numbers or 1024 rows, whichever is more.

    Training is in the dtype of X, but in float64 if the mean of a float32 feature is
    more than 1000 standard deviations from zero.

    The scheduler is that of the current ``distributed.Client``, or else that of Dask's
    configuration, by default threads. A lost worker costs the time to compute its
    partitions again. A partition that loses its worker four times in one pass ends the
    fit, see Raises. A partition is one task, so the cluster should have several
    partitions for each core. X is computed, or read, again in each pass unless it is
    persisted (``X, y = dask.persist(X, y)``). Each pass must load the same rows in the
    same order: `fit` compares some rows of each partition with the first pass, and
    raises an error if they have changed. During the fit, only class indices and
    weights, two numbers a row, stay where the rows are.

    There are no validation data (`X_val`), probabilities as targets, `warm_start`,
    `early_stopping` or `partial_fit`. The result of `to_local` has these, on one
    machine.

    The client and the workers need Dask, which
    ``python -m pip install "sksoftmax[dask]"`` installs.

    Parameters
    ----------
    alpha : float or "1/n_samples", default=1e-4
        Strength of the penalty. A number does not depend on the number of samples. A
        larger `alpha` draws all weights towards zero; 0 is no penalty. "1/n_samples" is
        1 divided by the sum over all rows of sample weight times class weight.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, between 0 (L2 alone) and 1 (L1 alone). A larger
        share makes more weights exactly zero.

    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.

    max_iter : int, default=1000
        Largest number of steps. A step takes a pass over the rows for each product with
        the Hessian, mostly 5 to 30, and 2 or 3 more. A warning tells if `max_iter` was
        reached before `tol` was met.

    tol : float or None, default=1e-2
        Stopping tolerance. Training stops when the estimated gap is at most `tol` times
        the objective. The estimate: each of five more passes would gain less than a
        twentieth of that gap, and the last step gained as much as predicted. Otherwise,
        and with L1, training stops when a bound by duality is that small. A smaller
        `tol` takes more passes: on MNIST about 35, 65 and 100 for 1e-2, 1e-3 and 1e-4.
        None stops after `max_iter` steps.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The preconditioner: "gram" is the full matrix, (n_features + 1)^2, and
        "diagonal" its diagonal. "auto" takes the matrix up to 2048 features and without
        L1. The matrix takes fewer passes, but each partition's share is as large.

    class_weight : dict or "balanced", default=None
        Weight of each class, a factor on the weights of its rows. Classes not in the
        dict have weight 1, and labels that are no classes are ignored. "balanced" gives
        all classes the same total.

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved from its label to all classes
        alike. A larger share makes predicted probabilities less extreme.

    random_state : int, RandomState instance or None, default=None
        Seed of the sample and of the model that is trained on the sample. On a cluster
        the last digits also depend on the placement of the blocks, as each worker adds
        up its own blocks first.

    verbose : int, default=0
        Whether to print the objective after each step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        The weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        The intercepts.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X was a data frame whose names are all strings.
    loss_curve_ : list of float
        The objective after each step.
    n_iter_ : int
        Number of steps.
    n_passes_ : int
        Number of times that `fit` read X. Each of these takes a pass: the check of X
        and the labels, the sample, the scales of the features, a product with the
        Hessian, an objective, and the rows of a sampled Hessian.

    See Also
    --------
    SoftmaxRegressionClassifier : The classifier for one machine.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax.dask import DaskSoftmaxRegressionClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(500, -1)), da.from_array(y, chunks=500)
    >>> clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(X, y)
    >>> clf.predict(X)[:5].compute()
    array([0, 1, 2, 3, 4])
    >>> clf.to_local()
    SoftmaxRegressionClassifier(random_state=0, solver='svrg')
    """

    def __init__(
        self,
        *,
        alpha: float | Literal["1/n_samples"] = 1e-4,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-2,
        preconditioner: Literal["auto", "gram", "diagonal"] = "auto",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.preconditioner = preconditioner
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _parameter_constraints(self):
        constraints = SoftmaxRegressionClassifier._parameter_constraints
        return {name: constraints[name] for name in self.get_params()}

    penalty = SoftmaxRegressionClassifier.penalty

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model to the data.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features). A computed block is an array, a CSR
            matrix or a data frame. The lengths of the blocks may be unknown.
        y : dask array, dask series or list of delayed blocks
            Labels, (n_samples,), in the partitions of X.
        sample_weight : dask array, dask series or list of delayed blocks, default=None
            Weights of the rows, (n_samples,), in the partitions of X. A common factor
            changes nothing if `alpha` is a number.

        Returns
        -------
        self : DaskSoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the values of a partition cannot be used, or the rows of a
            partition change between two passes. The error names the partition, counted
            from 0. The estimator is unchanged.
        TypeError
            If X, y or `sample_weight` is not of a type above.
        RuntimeError
            If a persisted partition loses its worker in one pass more often than
            ``distributed.scheduler.allowed-failures``, by default 3 times. It may need
            more memory than a worker has.
        ImportError
            If Dask cannot be imported.

        Warns
        -----
        UserWarning
            If the cluster has no worker for 30 seconds; `fit` waits for one.
        ConvergenceWarning
            If training ends before the stopping rule is met.
        """
        training, local = _import_dask("training"), self._make_local()
        with all_or_nothing(self) as trained, all_or_nothing(local):
            attributes = training.fit_partitions(local, X, y, sample_weight)
            vars(trained).pop("feature_names_in_", None)
            vars(trained).update(attributes)
        return self

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row, lazily.

        Parameters
        ----------
        X : dask array, dask data frame, list of delayed blocks, or rows in memory
            Features, (n_samples, n_features).

        Returns
        -------
        y : dask array of shape (n_samples,)
            Labels, in the partitions of X. An ndarray for rows in memory.
        """
        return self._map_blocks("predict", X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily.

        Parameters
        ----------
        X : dask array, dask data frame, list of delayed blocks, or rows in memory
            Features, (n_samples, n_features).

        Returns
        -------
        proba : dask array of shape (n_samples, n_classes)
            Rows that sum to one; columns in the order of `classes_`. An ndarray for
            rows in memory.
        """
        return self._map_blocks("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of each class, lazily.

        Parameters
        ----------
        X : dask array, dask data frame, list of delayed blocks, or rows in memory
            Features, (n_samples, n_features).

        Returns
        -------
        log_proba : dask array of shape (n_samples, n_classes)
            Columns in the order of `classes_`. An ndarray for rows in memory.
        """
        return self._map_blocks("predict_log_proba", X)

    def decision_function(self, X: Any) -> Any:
        """Return the raw predictions, X W' + c, lazily.

        Parameters
        ----------
        X : dask array, dask data frame, list of delayed blocks, or rows in memory
            Features, (n_samples, n_features).

        Returns
        -------
        raw_prediction : dask array of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the log of the odds of the second one, a number a row. An
            ndarray for rows in memory.
        """
        return self._map_blocks("decision_function", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the rows, by weight, whose class is predicted.

        X, y and `sample_weight` may also all be in memory.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).
        y : dask array, dask series or list of delayed blocks
            Labels, (n_samples,), in the partitions of X.
        sample_weight : dask array, dask series or list of delayed blocks, default=None
            Weights of the rows, (n_samples,), in the partitions of X.

        Returns
        -------
        accuracy : float
            The accuracy, computed at once.

        Raises
        ------
        ValueError
            If there are no rows, or none with a positive weight.
        RuntimeError
            If a persisted partition loses its worker too often, as in `fit`.
        """
        model = self._make_predictor()
        if _is_cut(X):
            rows = _import_dask("oracle").Partitions(X, y, sample_weight)
            return rows.accuracy(model)
        for name, values in (("y", y), ("sample_weight", sample_weight)):
            if _is_cut(values):
                raise TypeError(
                    f"{name} must be in memory, as X is, got {type(values).__name__}. "
                    f"Compute {name}, or cut X with dask.array.from_array."
                )
        return model.score(X, y, sample_weight)

    def to_local(self) -> SoftmaxRegressionClassifier:
        """Return the model as a classifier for one machine.

        Returns
        -------
        model : SoftmaxRegressionClassifier
            A fitted estimator of the same parameters, with ``solver="svrg"`` and a copy
            of the fitted attributes. `partial_fit` continues from this model.
        """
        return self._copy_to_local({"n_passes_"})

    def _copy_to_local(self, omitted: set):
        check_is_fitted(self)
        model, omitted = self._make_local(), omitted | self.get_params().keys()
        attributes = {k: v for k, v in vars(self).items() if k not in omitted}
        vars(model).update(copy.deepcopy(attributes))
        return model

    def __getstate__(self):
        """Return the attributes for a pickle or a copy, see `to_pickle`."""
        return to_pickle(super().__getstate__())

    def __setstate__(self, state):
        """Restore the attributes, see `from_pickle`."""
        super().__setstate__(from_pickle(state, type(self)))

    def _make_local(self):
        return SoftmaxRegressionClassifier(solver="svrg", **self.get_params())

    def _make_predictor(self):
        """Return the model of `to_local` without what no prediction reads."""
        model = self.to_local()
        for name in ("_state", "coef_path_"):
            vars(model).pop(name, None)
        return model

    def _map_blocks(self, method, X):
        model = self._make_predictor()
        if not _is_cut(X):
            return getattr(model, method)(X)
        # Of the copy, as another thread may fit this estimator meanwhile.
        width = (len(model.classes_),)
        if method == "decision_function" and len(model.classes_) == 2:
            width = ()
        empty_result = np.empty((0, *width), model.coef_.dtype)
        if method == "predict":
            empty_result = model.classes_[:0]
        rows = _import_dask("oracle").Partitions(X)
        return rows.map_blocks(model, method, empty_result)


class DaskSoftmaxRegressionClassifierCV(DaskSoftmaxRegressionClassifier):
    r"""Softmax regression on Dask collections, with a cross-validated penalty.

    The chosen strength, `alpha_`, has the best mean score over K splits into training
    rows and test rows, unless `selection` says otherwise:

    .. math::

        \hat\alpha = \arg\max_\alpha \frac{1}{K} \sum_{k=1}^{K}
        \mathrm{score}(W_k(\alpha), c_k(\alpha);\, \mathrm{test\ rows}_k)

    The model of a split minimises the objective of `DaskSoftmaxRegressionClassifier`
    over its training rows. The parameters, by what they set:

    - the choice: `alphas`, `cv`, `scoring`, `selection`;
    - the model: `l1_ratio`, `fit_intercept`, `class_weight`, `label_smoothing`;
    - the training: `tol`, `max_iter`, `preconditioner`, `random_state`;
    - what is printed: `verbose`.

    The path of models, the choice of `alpha` and the attributes are those of
    `SoftmaxRegressionClassifierCV`: a model for each split leaves the test rows of the
    split out, and one more model sees all rows. Each pass over the partitions serves
    all of these models. X, y and the scheduler are those of
    `DaskSoftmaxRegressionClassifier`.

    There are no validation data (`X_val`), L1 or scores that need predictions of rows
    together. The weights of all models travel in a pass, (n_splits + 1) times the size
    of `coef_`. Models of at most 600 weights may also send their Hessians.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), int or None, default=None
        Strengths of the penalty. None: about two a decade, until the held-out log-loss
        rises or no longer changes. An integer: this number of them, from 1e3 to 1e-9.
        An array: exactly these, all of them.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, which must be 0.

    cv : int, dask array, dask series, list of delayed blocks, or None, default=None
        The splits into training and test rows.

        - An integer: the number of stratified folds, those of
          :class:`~sklearn.model_selection.StratifiedKFold` for the rows with weight, in
          the order of the partitions. None: 5, or as many as the most frequent class
          has rows.
        - Fold numbers, (n_samples,), in the partitions of X, as `test_fold` of
          :class:`~sklearn.model_selection.PredefinedSplit`. A model is tested on the
          rows of each number from 0 on. Rows of the number -1 are never tested. Give
          the rows of a group one number to keep them together.

    scoring : {"neg_log_loss", "accuracy"} or None, default=None
        The score to maximise: minus the log-loss (also None), or the share of right
        predictions.

    selection : {"min", "1se"} or callable, default="min"
        The choice of a strength, see `SoftmaxRegressionClassifierCV`.

    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.

    max_iter : int, default=1000
        Largest number of steps of a model at a strength. Reaching it warns.

    tol : float, default=1e-2
        Stopping tolerance. The steps of a model end if one more is expected to lower
        its objective by less than a fifth of ``tol`` times itself. No bound of the gap
        is computed, because a bound takes many passes for each model.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The preconditioner, see `DaskSoftmaxRegressionClassifier`.

    class_weight : dict or "balanced", default=None
        Weights of the classes in training. "balanced" counts the training rows of each
        split. Scores have sample weights, and no class weights.

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved from its label to all classes
        alike in training. Scores are not smoothed.

    random_state : int, RandomState instance or None, default=None
        Seed of `partial_fit` of the result of `to_local`. `fit` draws nothing.

    verbose : int, default=0
        Prints a line for each strength if 1 or more.

    Attributes
    ----------
    alpha_, C_, alphas_, scores_, mean_score_, std_score_, standard_error_, best_score_
        The chosen strength, and the scores of all of them, see
        `SoftmaxRegressionClassifierCV`.
    alpha_min_, alpha_1se_, coef_path_, n_splits_
        See `SoftmaxRegressionClassifierCV`.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        The weights of the model of all rows at `alpha_`.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        The intercepts.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X was a data frame whose names are all strings.
    n_iter_ : int
        Number of steps of this model.
    n_passes_ : int
        Number of times that `fit` read X. A step of all models takes a pass. So do the
        check of X and the labels, sampled rows, the scales of the features, and the
        preconditioner.

    See Also
    --------
    sksoftmax.SoftmaxRegressionClassifierCV : The classifier for one machine.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax.dask import DaskSoftmaxRegressionClassifierCV
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(500, -1)), da.from_array(y, chunks=500)
    >>> clf = DaskSoftmaxRegressionClassifierCV().fit(X, y)
    >>> round(clf.alpha_, 4)
    0.0316
    >>> clf.predict(X)[:5].compute()
    array([0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        *,
        alphas: Any = None,
        l1_ratio: float = 0.0,
        cv: Any = None,
        scoring: Literal["neg_log_loss", "accuracy"] | None = None,
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

    @property
    def _parameter_constraints(self):
        return {
            **SoftmaxRegressionClassifierCV._parameter_constraints,
            "cv": "no_validation",  # see _check_splits
            "scoring": [StrOptions({"neg_log_loss", "accuracy"}), None],
        }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the strength of the penalty, and fit the model of all rows.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features). A computed block is an array, a CSR
            matrix or a data frame. The lengths of the blocks may be unknown.
        y : dask array, dask series or list of delayed blocks
            Labels, (n_samples,), in the partitions of X.
        sample_weight : dask array, dask series or list of delayed blocks, default=None
            Weights of the rows, (n_samples,), in training and in the scores.

        Returns
        -------
        self : DaskSoftmaxRegressionClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the splits or the values of a partition cannot be used, or
            the rows of a partition change between two passes. The estimator is then
            unchanged.
        TypeError
            If X, y or `sample_weight` is not of a type above.
        RuntimeError
            If a persisted partition loses its worker in one pass more often than
            ``distributed.scheduler.allowed-failures``, by default 3 times. It may need
            more memory than a worker has.
        ImportError
            If Dask cannot be imported.

        Warns
        -----
        UserWarning
            If the cluster has no worker for 30 seconds; `fit` waits for one. If the
            best score is at the largest or the smallest of the given `alphas`.
        ConvergenceWarning
            If training ends before the stopping rule is met, at some strength.
        """
        alphas, local = check_alphas(self.alphas), self._make_local()
        self._check_splits()
        module = _import_dask("cross_validation")
        with all_or_nothing(self) as trained, all_or_nothing(local):
            rng = make_generator(self.random_state)
            rows = module.SplitPartitions(local, self.cv, X, y, sample_weight)
            validation = CrossValidation(local, rows)
            for alpha in validation.choose_alphas(alphas):
                validation.train(alpha)
                if alphas is None and validation.has_ended():
                    break
            validation.warn()
            for name in ("feature_names_in_", *OPTIONAL_ATTRIBUTES):
                vars(trained).pop(name, None)
            vars(trained).update(
                rows.rows.attributes(),
                **validation.make_attributes(rng, is_complete=True),
            )
        return self

    def to_local(self) -> SoftmaxRegressionClassifierCV:
        """Return the model as a classifier for one machine.

        Returns
        -------
        model : SoftmaxRegressionClassifierCV
            A fitted estimator of the same parameters, with a copy of the fitted
            attributes. `cv` is None in place of fold numbers. `partial_fit` continues
            from this model, at the strength `alpha_`.
        """
        return self._copy_to_local(set())

    def _check_splits(self) -> None:
        """Raise ValueError unless the penalty and the splits can be served."""
        if self.l1_ratio:
            raise ValueError(
                f"l1_ratio must be 0 on Dask collections, got {self.l1_ratio}. Fit "
                "DaskSoftmaxRegressionClassifier for each alpha, or choose alpha by "
                "SoftmaxRegressionClassifierCV on a sample of the rows."
            )
        is_number = isinstance(self.cv, Integral) and int(self.cv) >= 2
        if not (self.cv is None or is_number or _is_cut(self.cv)):
            raise ValueError(
                "cv must be None, a number of folds of at least 2, or fold numbers in "
                f"a Dask collection that is cut like X, got {self.cv!r}. Give each row "
                "the number of the fold that tests it, with dask.array.from_array."
            )

    def _make_local(self):
        parameters = self.get_params(deep=False)
        if _is_cut(self.cv):
            parameters["cv"] = None
        return SoftmaxRegressionClassifierCV(**parameters)


def _is_cut(rows) -> bool:
    """Return whether rows are in a Dask collection or in delayed blocks."""
    while isinstance(rows, list | tuple | np.ndarray):
        values = rows.flat[:1].tolist() if isinstance(rows, np.ndarray) else rows
        rows = next(iter(values), None)
    if hasattr(rows, "shape"):  # a data frame may have a column "key"
        return hasattr(rows, "__dask_graph__")
    return hasattr(rows, "__dask_graph__") or hasattr(rows, "key")


def _import_dask(name: str):
    """Return a module of this folder that needs Dask."""
    try:
        return import_module(f"sksoftmax.dask.{name}")
    except ImportError as error:
        raise ImportError(
            f"The classifiers of sksoftmax.dask need Dask, and importing it failed: "
            f'{error}. Install it with: python -m pip install "sksoftmax[dask]"'
        ) from error
