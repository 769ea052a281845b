"""The losses of training as curves."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sksoftmax.inspection.estimators import find_fitted, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Black, orange, blue, vermilion and sky blue of Okabe and Ito. Some of these colours
# are alike in shades of grey, so markers distinguish the curves too. As 5 and 7 have
# no common factor, the pairs repeat only after 35 curves.
_COLORS = ["#000000", "#e69f00", "#0072b2", "#d55e00", "#56b4e9"]
_MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
_GROUP = "loss-curve"  # the group ids of curves begin so; they count curves on an axis
_MOST_MARKS = 20  # along a curve


class LossCurveDisplay:
    """Draw the objective after each epoch, and the validation log-loss.

    `from_estimator` draws a fitted estimator. Several estimators can be compared on
    the same axes: each gets its own colour and marker.

    The objective includes the penalty, the validation log-loss does not.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Objective on the training data after each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Log-loss of the validation data after each epoch.

    estimator_name : str, default=None
        Name for the legend. None: the legend names no estimator.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The objective and, if there is one, the validation log-loss.

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
        loss_curve: Any,
        validation_loss_curve: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
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
            Keywords of both lines for matplotlib's `plot`. They replace our colour,
            marker and so on. The validation log-loss stays dashed, with one mark at
            its best epoch.

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
            "color": _COLORS[number % len(_COLORS)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 5,
            "markevery": 1 + len(self.loss_curve) // _MOST_MARKS,
            "label": f"{prefix}training objective",
            **normalize_kwargs(line_kw or {}, Line2D),
        }
        curves = [(self.loss_curve, {**style, "gid": f"{_GROUP}-{number}"})]
        if self.validation_loss_curve is not None:
            best = int(np.argmin(self.validation_loss_curve))
            validation_label = {
                "linestyle": "--",
                "markersize": 2 * style["markersize"],
                "markerfacecolor": "none",
                "markevery": [best],
                "label": f"{prefix}validation log-loss, lowest in epoch {best + 1}",
            }
            curves.append((self.validation_loss_curve, {**style, **validation_label}))
        self.lines_ = [
            ax.plot(np.arange(1, len(curve) + 1), curve, **kwargs)[0]
            for curve, kwargs in curves
        ]
        ax.set(xlabel="epoch", ylabel="loss (nats)")
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
            Fitted, with a `loss_curve_`, or a Pipeline with such a last step.
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
            If the estimator has no `loss_curve_`, as after `partial_fit` alone.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        estimator = find_fitted(
            estimator,
            ["loss_curve_"],
            "Call fit, as partial_fit keeps no losses. For a search, pass its "
            "best_estimator_.",
        )
        display = cls(
            loss_curve=estimator.loss_curve_,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            estimator_name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, line_kw=line_kw)
