"""One limit at a time, and all threads back after it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import ThreadpoolController

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._problem import Problem
from sksoftmax._threads import threads_for


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


def test_small_products_get_one_thread_and_then_all_again():
    with threads_for(99_000, large=100_000):
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_large_products_keep_all_threads():
    with threads_for(100_000, large=100_000):
        assert n_threads() == {2}


def test_tiny_products_do_not_ask():
    with threads_for(100, large=100_000):
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


def test_an_error_lifts_the_limit():
    with pytest.raises(KeyError), threads_for(10_000, large=20_000):
        raise KeyError
    assert n_threads() == {2}


def test_overlapping_limits_leave_all_threads():
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with threads_for(10_000, large=20_000):
            first_in.set()
            assert second_in.wait(10)
            assert n_threads() == {1}
        first_out.set()

    def second():
        assert first_in.wait(10)
        with threads_for(10_000, large=20_000):
            second_in.set()
            assert first_out.wait(10)
            assert n_threads() == {1}

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(task) for task in (first, second)]:
            work.result(20)
        assert n_threads() == {2}


def test_a_limit_within_a_limit_lasts_as_long_as_that():
    with threads_for(10_000, large=20_000):
        with threads_for(10_000, large=20_000):
            assert n_threads() == {1}
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_the_limit_of_a_pool_is_not_that_of_blas():
    class Pool:
        n_threads = 4

        def get_num_threads(self):
            return self.n_threads

        def set_num_threads(self, n_threads):
            self.n_threads = n_threads

    pool = Pool()

    with threads_for(100_000, large=100_000, pools=(pool,)):
        assert (pool.n_threads, n_threads()) == (1, {2})
        with threads_for(10_000, large=20_000):  # as where a matrix is inverted
            assert (pool.n_threads, n_threads()) == (1, {1})
    assert (pool.n_threads, n_threads()) == (4, {2})
