"""Calls that fail anywhere, or run beside others, change nothing but their own."""

import copy
import linecache
import multiprocessing
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from threadpoolctl import ThreadpoolController

import sksoftmax
from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    _threads,
)
from sksoftmax._threads import one_blas_thread

CLASSES = np.arange(10)
# Batches of 64 rows, 20 features and 10 columns get a limit on the threads.
SIZE = 64
MINIBATCHES = {"batch_size": SIZE, "max_iter": 2, "tol": None}
FITS = {
    "dense gram": MINIBATCHES,
    "dense diagonal": {**MINIBATCHES, "preconditioner": "diagonal"},
    "sparse diagonal": {**MINIBATCHES, "preconditioner": "diagonal"},
    "sparse gram": {**MINIBATCHES, "preconditioner": "gram"},
    "dense l1": {**MINIBATCHES, "l1_ratio": 0.5, "alpha": 1e-2},
    "sparse l1": {**MINIBATCHES, "l1_ratio": 0.5, "alpha": 1e-2},
    "dense momentum": {**MINIBATCHES, "learning_rate": "invscaling", "momentum": 0.9},
    "dense svrg": {**MINIBATCHES, "solver": "svrg", "warm_start": True},
    "sparse svrg": {**MINIBATCHES, "solver": "svrg", "warm_start": True},
    "dense full batch": {"max_iter": 2, "tol": None},
    "sparse full batch": {"max_iter": 2, "tol": None},
    "dense full batch l1": {"max_iter": 2, "tol": None, "l1_ratio": 0.5, "alpha": 1e-2},
    "dense validated": {**MINIBATCHES, "early_stopping": True},
    "dense balanced": {**MINIBATCHES, "class_weight": "balanced"},
}
# For the slow tests alone; their parts are in others too.
RARELY = ["sparse gram", "sparse l1", "dense balanced", "dense full batch l1"]
STREAMS = [
    "dense gram",
    "dense diagonal",
    "sparse diagonal",
    "sparse gram",
    "dense l1",
    "sparse l1",
    "dense momentum",
    "dense balanced",
]
EACH_BATCH = "_problem.Problem.loss_gradient_from_raw"
ELSEWHERE = [
    ("dense gram", "_problem.Problem.mean_loss"),
    ("dense gram", "_data.DenseData.batch"),
    ("sparse diagonal", "_data.SparseData.batch"),
    ("sparse diagonal", "_moments.Moments.merge"),
    ("dense gram", "_data.Batch.gradient"),
    ("sparse diagonal", "_solvers.sgd.SGD._average"),
    ("dense gram", "_solvers.steps.largest_eigenvalue"),
    ("dense gram", "_moments.ColumnScaling.from_moments"),
    ("dense svrg", "_solvers.svrg.SVRGStep.descend"),
    ("sparse full batch", "_solvers.newton.Newton.step"),
    ("dense validated", "_monitoring.Validation.watch"),
    ("dense gram", "_classifier.to_attributes"),
]
QUICK = {"Problem.mean_loss", "Moments.merge", "from_moments", "Newton.step"}
FAILURES = [
    pytest.param(
        name,
        within,
        error,
        said_as,
        id=f"{name}-{within}-{error.__name__}",
        marks=[pytest.mark.slow]
        * (error is not MemoryError or not within.endswith(tuple(QUICK))),
    )
    for error, said_as in [(MemoryError, MemoryError), (FloatingPointError, ValueError)]
    for name, within in ELSEWHERE
    # Such an epoch of SVRG is refused, and training goes on.
    if not (within.startswith("_solvers.svrg") and error is FloatingPointError)
]
NEEDS_CALLBACKS = pytest.mark.skipif(
    find_spec("sklearn.callback") is None,
    reason="scikit-learn has callbacks from 1.9 on",
)


@cache
def blas():
    return ThreadpoolController().select(user_api="blas").lib_controllers


def n_threads():
    return {library.get_num_threads() for library in blas()}


def set_threads(numbers):
    for library, number in zip(blas(), numbers, strict=True):
        library.set_num_threads(number)
        # From threadpoolctl 3.7 on else no other thread could set a limit any more.
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def can_be_limited():
    """Return whether no limit on the threads is left behind."""
    with one_blas_thread(10_000):
        return n_threads() == {1}


def forget_limits():
    """Undo what a limit that was never lifted leaves behind."""
    set_threads([2] * len(blas()))
    for lock in vars(_threads).values():
        if isinstance(lock, type(threading.Lock())) and lock.locked():
            lock.release()


@pytest.fixture(autouse=True)
def two_threads():
    """Want two threads before and after, also where the environment has set one."""
    found = [library.get_num_threads() for library in blas()]
    set_threads([2] * len(blas()))
    if n_threads() != {2}:
        pytest.skip("this BLAS does not take two threads")
    with sklearn.config_context():  # which an interrupt in scikit-learn may leave set
        yield
    left, can_limit = n_threads(), can_be_limited()
    forget_limits()
    set_threads(found)
    assert left == {2}
    assert can_limit


@pytest.fixture(scope="module")
def rows():
    """Return features, dense, and labels: four batches."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((4 * SIZE, 20)) * (rng.uniform(size=(4 * SIZE, 20)) < 0.4)
    y = (X @ rng.standard_normal((20, len(CLASSES)))).argmax(axis=1)
    y[: len(CLASSES)] = CLASSES
    X.flags.writeable = y.flags.writeable = False
    return X, y


def given(rows, name):
    X, y = rows
    return (sp.csr_array(X) if name.startswith("sparse") else X), y


def bits(value):
    """Return a value, its arrays, generators and containers, for comparison by ==."""
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if sp.issparse(value):
        return type(value), value.shape, *map(bits, (value.data, value.indices))
    if isinstance(value, np.random.RandomState):
        return "generator", bits(value.get_state(legacy=False))
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [bits(item) for item in value]
    if isinstance(value, float | np.floating):
        return type(value), value.hex() if isinstance(value, float) else repr(value)
    return type(value), value


class Interrupted(KeyboardInterrupt):
    """One that no test is stopped by."""


class Fault:
    """Call a function, but raise an error instead at the call of that number."""

    def __init__(self, function, at=0, error=Interrupted):
        self._function, self._at, self._error = function, at, error
        self.n_calls = 0

    def __get__(self, instance, owner):
        return self if instance is None else partial(self, instance)

    def __call__(self, *args, **kwargs):
        self.n_calls += 1
        if self.n_calls == self._at:
            raise self._error
        return self._function(*args, **kwargs)


@contextmanager
def faulty(name, *args):
    """Put a fault in the place of the function of that name."""
    place, function_name = name.rsplit(".", 1)
    owner = resolve_name(f"sksoftmax.{place}")
    function = getattr(owner, function_name)
    fault = Fault(function, *args)
    setattr(owner, function_name, fault)
    try:
        yield fault
    finally:
        setattr(owner, function_name, function)


def fail_at_each(name, model, call, error=Interrupted, said_as=None):
    """Fail at each call of that function in turn, each time on a copy of the model.

    Return how many calls there are, and which of them leave a trace when they fail: in
    the model, NumPy's error state, the threads or what a retry comes to.
    """
    untroubled, traces = copy.deepcopy(model), []
    with faulty(name) as fault:
        call(untroubled)
    for k in range(1, fault.n_calls + 1):
        clf = copy.deepcopy(model)
        before, reports = bits(vars(clf)), np.geterr()
        with faulty(name, k, error), pytest.raises(said_as or error):
            call(clf)
        as_before = bits(vars(clf)) == before and np.geterr() == reports
        as_before &= n_threads() == {2}
        if not (as_before and bits(vars(call(clf))) == bits(vars(untroubled))):
            traces.append(k)
            forget_limits()
    return fault.n_calls, traces


# Failures


@pytest.mark.parametrize(
    "begun",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["new", "fitted"],
)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in RARELY)) for name in FITS],
)
def test_a_fit_that_fails_in_any_batch_leaves_no_trace(rows, name, begun):
    X, y = given(rows, name)
    generator = np.random.RandomState(7)
    clf = SoftmaxRegressionClassifier(**FITS[name], random_state=generator)
    if begun:
        clf.partial_fit(X, y, classes=CLASSES)

    n_faults, traces = fail_at_each(EACH_BATCH, clf, lambda model: model.fit(X, y))

    assert n_faults >= FITS[name]["max_iter"]
    assert traces == []


@pytest.mark.parametrize("begun", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_partial_fit_that_fails_in_any_batch_leaves_no_trace(rows, name, begun):
    X, y = given(rows, name)
    generator = np.random.RandomState(7)
    clf = SoftmaxRegressionClassifier(**FITS[name], random_state=generator)
    if begun:
        clf.fit(X, y)

    n_faults, traces = fail_at_each(
        EACH_BATCH, clf, lambda model: model.partial_fit(X, y, classes=CLASSES)
    )

    assert n_faults == 4
    assert traces == []


@pytest.mark.parametrize(("name", "within", "error", "said_as"), FAILURES)
def test_wherever_a_fit_fails_it_leaves_no_trace(rows, name, within, error, said_as):
    X, y = given(rows, name)
    clf = SoftmaxRegressionClassifier(**FITS[name], random_state=0)
    clf.fit(X[: 2 * SIZE], y[: 2 * SIZE])

    n_faults, traces = fail_at_each(
        within, clf, lambda model: model.fit(X, y), error, said_as
    )

    assert n_faults > 0
    assert traces == []


PATH_FAULTS = [
    ("_stacked_oracle.StackedOracle.sums", {}),
    ("_solvers.lbfgs.LBFGSIterate._direction", {}),
    ("_cross_validation.to_attributes", {"scoring": "f1_macro"}),
    ("_penalty_path.score", {"l1_ratio": 0.5}),
    ("_solvers.newton.Newton.step", {"tol": 1e-4}),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize(("within", "params"), PATH_FAULTS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wherever_a_path_fails_it_leaves_no_trace(within, params, method):
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((30, 3)), np.arange(30) % 3
    generator = np.random.RandomState(7)
    clf = SoftmaxRegressionClassifierCV(
        alphas=[1.0, 0.1], cv=2, random_state=generator, **params
    )
    arguments = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    if method == "fit":
        clf.fit(X[:, :2], y > 0)

    n_faults, traces = fail_at_each(
        within, clf, lambda model: getattr(model, method)(X, y, **arguments)
    )

    assert n_faults > 1
    assert traces == []


def test_a_failed_call_with_new_classes_leaves_the_old_ones(rows):
    X, y = rows
    known = y < 7
    clf = SoftmaxRegressionClassifier(batch_size=SIZE, random_state=0)
    clf.fit(X[known], y[known]).sparsify()

    n_faults, traces = fail_at_each(
        EACH_BATCH, clf, lambda model: model.partial_fit(X, y, classes=CLASSES)
    )

    assert n_faults == 4
    assert traces == []


class FailingCallback:
    """A callback that fails when it is told that of something for the k-th time."""

    def __init__(self):
        self.told, self.fails_at = 0, ("nothing", 0)

    def _tell(self, what):
        self.told += 1
        if what == self.fails_at[0]:
            self.fails_at = what, self.fails_at[1] - 1
            if self.fails_at[1] == 0:
                raise Interrupted

    def setup(self, estimator, context):
        self._tell("setup")

    def teardown(self, estimator, context):
        self._tell("teardown")

    def on_fit_task_begin(self, estimator, context):
        self._tell(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            fitted_estimator.coef_ *= 2
        self._tell(f"end {context.task_name}")


@NEEDS_CALLBACKS
@pytest.mark.parametrize("batch_size", [SIZE, "auto"], ids=["minibatches", "all rows"])
@pytest.mark.parametrize(
    "fails_at",
    [
        ("setup", 1),
        ("begin fit", 1),
        ("begin epoch", 1),
        ("begin epoch", 2),
        ("end epoch", 1),
        ("end epoch", 2),
        ("end fit", 1),
    ],
    ids=lambda where: " ".join(map(str, where)),
)
def test_a_callback_that_fails_leaves_no_trace(rows, fails_at, batch_size):
    X, y = rows
    callback = FailingCallback()
    clf = SoftmaxRegressionClassifier(
        batch_size=batch_size, max_iter=3, tol=None, random_state=0
    ).set_callbacks(callback)
    clf.partial_fit(X, y, classes=CLASSES)
    alone = copy.deepcopy(clf).set_callbacks()
    before = bits(vars(clf))
    callback.fails_at = fails_at

    with pytest.raises(Interrupted):
        clf.fit(X, y)

    assert callback.fails_at[1] == 0
    assert bits(vars(clf)) == before
    assert_array_equal(clf.fit(X, y).coef_, alone.fit(X, y).coef_)


# Interrupts, wherever they come


class LineByLine:
    """Count the lines of this package that are run, and interrupt at one of them."""

    def __init__(self, at=0):
        self.at, self.lines = at, []
        self._folder = str(Path(sksoftmax.__file__).parent)

    def __enter__(self):
        sys.settrace(self._enter_function)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _enter_function(self, frame, event, arg):
        ours = frame.f_code.co_filename.startswith(self._folder)
        return self._run_line if ours else None

    def _run_line(self, frame, event, arg):
        if event == "line":
            self._count(frame.f_code.co_filename, frame.f_lineno)
        return self._run_line

    def _count(self, file, number):
        # Between the beginning of a block and its first line Python does not look for
        # signals, though it counts a line.
        if linecache.getline(file, number).strip() != "try:":
            self.lines.append((Path(file).name, number))
            if len(self.lines) == self.at:
                raise Interrupted

    @property
    def first_times(self):
        """The numbers of the first time that each line was run."""
        return sorted(1 + self.lines.index(line) for line in set(self.lines))


@pytest.mark.slow
@pytest.mark.skipif(
    sys.gettrace() is not None, reason="something else follows each line already"
)
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("dense gram", "fit"),
        ("dense svrg", "fit"),
        ("sparse full batch", "fit"),
        ("dense gram", "partial_fit"),
        ("sparse diagonal", "partial_fit"),
    ],
)
def test_an_interrupt_at_any_line_leaves_all_or_nothing(rows, name, method):
    X, y = given(rows, name)
    generator = np.random.RandomState(7)
    model = SoftmaxRegressionClassifier(**FITS[name], random_state=generator)
    model = copy.deepcopy(model.partial_fit(X, y, classes=CLASSES))
    untouched, done = bits(vars(model)), copy.deepcopy(model)
    with LineByLine() as tracer:
        getattr(done, method)(X, y)
    traces = []

    for k in tracer.first_times:
        clf = copy.deepcopy(model)
        with pytest.raises(Interrupted), LineByLine(at=k) as interrupted:
            getattr(clf, method)(X, y)
        all_or_nothing = bits(vars(clf)) in (untouched, bits(vars(done)))
        if not (all_or_nothing and n_threads() == {2} and can_be_limited()):
            traces.append(interrupted.lines[-1])
            forget_limits()

    assert len(tracer.lines) > 100
    assert traces == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signals")
@pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="Python 3.14 never releases a lock, threadpoolctl's too, if a signal comes "
    "just after `with lock` has taken it",
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", ["dense gram", "sparse diagonal", "dense full batch"])
def test_an_interrupt_at_any_time_leaves_all_or_nothing(rows, name, method):
    X, y = given(rows, name)
    generator = np.random.RandomState(7)
    model = SoftmaxRegressionClassifier(**FITS[name], random_state=generator)
    model = copy.deepcopy(model.partial_fit(X, y, classes=CLASSES))
    done = copy.deepcopy(model)
    start = time.perf_counter()
    getattr(done, method)(X, y)
    lasts, traces, n_interrupted = time.perf_counter() - start, [], 0
    allowed = bits(vars(model)), bits(vars(done))

    for delay in np.random.RandomState(0).uniform(1e-6, lasts, size=300):
        clf = copy.deepcopy(model)
        n_interrupted += interrupted_after(delay, partial(getattr(clf, method), X, y))
        if bits(vars(clf)) not in allowed or n_threads() != {2} or not can_be_limited():
            traces.append(delay / lasts)
            forget_limits()

    assert n_interrupted > 30
    assert traces == []


def interrupted_after(delay, call):
    """Call with a signal that interrupts it after `delay` seconds, if it still runs."""
    armed = True

    def interrupt(*_):
        if armed:
            raise Interrupted

    found = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        call()
        armed = False
    except Interrupted:
        return True
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, found)
    return False


# Beside each other


TWINS = {
    "minibatches": {"batch_size": SIZE},
    "all rows": {},
    "svrg": {"batch_size": SIZE, "solver": "svrg", "max_iter": 5, "tol": None},
    "diagonal": {"batch_size": SIZE, "preconditioner": "diagonal"},
}


@pytest.mark.parametrize("params", TWINS.values(), ids=TWINS)
@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_fits_in_two_threads_equal_fits_one_after_the_other(rows, params, layout):
    X, y = layout(rows[0]), rows[1]
    models = [SoftmaxRegressionClassifier(**params, random_state=k) for k in range(4)]
    expected = [copy.deepcopy(model).fit(X, y) for model in models]
    barrier = threading.Barrier(2)

    def fit(these):
        barrier.wait(10)
        return [model.fit(X, y) for model in these]

    with ThreadPoolExecutor(2) as pool:
        fitted = chain.from_iterable(pool.map(fit, [models[:2], models[2:]]))

    for one, other in zip(fitted, expected, strict=True):
        assert bits(vars(one)) == bits(vars(other))


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [SIZE, "auto"])
def test_large_fits_in_threads_equal_fits_one_after_the_other(digits, batch_size):
    X, y = digits
    X = np.hstack([X, X[:, ::-1]])
    models = [
        SoftmaxRegressionClassifier(batch_size=batch_size, random_state=k)
        for k in range(4)
    ]
    expected = [copy.deepcopy(model).fit(X, y) for model in models]

    with ThreadPoolExecutor(4) as pool:
        fitted = list(pool.map(lambda model: model.fit(X, y), models))

    for one, other in zip(fitted, expected, strict=True):
        assert bits(vars(one)) == bits(vars(other))


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_eight_threads_predict_what_one_does(rows, method, layout):
    X, y = layout(rows[0]), rows[1]
    clf = SoftmaxRegressionClassifier().fit(X, y)
    before, expected = bits(vars(clf)), bits(getattr(clf, method)(X))
    barrier = threading.Barrier(8)

    def predict(_):
        barrier.wait(10)
        return [bits(getattr(clf, method)(X)) for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        predicted = chain.from_iterable(pool.map(predict, range(8)))

    assert set(predicted) == {expected}
    assert bits(vars(clf)) == before


@pytest.mark.parametrize("params", TWINS.values(), ids=TWINS)
@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_joblib_fits_the_same_models(rows, backend, params):
    X, y = rows
    models = [SoftmaxRegressionClassifier(**params, random_state=k) for k in range(4)]
    expected = [copy.deepcopy(model).fit(X, y) for model in models]

    with joblib.parallel_backend(backend, n_jobs=2):
        fitted = joblib.Parallel()(joblib.delayed(m.fit)(X, y) for m in models)

    for one, other in zip(fitted, expected, strict=True):
        assert_array_equal(one.coef_, other.coef_)
        assert_array_equal(one.intercept_, other.intercept_)
        assert one.t_ == other.t_


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_a_grid_search_in_parallel_finds_the_same(rows, backend):
    X, y = rows
    y = y % 3
    clf = SoftmaxRegressionClassifier(batch_size=SIZE, random_state=0)
    grid = {"alpha": [1e-4, 1e-2]}
    alone = GridSearchCV(clf, grid, cv=3).fit(X, y)

    with joblib.parallel_backend(backend, n_jobs=2):
        search = GridSearchCV(clf, grid, cv=3).fit(X, y)

    scores = (found.cv_results_["mean_test_score"] for found in (search, alone))
    assert_array_equal(*scores)
    assert_array_equal(search.best_estimator_.coef_, alone.best_estimator_.coef_)


# Python 3.12 and newer warn of any fork beside threads, such as BLAS's.
NEEDS_FORK = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs a fork"
)
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def in_a_fork(work):
    """Return what `work()` returns in a forked process."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(work()))
    child.start()
    sender.close()
    try:
        assert receiver.poll(60), "the child hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


@NEEDS_FORK
@FORKS
@pytest.mark.parametrize("params", TWINS.values(), ids=TWINS)
def test_a_fork_after_a_fit_fits_too(rows, params):
    X, y = rows
    clf = SoftmaxRegressionClassifier(**params, random_state=0).fit(X, y)
    X @ X.T  # BLAS has threads by now

    def work():
        again = copy.deepcopy(clf).fit(X, y)
        return again.coef_, clf.predict_proba(X), n_threads(), can_be_limited()

    coef, proba, threads, can_limit = in_a_fork(work)

    assert_array_equal(coef, clf.coef_)
    assert_array_equal(proba, clf.predict_proba(X))
    assert threads == {2}
    assert can_limit


@NEEDS_FORK
@FORKS
def test_a_fork_beside_a_fit_has_all_threads(rows):
    X, y = rows
    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)
    limited, forked = threading.Event(), threading.Event()

    def beside():
        with one_blas_thread(10_000):
            limited.set()
            assert forked.wait(60)

    def work():
        again = copy.deepcopy(clf).fit(X, y)
        return again.coef_, n_threads(), can_be_limited()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(beside)
        assert limited.wait(10)
        try:
            coef, threads, can_limit = in_a_fork(work)
        finally:
            forked.set()
        other.result(10)

    assert_array_equal(coef, clf.coef_)
    assert threads == {2}
    assert can_limit
