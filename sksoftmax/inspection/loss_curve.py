"""The losses of training as curves."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sksoftmax.inspection.estimators import curve_style, find_fitted, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUP = "loss-curve"  # the group ids of curves begin so; they count curves on an axis
_MOST_MARKS = 20  # along a curve


class LossCurveDisplay:
    """Draw the objective after each epoch, and the log-loss of rows not trained on.

    `from_estimator` draws a fitted estimator. Several estimators can be compared on
    the same axes: each gets its own colour and marker.

    The objective includes the penalty. The validation log-loss and the progressive loss
    of streams do not.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,), default=None
        Objective on the training data after each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Log-loss of the validation data after each epoch.

    progressive_loss_curve : array-like of shape (n_calls,), default=None
        Loss of the rows of each call of `partial_fit`, before these rows train.

    n_iter : int, default=None
        Number of epochs and calls at the last point of `progressive_loss_curve`. None:
        the length of the curve.

    estimator_name : str, default=None
        Name for the legend. None: the legend names no estimator.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves that were given: the objective, the validation log-loss and the
        progressive loss.

    ax_ : matplotlib Axes
        The axes of the curves.

    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores for growing training sets.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.inspection import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(batch_size=64, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(clf.fit(X, y), name="no validation")
    >>> clf.set_params(early_stopping=True).fit(X, y)
    SoftmaxRegressionClassifier(batch_size=64, early_stopping=True, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(
    ...     clf, name="stopped early", ax=display.ax_
    ... )
    >>> plt.show()
    """

    def __init__(
        self,
        *,
        loss_curve: Any = None,
        validation_loss_curve: Any = None,
        progressive_loss_curve: Any = None,
        n_iter: int | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.progressive_loss_curve = progressive_loss_curve
        self.n_iter = n_iter
        self.estimator_name = estimator_name

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes for the curves. None: a new figure.
        name : str, default=None
            Name for the legend. None: `estimator_name`.
        line_kw : dict, default=None
            Keywords of all lines for matplotlib's `plot`. They replace our colour,
            marker and so on. The validation log-loss stays dashed, with one mark at
            its best epoch. The progressive loss stays dotted.

        Returns
        -------
        display : LossCurveDisplay
            This display.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        number = sum(str(line.get_gid()).startswith(_GROUP) for line in ax.lines)
        name = self.estimator_name if name is None else name
        prefix = "" if name is None else f"{name}: "
        style = {
            **curve_style(number),
            **normalize_kwargs(line_kw or {}, Line2D),
        }
        self.lines_: list[Any] = []
        for first, curve, kwargs in self._curves(style, prefix):
            self.lines_ += ax.plot(np.arange(len(curve)) + first, curve, **kwargs)
        if self.lines_:
            self.lines_[0].set_gid(f"{_GROUP}-{number}")
        ax.set(xlabel=self._x_label(ax.get_xlabel()), ylabel="loss (nats)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend(fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with a `loss_curve_` or a `progressive_loss_curve_`, or a Pipeline
            with such a last step.
            :class:`~sklearn.neural_network.MLPClassifier` has a `loss_curve_` too.
        name : str, default=None
            Name for the legend. None: the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes for the curves, for example `ax_` of another display. None: a new
            figure.
        line_kw : dict, default=None
            Keywords for matplotlib's `plot`, see `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has neither curve.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = find_fitted(estimator, [], "")
        progressive = getattr(estimator, "progressive_loss_curve_", None)
        if not progressive:
            progressive = None
            way_out = (
                "Call fit of a SoftmaxRegressionClassifier. For a search, pass its "
                "best_estimator_."
            )
            if hasattr(estimator, "mean_score_"):
                way_out = (
                    "This class has a penalty path and no loss curve. Draw the path "
                    "with PenaltyPathDisplay."
                )
            find_fitted(estimator, ["loss_curve_"], way_out)
        display = cls(
            loss_curve=getattr(estimator, "loss_curve_", None),
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            progressive_loss_curve=progressive,
            n_iter=getattr(estimator, "n_iter_", None),
            estimator_name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, line_kw=line_kw)

    def _curves(self, style: dict, prefix: str):
        """Yield the first epoch or call of each curve, the curve and its keywords."""
        if self.loss_curve is not None:
            every = 1 + len(self.loss_curve) // _MOST_MARKS
            label = f"{prefix}training objective"
            yield 1, self.loss_curve, {"markevery": every, "label": label, **style}
        if self.validation_loss_curve is not None:
            best = int(np.argmin(self.validation_loss_curve))
            validation_style = {
                "linestyle": "--",
                "markersize": 2 * style["markersize"],
                "markerfacecolor": "none",
                "markevery": [best],
                "label": f"{prefix}validation log-loss, lowest in epoch {best + 1}",
            }
            yield 1, self.validation_loss_curve, {**style, **validation_style}
        curve = self.progressive_loss_curve
        if curve is not None:
            last = len(curve) if self.n_iter is None else self.n_iter
            every = 1 + len(curve) // _MOST_MARKS
            progressive_style = {"linestyle": ":", "label": f"{prefix}progressive loss"}
            kwargs = {"markevery": every, **style, **progressive_style}
            yield last - len(curve) + 1, curve, kwargs

    def _x_label(self, shown: str) -> str:
        """Return what is counted: epochs of fit, calls of partial_fit, or both.

        `shown` is the label of the axes, which may have curves of other estimators.
        """
        has_fit = self.loss_curve is not None or self.validation_loss_curve is not None
        has_calls, parts = self.progressive_loss_curve is not None, shown.split(", ")
        counted = {"epoch": has_fit, "call of partial_fit": has_calls}
        return ", ".join(name for name in counted if counted[name] or name in parts)
