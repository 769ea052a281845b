"""Held-out scores and coefficients against the strength of the penalty."""

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.isotonic import isotonic_regression

from sksoftmax._arrays import namespace
from sksoftmax._cross_validation import LARGEST_COEF_PATH
from sksoftmax.inspection.coefficients import (
    check_n_top,
    check_names,
    find_classes,
    make_titles,
    name_features,
)
from sksoftmax.inspection.estimators import curve_style, find_fitted, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUP = "penalty-path"  # group ids of curves begin so
_MOST_LINES = 1000  # of coefficients, as figures of more lines take long to draw
_ROOM = 0.15  # below and above curves for the names of marks, as a share of their range
_LINE_HEIGHT = 0.05  # of names beside coefficients, as a share of the y axis
_MOST_TICKS = 6  # of powers of ten, about, beside a strength of 0
_SHORT = 10  # letters of the name of a mark
_SHORT_ROOM, _LONG_ROOM = 0.15, 0.35  # for such names, as a share of the x axis
_MARGIN, _LINE = 4, 12  # points beside names of marks, and of a line of them
_RINGS = {"one standard error": "s", "chosen": "D"}
_WAY_OUT = (
    "Pass a SoftmaxRegressionClassifierCV, or a Pipeline that ends with one. For a "
    "search, pass its best_estimator_."
)


class PenaltyPathDisplay:
    """Draw held-out scores, or coefficients, against the strength of the penalty.

    The strength `alpha` falls from left to right on a log axis, in the order of
    training: strong penalties are on the left and weak ones on the right, as with
    growing `C`. A strength of 0 has a tick of its own at the right end.

    Scores have bars of one standard error. A ring shows the strength with the best mean
    score, and a square the largest strength within one standard error of the best
    score. A dotted line between them is one standard error worse than the best score. A
    diamond shows the chosen strength if it is another one. The first curve on the axes
    has names and values of these strengths beside vertical lines.

    Scores whose names begin with "neg" are drawn as positive losses. The default score
    is therefore drawn as the log-loss in nats, and smaller is better.

    Coefficients are those of the models of all rows. The coefficients that are largest
    at the chosen strength have names at the right end; up to 1000 others are grey.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty, from large to small.

    mean_score : array-like of shape (n_alphas,)
        Mean held-out score of each strength; larger is better.

    standard_error : array-like of shape (n_alphas,), default=None
        Standard error of `mean_score`. None, and NaN: no bars.

    scoring : str, callable or None, default=None
        The score, for the label of the y axis. None is the log-loss.

    alpha_min : float, default=None
        The strength with the best mean score. None: no mark.

    alpha_1se : float, default=None
        The largest strength within one standard error. None: no mark.

    alpha : float, default=None
        The chosen strength. None: `alpha_min`, or else the smallest strength.

    coefficients : array-like of shape (n_alphas, n_rows, n_features), default=None
        Coefficients at each strength, a row for each class, or one row for two classes.

    feature_names : array-like of shape (n_features,), default=None
        Names of the features.

    classes : array-like of shape (n_rows,) or (2,), default=None
        Labels of the rows; both labels if one row is for two classes.

    estimator_name : str, default=None
        Name for the legend. None: no legend.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curve of the scores, or the coefficients that have names.

    errors_ : matplotlib ErrorbarContainer or None
        The bars of the scores.

    ax_ : matplotlib Axes
        The axes of the curves.

    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    SoftmaxRegressionClassifierCV : The classifier that chooses its penalty.
    sklearn.model_selection.ValidationCurveDisplay : Scores for values of a parameter.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksoftmax import SoftmaxRegressionClassifierCV
    >>> from sksoftmax.inspection import PenaltyPathDisplay
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifierCV())
    >>> figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    >>> display = PenaltyPathDisplay.from_estimator(model.fit(X, y), ax=left)
    >>> display = PenaltyPathDisplay.from_estimator(
    ...     model, kind="coef", classes=[0], n_top=2, ax=right
    ... )
    >>> [line.get_label() for line in display.lines_]
    ['proline', 'alcalinity_of_ash']
    >>> plt.show()
    """

    def __init__(
        self,
        *,
        alphas: Any,
        mean_score: Any,
        standard_error: Any = None,
        scoring: Any = None,
        alpha_min: float | None = None,
        alpha_1se: float | None = None,
        alpha: float | None = None,
        coefficients: Any = None,
        feature_names: Any = None,
        classes: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.mean_score = mean_score
        self.standard_error = standard_error
        self.scoring = scoring
        self.alpha_min = alpha_min
        self.alpha_1se = alpha_1se
        self.alpha = alpha
        self.coefficients = coefficients
        self.feature_names = feature_names
        self.classes = classes
        self.estimator_name = estimator_name

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        kind: Literal["score", "coef"] = "score",
        n_top: int = 5,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the scores or the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes for the curves. None: a new figure.
        kind : {"score", "coef"}, default="score"
            What to draw.
        n_top : int, default=5
            Number of coefficients with names. Ignored if `kind="score"`.
        name : str, default=None
            Name for the legend of scores. None: `estimator_name`.
        line_kw : dict, default=None
            Keywords for matplotlib's `plot`, of the curve of the scores or of the
            coefficients with names. They replace our colour, marker and so on.

        Returns
        -------
        display : PenaltyPathDisplay
            This display.

        Raises
        ------
        ValueError
            If `kind` is unknown, if the display has no coefficients to draw, or if
            `n_top`, the names or the classes do not fit the coefficients.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D

        if kind not in ("score", "coef"):
            raise ValueError(
                f'kind must be "score" or "coef", got {kind!r}. Leave kind out to draw '
                "scores."
            )
        alphas = np.asarray(self.alphas, float)
        style = normalize_kwargs(line_kw or {}, Line2D)
        if kind == "coef":
            curves, names, title = self._check_coefficients(n_top)
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        if kind == "coef":
            self._plot_coefficients(ax, alphas, curves, names, n_top, style)
            ax.set_title(title, parse_math=False)
        else:
            self._plot_scores(ax, alphas, name, style)
        ax.set_xlabel("alpha, strength of the penalty")
        ax.margins(y=_ROOM)
        _set_scale(ax)
        if kind == "coef":
            self._draw_marks(ax, 1, "0.3")
        elif self.lines_[0].get_gid() == f"{_GROUP}-0":
            edge = 0 if _describe(self.scoring)[0] < 0 else 1  # the better end
            self._draw_marks(ax, edge, self.lines_[0].get_color())
        _make_room(ax)
        if kind == "coef":
            _write_names(ax, self.lines_)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: Literal["score", "coef"] = "score",
        classes: Any = None,
        feature_names: Any = None,
        n_top: int = 5,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the path of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`SoftmaxRegressionClassifierCV`, or a Pipeline with such a
            last step.
        kind : {"score", "coef"}, default="score"
            What to draw: held-out scores, or coefficients.
        classes : array-like of shape (n_rows,), default=None
            Labels of the classes whose coefficients are drawn. None: all. A model of
            two classes has one row of coefficients for any labels.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features that have coefficients. None: the classifier's
            `feature_names_in_`, or else `get_feature_names_out` of the other steps of
            a Pipeline, or else x0, x1, ...
        n_top : int, default=5
            Number of coefficients with names.
        name : str, default=None
            Name for the legend of scores. None: no legend.
        ax : matplotlib Axes, default=None
            Axes for the curves, for example `ax_` of another display. None: a new
            figure.
        line_kw : dict, default=None
            Keywords for matplotlib's `plot`, see `plot`.

        Returns
        -------
        display : PenaltyPathDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the estimator has no path. If `kind="coef"` and the estimator has no
            `coef_path_`, a label in `classes` is unknown, or the names do not fit.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        model = find_fitted(estimator, ["alphas_", "mean_score_", "alpha_"], _WAY_OUT)
        coefficients = {}
        if kind == "coef":
            coef, labels = _select_path(model, classes)
            names = name_features(estimator, feature_names, coef.shape[2])
            coefficients = {"coefficients": coef, "classes": labels}
            coefficients["feature_names"] = names
        display = cls(
            alphas=_to_numpy(model.alphas_),
            mean_score=_to_numpy(model.mean_score_),
            standard_error=_to_numpy(model.standard_error_),
            scoring=model.scoring,
            alpha_min=model.alpha_min_,
            alpha_1se=model.alpha_1se_,
            alpha=model.alpha_,
            estimator_name=name,
            **coefficients,
        )
        return display.plot(ax=ax, kind=kind, n_top=n_top, line_kw=line_kw)

    def _plot_scores(self, ax, alphas, name, style) -> None:
        """Draw the curve of the scores, its bars and the marks."""
        sign, label = _describe(self.scoring)
        score, errors = sign * np.asarray(self.mean_score, float), self.standard_error
        name = self.estimator_name if name is None else name
        number = sum(str(line.get_gid()).startswith(_GROUP) for line in ax.lines)
        style = {**curve_style(number), "label": name, **style}
        self.lines_ = ax.plot(alphas, score, **style)
        self.lines_[0].set_gid(f"{_GROUP}-{number}")
        color = self.lines_[0].get_color()
        self.errors_ = None
        if errors is not None:
            look = {"ecolor": color, "elinewidth": 1, "capsize": 3, "fmt": "none"}
            self.errors_ = ax.errorbar(alphas, score, np.asarray(errors, float), **look)
        self._draw_range(ax, alphas, score, sign, color)
        for alpha, choice in self._choices().items():
            marker = _RINGS.get(choice, "o")
            ring = {"marker": marker, "markersize": 12, "markerfacecolor": "none"}
            ax.plot([alpha], [score[_find(alphas, alpha)]], color=color, **ring)
        ax.set_ylabel(f"held-out {label}")
        if name is not None:
            ax.legend(fontsize="small")

    def _draw_range(self, ax, alphas, score, sign, color) -> None:
        """Draw the line that is one standard error worse than the best score."""
        if None in (self.alpha_min, self.alpha_1se) or self.standard_error is None:
            return
        best = _find(alphas, self.alpha_min)
        level = score[best] - sign * np.asarray(self.standard_error, float)[best]
        ends = [self.alpha_1se, self.alpha_min]
        ax.plot(ends, [level, level], linestyle=":", color=color, linewidth=1)

    def _draw_marks(self, ax, edge, color) -> None:
        """Draw a vertical line at each choice, named at an end of the y axis."""
        choices, sides = sorted(self._choices().items(), reverse=True), []
        for number, (alpha, choice) in enumerate(choices):
            ax.axvline(alpha, color="0.6", linestyle="--", linewidth=0.8, zorder=1)
            x = ax.transAxes.inverted().transform(ax.transData.transform((alpha, 0)))[0]
            # The first name is left of its line and the others right of theirs, away
            # from each other, if the axes have room there.
            room = _SHORT_ROOM if len(choice) < _SHORT else _LONG_ROOM
            is_first = number == 0 and len(choices) > 1
            sides.append(x > room if is_first else x > 1 - room)
        for number, ((alpha, choice), is_left) in enumerate(
            zip(choices, sides, strict=True)
        ):
            height = _MARGIN + 2 * _LINE * sides[:number].count(is_left)
            ax.annotate(
                f"{choice}\n{alpha:.2g}",
                (alpha, edge),
                xytext=(-4 if is_left else 4, -height if edge else height),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="right" if is_left else "left",
                va="top" if edge else "bottom",
                fontsize="small",
                color=color,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0},
                zorder=1.5,  # over the lines, under the curves
                gid=f"{_GROUP}-mark",
            )

    def _choices(self) -> dict:
        """Return the names of the strengths to mark."""
        choices: dict[float, str] = {}
        if self.alpha_1se is not None:
            choices[self.alpha_1se] = "one standard error"
        if self.alpha_min is not None:
            is_both = self.alpha_min == self.alpha_1se
            choices[self.alpha_min] = "best, one standard error" if is_both else "best"
        if self.alpha is not None:
            choices.setdefault(self.alpha, "chosen")
        return choices

    def _check_coefficients(self, n_top):
        """Return all coefficients, (n_alphas, n_curves), their names, and a title."""
        if self.coefficients is None or self.classes is None:
            raise ValueError(
                'coefficients and classes must be given for kind="coef", got None. '
                'Pass kind="coef" to from_estimator too.'
            )
        check_n_top(n_top)
        coef = np.asarray(self.coefficients, float)
        if coef.ndim != 3 or len(coef) != len(self.alphas):
            raise ValueError(
                f"coefficients must be of shape ({len(self.alphas)}, n_rows, "
                f"n_features), got {coef.shape}. Pass a matrix for each of alphas."
            )
        n_alphas, n_rows, n_features = coef.shape
        names = self.feature_names
        if names is None:
            names = [f"x{i}" for i in range(n_features)]
        names, titles = (
            check_names(names, n_features),
            make_titles(self.classes, n_rows),
        )
        if n_rows > 1:
            names = [f"{name}, {title}" for title in titles for name in names]
        title = titles[0] if n_rows == 1 else ""
        return coef.reshape(n_alphas, -1), names, title

    def _plot_coefficients(self, ax, alphas, curves, names, n_top, style) -> None:
        """Draw the largest coefficients at the chosen strength, and grey others."""
        from matplotlib.collections import LineCollection

        self.errors_ = None
        alpha = self.alpha_min if self.alpha is None else self.alpha
        sizes = np.abs(curves[-1 if alpha is None else _find(alphas, alpha)])
        order = np.argsort(-sizes, kind="stable")[:_MOST_LINES]
        others = [np.c_[alphas, curves[:, k]] for k in order[n_top:]]
        ax.add_collection(LineCollection(others, colors="0.8", linewidths=0.6))
        self.lines_ = []
        for number, k in enumerate(order[:n_top]):
            kwargs = {**curve_style(number), "label": names[k], **style}
            self.lines_ += ax.plot(alphas, curves[:, k], **kwargs)
            self.lines_[-1].set_gid(f"{_GROUP}-coef-{number}")
        ax.set_ylabel("coefficient")


def _select_path(model, classes):
    """Return `coef_path_` of these classes, in NumPy, and their labels."""
    way_out = (
        f"At most {LARGEST_COEF_PATH} numbers are kept: pass fewer alphas or fewer "
        'features, or draw kind="score".'
    )
    find_fitted(model, ["coef_path_"], way_out)
    coef, labels = _to_numpy(model.coef_path_), model.classes_
    rows = find_classes(classes, labels)
    if coef.shape[1] != (1 if len(labels) == 2 else len(labels)):
        raise ValueError(
            "coef_path_ must have coefficients of all classes, got "
            f"{coef.shape[1]} rows for {len(labels)} classes. Call fit again, as "
            "partial_fit has added classes."
        )
    return (coef[:, rows], labels[rows]) if len(labels) > 2 else (coef, labels)


def _to_numpy(values):
    """Return an array of any library in NumPy."""
    return namespace(values).to_numpy(values)


def _describe(scoring):
    """Return the sign and the name of the score to draw."""
    if scoring is None or scoring == "neg_log_loss":
        return -1, "log-loss (nats)"
    if isinstance(scoring, str):
        name, is_loss = scoring.removeprefix("neg_"), scoring.startswith("neg_")
    else:  # a function, or what make_scorer returns
        name = getattr(getattr(scoring, "_score_func", scoring), "__name__", "score")
        is_loss = getattr(scoring, "_sign", 1) < 0
    return (-1 if is_loss else 1), name.replace("_", " ")


def _find(alphas, alpha) -> int:
    """Return the position of the strength that is nearest to alpha."""
    return int(np.argmin(np.abs(alphas - alpha)))


def _set_scale(ax) -> None:
    """Let strengths fall from left to right on a log axis that may hold 0."""
    from matplotlib.ticker import LogFormatter

    curves = [line for line in ax.lines if str(line.get_gid()).startswith(_GROUP)]
    alphas = np.concatenate([line.get_xdata() for line in curves])
    smallest, largest = min(alphas[alphas > 0], default=1.0), alphas.max() or 1.0
    margin = (largest / smallest) ** 0.05 if largest > smallest else 10.0
    if alphas.min() > 0:
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(LogFormatter())
        ax.set_xlim(largest * margin, smallest / margin)
    else:
        decade = 10 ** np.floor(np.log10(smallest))
        room = max(0.5, np.log10(largest / decade) / 8)  # from there to 0, in decades
        ax.set_xscale("symlog", linthresh=decade, linscale=room)
        ax.xaxis.get_major_locator().set_params(numticks=_MOST_TICKS)
        ax.set_xlim(largest * max(margin, 1.2), -decade / 2)
    ax.xaxis.set_major_formatter(LogFormatter())


def _make_room(ax) -> None:
    """Extend the y axis, so that the names of the marks do not cover the curves."""
    marks = [text for text in ax.texts if text.get_gid() == f"{_GROUP}-mark"]
    if not marks:
        return
    sides = [text.get_ha() for text in marks]
    points = _MARGIN + 2 * _LINE * max(map(sides.count, sides))
    share = min(points / (72 * ax.bbox.height / ax.figure.dpi), 0.5)
    low, high = ax.get_ylim()
    there = _ROOM / (1 + 2 * _ROOM)  # what the margin is of the axis
    room = (high - low) * max(0, share - there) / (1 - share)
    limits = (low, high + room) if marks[0].xy[1] else (low - room, high)
    ax.set_ylim(limits, auto=True)  # for the next curve


def _write_names(ax, lines) -> None:
    """Write the names of lines beside their right ends, one above the other."""
    low, high = ax.get_ylim()
    heights = (np.array([line.get_ydata()[-1] for line in lines]) - low) / (high - low)
    order, shifts = np.argsort(heights), _LINE_HEIGHT * np.arange(len(lines))
    # The nearest heights that are a line apart are an isotonic regression.
    heights[order] = isotonic_regression(heights[order] - shifts) + shifts
    for line, height in zip(lines, heights, strict=True):
        ax.annotate(
            line.get_label(),
            (line.get_xdata()[-1], line.get_ydata()[-1]),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.5},
            annotation_clip=False,
            parse_math=False,
        )
