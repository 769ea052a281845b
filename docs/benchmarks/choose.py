"""Ways to the penalty: from the rows to a model at the chosen strength.

All but the first choose among the same five strengths by five folds and the log-loss.
"""

import atexit
import inspect
import signal
import warnings

import numpy as np
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from systems import Clock, Fit, System
from tasks import Task

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

STRENGTHS = 10.0 ** np.arange(-2, 3)  # C of LogisticRegression for all rows
BOTH = ("one", "all")
TASKS = {  # how many of the rows, and the modes: the last one takes many minutes
    "digits": (None, BOTH),
    "embeddings": (None, BOTH),
    "mnist": (10_000, BOTH),
    "news20": (2_000, ("one",)),
}


def _alphas(task):
    return 1 / (STRENGTHS * task.X.shape[0])


def _system(name, make, **limits):
    def fit(task, seed, epochs):
        model, clock = make(task, seed), Clock()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged, or the ends of the path
            with clock.run():
                model.fit(task.X, task.y)
        note = f"C = {_chosen(model, task):.3g}"
        return Fit(clock.seconds, clock.cpu, model.predict_proba, note=note)

    return System(name, fit, **limits)


def _chosen(model, task):
    """Return the chosen C for all rows."""
    if not isinstance(model, GridSearchCV):
        return np.ravel(model.C_)[0]
    if "alpha" in model.best_params_:
        return 1 / (model.best_params_["alpha"] * task.X.shape[0])
    return model.best_params_["C"] / 0.8


def _search(model, **grid):
    return GridSearchCV(model, grid, scoring="neg_log_loss", cv=5)


def _logistic_regression_cv(task, seed):
    options = inspect.signature(LogisticRegressionCV).parameters
    return LogisticRegressionCV(
        Cs=0.8 * STRENGTHS,
        cv=5,
        scoring="neg_log_loss",
        **{k: False for k in ("use_legacy_attributes",) if k in options},
    )


def _end(process):
    """End a process and wait, so that its CPU seconds count as those of a child."""
    process.kill()
    process.wait()


def _bbai(task, seed):
    from bbai._computation._bridge import handle  # a process that never rests
    from bbai.glm import LogisticRegression as Bbai

    atexit.register(_end, handle)

    class Resting(Bbai):
        def fit(self, X, y):
            handle.send_signal(signal.SIGCONT)
            super().fit(X, y)
            handle.send_signal(signal.SIGSTOP)
            return self

    return Resting()


def _glmstar(task, seed, epochs):
    from glmnet import MultiClassNet

    model, clock = MultiClassNet(alpha=0.0), Clock()
    X = np.asarray(task.X, np.float64)
    with warnings.catch_warnings(), clock.run():
        warnings.simplefilter("ignore")
        model.fit(X, task.y)
        model.cross_validation_path(X, task.y, cv=5)

    def predict_proba(rows):
        rows = np.asarray(rows, np.float64)
        proba = model.cv_predict(rows, which="best", prediction_type="response")
        return np.reshape(proba, (len(rows), -1))

    note = f"lambda = {model.cv_choice(which='best')[0]:.3g}"
    return Fit(clock.seconds, clock.cpu, predict_proba, note=note)


OURS = _system(
    "SoftmaxRegressionClassifierCV",
    lambda task, seed: SoftmaxRegressionClassifierCV(random_state=seed),
)
REFERENCE = _system(
    "GridSearchCV(LogisticRegression)",
    lambda task, seed: _search(LogisticRegression(), C=list(0.8 * STRENGTHS)),
)
PEERS = [
    _system(
        "SoftmaxRegressionClassifierCV, the five strengths",
        lambda task, seed: SoftmaxRegressionClassifierCV(
            alphas=_alphas(task), random_state=seed
        ),
    ),
    _system(
        "GridSearchCV(SoftmaxRegressionClassifier)",
        lambda task, seed: _search(
            SoftmaxRegressionClassifier(random_state=seed), alpha=list(_alphas(task))
        ),
    ),
    REFERENCE,
    _system("LogisticRegressionCV", _logistic_regression_cv),
    _system(
        "GridSearchCV(SGDClassifier)",
        lambda task, seed: _search(
            SGDClassifier(loss="log_loss", random_state=seed), alpha=list(_alphas(task))
        ),
        largest_work=2e7,
    ),
    _system("bbai", _bbai, library="bbai", largest_model=1000, takes_sparse=False),
    System("glmstar", _glmstar, "glmnet", largest_model=1000, takes_sparse=False),
]


def reduce(task: Task) -> Task:
    """Return the task with as many rows as the searches get."""
    n_rows, _ = TASKS[task.name]
    return task if n_rows is None else task.first(n_rows)
