"""The classifier for rows in Dask collections, on one machine or on many."""

import copy
from importlib import import_module
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._compat import fit_context
from sksoftmax._state import all_or_nothing

__all__ = ["DaskSoftmaxRegressionClassifier"]


class DaskSoftmaxRegressionClassifier(ClassifierMixin, BaseEstimator):
    """Softmax regression on rows in Dask collections, on one machine or on many.

    It comes to the optimum that `SoftmaxRegressionClassifier` comes to on one machine,
    by the last part of its ``solver="svrg"``: Newton's method. A step solves for its
    direction by conjugate gradients, preconditioned by a sampled Hessian. Each of their
    products with the Hessian of all rows takes one pass. The sums of a pass, of the
    size of `coef_`, are taken where the rows are and added in a tree. How the rows are
    partitioned, and by what they are sorted, does not matter. The first model is that
    of a random sample, of at most 131072 rows or 2^24 numbers, which is trained where
    `fit` is called.

    Training is in the dtype of X. It is in float64 where a feature in float32 is
    further than 1000 standard deviations from zero.

    It uses the scheduler in force: that of the current ``distributed.Client``, or else
    threads. A worker that is lost costs the time to compute its partitions again. A
    partition is one task: have several for each core of the cluster. Nothing of the
    size of X is kept: for as long as it is not persisted (``X = X.persist()``), it is
    computed, or read, again in each pass. Only class indices and weights, two numbers a
    row, stay where the rows are during the fit.

    Dask comes with ``python -m pip install "sksoftmax[dask]"``, which the workers need
    as well as the client.

    Parameters
    ----------
    alpha : float, default=1e-4
        Strength of the penalty. It does not depend on the number of samples.
        0 is no penalty; raising it draws all weights towards zero.

    l1_ratio : float, default=0.0
        Share of L1 in the penalty, between 0 (L2 alone) and 1 (L1 alone). More of it
        makes more weights zero, exactly.

    fit_intercept : bool, default=True
        Whether to fit an intercept. It is not penalised.

    max_iter : int, default=1000
        Most steps. A step takes a pass over the rows for each product with the Hessian,
        mostly 5 to 30, and 2 or 3 more. Raising it matters only where they were over
        before `tol` was met, which warns.

    tol : float or None, default=1e-2
        Stop where the objective is, by estimate, at most `tol` times itself above the
        optimum: five more passes would each lower it by less than a twentieth of that,
        and the last step did what was expected of it. Otherwise, and with L1, training
        goes on until a bound by duality is that small. A smaller `tol` takes more
        passes: on MNIST about 35, 65 and 100 for 1e-2, 1e-3 and 1e-4. None stops after
        `max_iter` steps.

    preconditioner : {"auto", "gram", "diagonal"}, default="auto"
        The metric: the full matrix, (n_features + 1)^2, or its diagonal. "auto" takes
        the matrix up to 2048 features and without L1. It takes fewer passes; each
        partition's share of it is that large.

    class_weight : dict or "balanced", default=None
        Weight of each class, by which the weights of its rows are multiplied; classes
        not in the dict have 1. "balanced" gives all classes the same total.

    label_smoothing : float, default=0.0
        Share of each row's probability that is moved from its label to all classes
        alike. Raising it makes predicted probabilities less extreme.

    random_state : int, RandomState instance or None, default=None
        Seed of the sample and of the model that is trained on it. On a cluster the last
        digits also depend on which worker keeps what: each adds up its own first.

    verbose : int, default=0
        Whether to print the objective after each step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        The weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        The intercept.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if X was a data frame whose names are all strings.
    loss_curve_ : list of float
        The objective after each step.
    n_iter_ : int
        Number of steps.
    n_passes_ : int
        How often X was read in `fit`: to check it and the labels, for the sample, for
        the scales of the features, for each product with the Hessian and each
        objective, and now and then for the rows that the metric is measured on.

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
        alpha: float = 1e-4,
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model to the data.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features). A block, which is what a delayed one
            computes to, is an array, a CSR matrix or a data frame. The lengths of the
            blocks need not be known.
        y : dask array, dask series or list of delayed blocks
            Labels, (n_samples,), in partitions as those of X.
        sample_weight : dask array, dask series or list of delayed blocks, default=None
            Weights of the rows, (n_samples,), likewise. A common factor changes
            nothing.

        Returns
        -------
        self : DaskSoftmaxRegressionClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or what a partition holds cannot be used; the error tells
            which partition, from 0. The estimator is then as it was before.
        TypeError
            If X, y or `sample_weight` is none of the above.
        ImportError
            If Dask cannot be imported.
        """
        training, local = _import_dask("training"), self._make_local()
        with all_or_nothing(local):
            attributes = training.fit_partitions(local, X, y, sample_weight)
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(attributes)
        return self

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row, lazily.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).

        Returns
        -------
        y : dask array of shape (n_samples,)
            Labels, in partitions as those of X.
        """
        return self._map_blocks("predict", X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).

        Returns
        -------
        proba : dask array of shape (n_samples, n_classes)
            Rows that sum to one; columns in the order of `classes_`.
        """
        return self._map_blocks("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of each class, lazily.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).

        Returns
        -------
        log_proba : dask array of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._map_blocks("predict_log_proba", X)

    def decision_function(self, X: Any) -> Any:
        """Return the raw predictions, X W' + c, lazily.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).

        Returns
        -------
        raw_prediction : dask array of shape (n_samples,) or (n_samples, n_classes)
            With two classes a number a row, the log of the odds of the second one.
        """
        return self._map_blocks("decision_function", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the rows, by weight, whose class is predicted.

        Parameters
        ----------
        X : dask array, dask data frame or list of delayed blocks
            Features, (n_samples, n_features).
        y : dask array, dask series or list of delayed blocks
            Labels, (n_samples,), in partitions as those of X.
        sample_weight : dask array, dask series or list of delayed blocks, default=None
            Weights of the rows, (n_samples,), likewise.

        Returns
        -------
        accuracy : float
            Computed, not lazy.
        """
        model = self.to_local()
        return _import_dask("oracle").Partitions(X, y, sample_weight).accuracy(model)

    def to_local(self) -> SoftmaxRegressionClassifier:
        """Return the model as a classifier for one machine.

        Returns
        -------
        model : SoftmaxRegressionClassifier
            A fitted estimator of the same parameters, with ``solver="svrg"``: what it
            learned is a copy. `partial_fit` goes on from there.
        """
        check_is_fitted(self)
        model, parameters = self._make_local(), self.get_params()
        attributes = {k: v for k, v in self.__dict__.items() if k not in parameters}
        del attributes["n_passes_"]
        vars(model).update(copy.deepcopy(attributes))
        return model

    def _make_local(self):
        return SoftmaxRegressionClassifier(solver="svrg", **self.get_params())

    def _map_blocks(self, method, X):
        model, n_classes = self.to_local(), len(self.classes_)
        width = (n_classes,)
        if method == "decision_function" and n_classes == 2:
            width = ()
        empty_result = np.empty((0, *width), self.coef_.dtype)
        if method == "predict":
            empty_result = self.classes_[:0]
        rows = _import_dask("oracle").Partitions(X)
        return rows.map_blocks(model, method, empty_result)


def _import_dask(name: str):
    """Return that module of this folder, which needs Dask."""
    try:
        return import_module(f"sksoftmax.dask.{name}")
    except ImportError as error:
        raise ImportError(
            f"DaskSoftmaxRegressionClassifier needs Dask, and importing it failed: "
            f'{error}. Install it with: python -m pip install "sksoftmax[dask]"'
        ) from error
