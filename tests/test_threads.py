"""Blocks of rows on threads, with BLAS on one, and all threads back after it."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from threadpoolctl import ThreadpoolController

from sksoftmax import (
    SoftmaxRegressionClassifier,
    SoftmaxRegressionClassifierCV,
    _data,
    _strategy,
    _threads,
)
from sksoftmax._arrays import NUMPY
from sksoftmax._problem import Problem
from sksoftmax._solvers import sgd
from sksoftmax._stacked_oracle import StackedOracle
from sksoftmax._threads import one_blas_thread, ordered_map, prefetch, single_thread


def n_threads():
    info = ThreadpoolController().select(user_api="blas").info()
    return {library["num_threads"] for library in info}


@pytest.fixture(autouse=True)
def two_threads():
    """Want two threads, also where the environment has set one."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        if n_threads() != {2}:
            pytest.skip("this BLAS does not take two threads")
        for library in ThreadpoolController().lib_controllers:
            # From version 3.8 on no other thread could set a limit within this one.
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread()
        yield


def test_blas_has_one_thread_and_then_all_again():
    with one_blas_thread(99_000):
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_tiny_products_do_not_ask():
    with one_blas_thread(100):
        assert n_threads() == {2}


def test_minibatches_of_a_fit_are_multiplied_by_one_thread(digits, monkeypatch):
    loss_gradient, n_threads_seen = Problem.loss_gradient_from_raw, []

    def spy(*args):
        n_threads_seen.append(n_threads())
        return loss_gradient(*args)

    monkeypatch.setattr(Problem, "loss_gradient_from_raw", spy)
    clf = SoftmaxRegressionClassifier(batch_size=64, max_iter=1, tol=None)

    clf.fit(*digits)

    assert len(n_threads_seen) > 20
    assert all(seen == {1} for seen in n_threads_seen)


FITS = {
    "defaults": SoftmaxRegressionClassifier(random_state=0),
    "svrg": SoftmaxRegressionClassifier(solver="svrg", random_state=0),
    "diagonal": SoftmaxRegressionClassifier(preconditioner="diagonal", random_state=0),
    "l1": SoftmaxRegressionClassifier(l1_ratio=1.0, max_iter=4, tol=None),
    "batch_size": SoftmaxRegressionClassifier(batch_size=256, random_state=0),
    "phm_order": SoftmaxRegressionClassifier(phm_order=2, max_iter=3, tol=None),
    "validation": SoftmaxRegressionClassifier(early_stopping=True, random_state=0),
    "path": SoftmaxRegressionClassifierCV(cv=2, alphas=[1e-2, 1e-4]),
    "l1 path": SoftmaxRegressionClassifierCV(cv=2, alphas=[1e-2], l1_ratio=1.0),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The best score is at:UserWarning")  # few alphas
@pytest.mark.parametrize("is_one_batch", [False, True])
@pytest.mark.parametrize("name", FITS)
def test_every_product_of_a_fit_has_one_thread(monkeypatch, name, is_one_batch):
    # A thread of BLAS spins for a while after its part of a product, and would take a
    # core from the threads of the next pass.
    rng = np.random.RandomState(0)
    y = rng.randint(70, size=1500)
    X = rng.standard_normal((70, 150))[y] + 3 * rng.standard_normal((1500, 150))
    work = np.inf if is_one_batch else 0
    monkeypatch.setattr(
        _strategy, "DENSE", _strategy.DENSE._replace(full_batch_work=work)
    )
    library, shared = _threads._blas_libraries()[0], []

    def spy(function, count):
        def call(a, b, *args, **kwargs):
            if count(a, b) >= 10_000 and library.get_num_threads() > 1:
                shared.append((function.__name__, a.shape, b.shape))
            return function(a, b, *args, **kwargs)

        return call

    for product, count in (
        ("matmul", lambda a, b: a.size * (b.shape[1] if b.ndim > 1 else 1)),
        ("vdot", lambda a, b: a.size),
    ):
        function = getattr(NUMPY, product)
        monkeypatch.setattr(type(NUMPY), product, staticmethod(spy(function, count)))

    clone(FITS[name]).fit(X, y)

    assert not shared


def test_an_error_lifts_the_limit():
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert n_threads() == {2}


def test_overlapping_limits_leave_all_threads():
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with one_blas_thread():
            first_in.set()
            assert second_in.wait(10)
            assert n_threads() == {1}
        first_out.set()

    def second():
        assert first_in.wait(10)
        with one_blas_thread():
            second_in.set()
            assert first_out.wait(10)
            assert n_threads() == {1}

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(task) for task in (first, second)]:
            work.result(20)
        assert n_threads() == {2}


def test_a_limit_within_a_limit_lasts_as_long_as_that():
    with one_blas_thread():
        with one_blas_thread():
            assert n_threads() == {1}
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_overlapping_limits_of_a_pool_with_a_number_for_each_thread():
    numbers = threading.local()

    class Pool:
        @staticmethod
        def get_num_threads():
            return getattr(numbers, "n_threads", 4)

        @staticmethod
        def set_num_threads(n_threads):
            numbers.n_threads = n_threads

    pool, inside, go_on = Pool(), threading.Event(), threading.Event()

    def other():
        with one_blas_thread(pools=(pool,)):
            found = pool.get_num_threads()
            inside.set()
            assert go_on.wait(10)
        return found, pool.get_num_threads()

    with ThreadPoolExecutor(1) as executor:
        with one_blas_thread(pools=(pool,)):
            work = executor.submit(other)
            assert inside.wait(10)
            assert pool.get_num_threads() == 1
        assert pool.get_num_threads() == 4
        go_on.set()
        assert work.result(10) == (1, 4)
    assert pool.get_num_threads() == 4


def test_the_limit_of_a_pool_is_not_that_of_blas():
    class Pool:
        n_threads = 4

        def get_num_threads(self):
            return self.n_threads

        def set_num_threads(self, n_threads):
            self.n_threads = n_threads

    pool = Pool()

    with one_blas_thread(100, pools=(pool,)):
        assert (pool.n_threads, n_threads()) == (1, {2})
        with one_blas_thread():  # as where a matrix is inverted
            assert (pool.n_threads, n_threads()) == (1, {1})
    assert (pool.n_threads, n_threads()) == (4, {2})


# Threads of our own


@pytest.fixture
def grant(monkeypatch):
    """Return a function that sets the number of threads, whatever the machine has."""

    def grant(n):
        monkeypatch.setattr(_threads, "_count_threads", lambda: n)

    return grant


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("n_items", [0, 1, 2, 3, 50])
def test_results_are_in_the_order_of_the_items(grant, n, n_items):
    grant(n)

    def work(item):
        time.sleep(0.002 * (item % 3))
        return item**2

    assert list(ordered_map(work, range(n_items))) == [k**2 for k in range(n_items)]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_as_many_threads_work_as_are_granted(grant, n):
    grant(n)
    workers, before = set(), threading.active_count()

    def work(item):
        workers.add(threading.get_ident())
        time.sleep(0.01)
        assert n_threads() == {1}
        assert (
            list(ordered_map(lambda k: threading.get_ident(), range(3)))
            == [threading.get_ident()] * 3
        )

    list(ordered_map(work, range(20)))

    assert len(workers) == n
    assert threading.active_count() == before
    assert n_threads() == {2}
    assert not _threads._busy


def test_few_results_wait_for_a_slow_one(grant):
    grant(3)
    begun = []

    def work(item):
        begun.append(item)
        return item

    results = ordered_map(work, range(100))
    next(results)
    time.sleep(0.05)

    assert len(begun) <= 7
    results.close()
    assert not _threads._busy


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [0, 1, 7])
def test_an_error_stops_the_others(grant, at, error):
    grant(3)
    begun, before = [], threading.active_count()

    def work(item):
        begun.append(item)
        time.sleep(0.005)
        if item == at:
            raise error

    with pytest.raises(error):
        list(ordered_map(work, range(1000)))

    assert len(begun) < at + 20
    assert threading.active_count() == before
    assert n_threads() == {2}
    assert not _threads._busy


def test_a_caller_that_stops_stops_the_others(grant):
    grant(3)
    begun = []

    for result in ordered_map(lambda k: begun.append(k) or k, range(1000)):
        if result == 3:
            break

    assert len(begun) < 30
    assert not _threads._busy


def test_several_callers_share_the_threads(grant):
    grant(4)
    n_busy, lock, most = 0, threading.Lock(), []

    def work(item):
        nonlocal n_busy
        with lock:
            n_busy += 1
            most.append(n_busy)
        time.sleep(0.002)
        with lock:
            n_busy -= 1

    def call(_):
        list(ordered_map(work, range(50)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(call, range(6)))

    assert max(most) <= 6  # four, and one for each further caller


def test_a_single_thread_is_kept_to(grant):
    grant(4)
    with single_thread():
        workers = set(ordered_map(lambda k: threading.get_ident(), range(9)))
        assert n_threads() == {1}
    assert workers == {threading.get_ident()}

    def work(item):
        time.sleep(0.01)
        return threading.get_ident()

    assert len(set(ordered_map(work, range(9)))) > 1


def test_batches_are_made_one_ahead(grant):
    grant(2)
    made = []

    for k in prefetch(lambda k: made.append(k) or k, range(5)):
        time.sleep(0.01)
        assert made == list(range(min(k + 2, 5)))

    assert not _threads._busy


def test_warnings_of_numpy_are_those_of_the_caller(grant):
    grant(3)
    zero = np.zeros(1)
    with np.errstate(all="ignore"):
        list(ordered_map(lambda k: (time.sleep(0.005), zero / zero), range(9)))


@pytest.mark.slow
def test_threads_are_at_most_the_cores_and_those_of_blas():
    code = (
        "import os; os.sched_setaffinity(0, {0});"
        "from sksoftmax import _threads; print(_threads._count_threads())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    count = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert count == "1\n"
    assert _threads._count_threads() <= 2
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        assert _threads._count_threads() == 1


ROWS = {
    "dense": (np.asarray, {}),
    "float32": (np.float32, {}),
    "minibatches": (np.asarray, {"batch_size": 100}),
    "textbook": (np.asarray, {"batch_size": 100, "learning_rate": "constant"}),
    "diagonal": (np.asarray, {"preconditioner": "diagonal"}),
    "svrg": (np.asarray, {"solver": "svrg", "batch_size": 100}),
    "L1": (np.asarray, {"l1_ratio": 1.0, "alpha": 1e-3}),
    "no intercept": (np.asarray, {"fit_intercept": False}),
    "sparse": (sp.csr_array, {}),
    "sparse svrg": (sp.csr_array, {"solver": "svrg", "batch_size": 100}),
    "sparse L1": (sp.csr_array, {"l1_ratio": 1.0, "alpha": 1e-3}),
    "validation": (np.asarray, {"early_stopping": True, "batch_size": 100}),
}


BLOCK_WORK = NUMPY.block_work


@pytest.fixture
def small_blocks(monkeypatch):
    """Make chunks and blocks small, so that small data have several."""
    sizes = {"matmul_chunk_size": 2**12, "chunk_size": 2**10, "block_work": 2**12}
    for attribute, size in sizes.items():
        monkeypatch.setattr(NUMPY, attribute, size)
    monkeypatch.setattr(_data, "BLOCK_ENTRIES", 2**10)
    monkeypatch.setattr(_data, "GROUP_OUTPUTS", 4)
    monkeypatch.setattr(sgd, "PREFETCHED_NUMBERS", 2**8)


def make_rows(n_classes, layout):
    """Return rows with many zeros, their labels, and their weights."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 30)) * (rng.random((700, 30)) < 0.5)
    y = (X[:, :n_classes] + rng.gumbel(size=(700, n_classes))).argmax(1)
    return layout(X), y, rng.uniform(0.5, 2, 700)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 20])
@pytest.mark.parametrize("name", ROWS)
def test_no_bit_depends_on_the_number_of_threads(
    grant, small_blocks, monkeypatch, name, n_classes
):
    if name == "prefetched":
        monkeypatch.setattr(NUMPY, "block_work", BLOCK_WORK)
    layout, params = ROWS[name]
    X, y, weight = make_rows(n_classes, layout)
    used, models = [], []
    share_work = _threads._share_work
    monkeypatch.setattr(
        _threads, "_share_work", lambda *args: (used.append(1), share_work(*args))[1]
    )

    for n in (1, 2, 3):
        grant(n)
        clf = SoftmaxRegressionClassifier(random_state=0, max_iter=20, **params)
        models.append(clf.fit(X, y, weight))
        assert bool(used) == (n > 1)

    for model in models[1:]:
        assert_array_equal(model.coef_, models[0].coef_)
        assert_array_equal(model.intercept_, models[0].intercept_)
        assert model.loss_curve_ == models[0].loss_curve_
        assert_array_equal(model.predict_proba(X), models[0].predict_proba(X))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The best score is at")
@pytest.mark.parametrize("n_classes", [2, 20])
@pytest.mark.parametrize("name", ["dense", "float32", "diagonal", "L1", "sparse"])
def test_no_bit_of_a_path_depends_on_the_number_of_threads(
    grant, small_blocks, monkeypatch, name, n_classes
):
    layout, params = ROWS[name]
    rows = make_rows(n_classes, layout)
    params = {k: v for k, v in params.items() if k != "alpha"}
    policy = _strategy.DENSE._replace(full_batch_work=0)  # float32 stays so
    monkeypatch.setattr(_strategy, "DENSE", policy)
    models = []
    for n in (1, 2, 3):
        grant(n)
        clf = SoftmaxRegressionClassifierCV(
            alphas=[1e-1, 1e-2], cv=3, random_state=0, **params
        )
        models.append(clf.fit(*rows))

    for model in models[1:]:
        for attribute in ("coef_", "intercept_", "scores_", "coef_path_"):
            assert_array_equal(getattr(model, attribute), getattr(models[0], attribute))


def test_an_interrupt_of_a_path_leaves_no_thread(grant, small_blocks, monkeypatch):
    grant(2)
    before, calls = threading.active_count(), []

    def interrupt(*args):
        calls.append(threading.active_count())
        raise KeyboardInterrupt

    monkeypatch.setattr(StackedOracle, "_loss_gradient", interrupt)
    clf = SoftmaxRegressionClassifierCV()

    with pytest.raises(KeyboardInterrupt):
        clf.fit(*make_rows(3, np.asarray))

    assert max(calls) == before + 1
    assert threading.active_count() == before
    assert not _threads._busy
    assert vars(clf).keys() == clf.get_params().keys()


def test_an_interrupt_of_a_minibatch_leaves_no_thread(grant, monkeypatch, digits):
    grant(2)
    monkeypatch.setattr(sgd, "PREFETCHED_NUMBERS", 2**8)
    before, calls = threading.active_count(), []

    def interrupt(*args):
        calls.append(threading.active_count())
        raise KeyboardInterrupt

    monkeypatch.setattr(Problem, "loss_gradient", interrupt)
    clf = SoftmaxRegressionClassifier(batch_size=100)

    with pytest.raises(KeyboardInterrupt) as caught:
        clf.fit(*digits)

    assert calls == [before + 1]
    assert threading.active_count() == before
    assert not _threads._busy
    assert caught.tb is not None
    assert vars(clf).keys() == clf.get_params().keys()


def test_small_data_start_no_thread(grant, monkeypatch, datasets):
    grant(4)
    monkeypatch.setattr(_threads, "_start_threads", None)
    X, y = datasets["iris"]

    clf = SoftmaxRegressionClassifier(random_state=0).fit(X, y)

    clf.partial_fit(X[:1], y[:1]).predict(X)
