"""What many calls leave behind: no memory, no open files, no threads."""

import gc
import os
import threading
import weakref
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

MEMORY, FILES = Path("/proc/self/statm"), Path("/proc/self/fd")
NEEDS_PROC = pytest.mark.skipif(
    not (MEMORY.exists() and FILES.exists()),
    reason="without /proc memory and open files are not counted",
)
CLASSES = np.arange(5)
WARM_UP, MANY = 100, 1000
FITS = {
    "all rows": {},
    "minibatches": {"batch_size": 32, "max_iter": 2, "tol": None},
    "diagonal": {
        "batch_size": 32,
        "max_iter": 2,
        "tol": None,
        "preconditioner": "diagonal",
    },
    "svrg": {"batch_size": 32, "max_iter": 4, "tol": None, "solver": "svrg"},
    "l1": {"l1_ratio": 0.5, "alpha": 0.01},
    "early stopping": {"early_stopping": True, "batch_size": 32},
}
fits = pytest.mark.parametrize("params", FITS.values(), ids=FITS)
layouts = pytest.mark.parametrize(
    "layout", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 40)) * (rng.uniform(size=(200, 40)) < 0.5)
    y = (X @ rng.standard_normal((40, 5))).argmax(axis=1)
    return X, y


def resident():
    """Return the bytes of memory that this process has."""
    gc.collect()
    return int(MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(call):
    """Return by what share memory, and by how many open files and threads, grow."""
    for _ in range(WARM_UP):
        call()
    memory, files, threads = (
        resident(),
        len(list(FILES.iterdir())),
        len(threading.enumerate()),
    )
    for _ in range(MANY):
        call()
    return (
        resident() / memory - 1,
        len(list(FILES.iterdir())) - files,
        len(threading.enumerate()) - threads,
    )


@NEEDS_PROC
@pytest.mark.slow
@layouts
def test_a_thousand_fits_leave_nothing(rows, layout):
    X, y = layout(rows[0]), rows[1]
    each = cycle(FITS.values())

    memory, files, threads = growth(
        lambda: SoftmaxRegressionClassifier(**next(each), random_state=0).fit(X, y)
    )

    assert memory < 0.05
    assert files == threads == 0


@NEEDS_PROC
@pytest.mark.slow
def test_streams_and_predictions_leave_nothing(rows):
    X, y = rows
    each = cycle(
        (SoftmaxRegressionClassifier(preconditioner=name, random_state=0), layout(X))
        for name in ("gram", "diagonal")
        for layout in (np.asarray, sp.csr_array)
    )

    def go_on():
        clf, X = next(each)
        clf.partial_fit(X, y, classes=CLASSES)
        clf.predict(X)
        clf.predict_log_proba(X)
        clf.surprisal(X, y)

    memory, files, threads = growth(go_on)

    assert memory < 0.05
    assert files == threads == 0


@NEEDS_PROC
@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_thousand_failures_leave_nothing(rows, method):
    X, y = rows
    clf = SoftmaxRegressionClassifier(
        learning_rate="constant", eta0=1e300, random_state=0
    )
    classes = {"classes": CLASSES} if method == "partial_fit" else {}
    each, said = cycle([X * 1e10, sp.csr_array(X * 1e10)]), []

    def fail():
        try:
            getattr(clf, method)(next(each), y, **classes)
        except ValueError as error:
            said.append(str(error)[:17])

    memory, files, threads = growth(fail)

    assert said == ["Training diverged"] * (WARM_UP + MANY)
    assert memory < 0.05
    assert files == threads == 0


@layouts
@fits
def test_a_model_is_freed_with_its_last_name(rows, layout, params):
    X, y = layout(rows[0]), rows[1]
    clf = SoftmaxRegressionClassifier(**params, random_state=0)
    gc.disable()  # what is freed now is freed at once
    try:
        clf.fit(X, y).partial_fit(X, y).predict(X)
        freed = weakref.ref(clf)

        del clf

        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@fits
def test_no_model_keeps_the_rows(rows, method, params):
    X, y = rows[0].copy(), rows[1].copy()
    clf = SoftmaxRegressionClassifier(**params, random_state=0)
    if method == "partial_fit":
        clf.fit(X.copy(), y.copy())
    gc.disable()
    try:
        getattr(clf, method)(X, y)
        freed = weakref.ref(X), weakref.ref(y)

        del X, y

        assert all(ref() is None for ref in freed)
    finally:
        gc.enable()


@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("params", [{}, {"l1_ratio": 0.5}, {"scoring": "f1_macro"}])
def test_no_path_keeps_the_rows(rows, params):
    X, y = rows[0].copy(), rows[1].copy()
    clf = SoftmaxRegressionClassifierCV(alphas=[1.0, 0.1], cv=2, **params)
    gc.disable()
    try:
        clf.fit(X, y)
        freed = weakref.ref(X), weakref.ref(y), weakref.ref(clf)

        del X, y, clf

        assert all(ref() is None for ref in freed)
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_call_that_fails_keeps_nothing(rows, method):
    X, y = rows[0] * 1e10, rows[1].copy()
    clf = SoftmaxRegressionClassifier(
        learning_rate="constant", eta0=1e300, random_state=0
    )
    classes = {"classes": CLASSES} if method == "partial_fit" else {}
    gc.disable()
    try:
        with pytest.raises(ValueError, match="diverged") as failure:
            getattr(clf, method)(X, y, **classes)
        freed = weakref.ref(clf), weakref.ref(X)

        del failure, clf, X

        assert all(ref() is None for ref in freed)
    finally:
        gc.enable()
