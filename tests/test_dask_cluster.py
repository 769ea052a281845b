"""The Dask classifier on two worker processes: what travels, what is lost, memory."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("dask.array", reason="the extra dask is not installed")
distributed = pytest.importorskip(
    "distributed", reason="the extra dask is not installed"
)

import dask  # noqa: E402
import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import pandas as pd  # noqa: E402

from sksoftmax._solvers.newton import Newton  # noqa: E402
from sksoftmax.dask import (  # noqa: E402
    DaskSoftmaxRegressionClassifier,
    DaskSoftmaxRegressionClassifierCV,
)
from sksoftmax.dask.blocks import Blocks  # noqa: E402
from sksoftmax.dask.oracle import (  # noqa: E402
    PartitionedOracle,
    PartitionedStackedOracle,
)

pytestmark = pytest.mark.slow

N_PARTITIONS, N_ROWS, N_FEATURES, N_CLASSES = 8, 4000, 200, 5


@pytest.fixture
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


# Functions within functions travel themselves: workers may not find this file.


def kept_by_workers():
    """Return X and y in the memory of both workers, and wait until they are."""
    n_classes, shape = N_CLASSES, (N_ROWS, N_FEATURES)

    def rows(p):
        return np.random.RandomState(p).standard_normal(shape)

    def labels(X):
        noise = np.random.RandomState(0).standard_normal((len(X), n_classes))
        return (X[:, :n_classes] + noise).argmax(axis=1)

    X = [dask.delayed(rows)(p) for p in range(N_PARTITIONS)]
    pairs = dask.persist(*X, *(dask.delayed(labels)(block) for block in X))
    distributed.wait(distributed.futures_of(pairs), timeout=60)
    return list(pairs[:N_PARTITIONS]), list(pairs[N_PARTITIONS:])


def test_what_travels_is_sums_and_weights(client):
    X, y = kept_by_workers()
    client.run(lambda dask_worker: dask_worker.transfer_incoming_log.clear())
    clf = DaskSoftmaxRegressionClassifier(tol=1e-4, random_state=0)

    clf.fit(X, y)

    received = client.run(
        lambda dask_worker: [
            (entry["total"], list(map(str, entry["keys"])))
            for entry in dask_worker.transfer_incoming_log
        ]
    )
    messages = [message for log in received.values() for message in log]
    keys = {key for _, keys in messages for key in keys}
    square = 8 * (N_FEATURES + 1) ** 2
    labels = 8 * N_ROWS  # to where the rows are
    assert len(messages) > clf.n_passes_
    assert max(size for size, _ in messages) < max(square, labels) + 5000
    assert not any("rows" in key or "take" in key for key in keys)


def arrays():
    return da.random.random((80, 6), chunks=(20, 6)).persist()


def arrays_cut_in_columns():
    return da.random.random((80, 6), chunks=(20, 3)).persist()


def columns_of_frames():
    frame = pd.DataFrame(np.ones((80, 3)), columns=list("abc"))
    return dd.from_pandas(frame, npartitions=4).persist()[["a", "b"]]


def futures():
    return distributed.default_client().map(lambda i: np.full((20, 6), i), range(4))


@pytest.mark.parametrize(
    "kind", [arrays, arrays_cut_in_columns, columns_of_frames, futures]
)
def test_tasks_are_done_where_rows_are_kept(client, kind):
    X = kind()
    distributed.wait(distributed.futures_of(X), timeout=60)
    workers = set(client.nthreads())

    placement = Blocks(X, "X").run_pinned(lambda placement: placement.workers)

    assert len(placement) == 4
    assert set(placement) <= workers


@pytest.mark.parametrize("delay", [0.0, 0.03], ids=["between passes", "in one"])
def test_a_lost_worker_costs_time_not_the_result(client, monkeypatch, delay):
    X, y = kept_by_workers()
    clf = DaskSoftmaxRegressionClassifier(tol=1e-5, random_state=0)
    expected = clf.fit(X, y).coef_
    victim = next(iter(client.run(os.getpid).values()))
    kill = threading.Timer(delay, os.kill, (victim, signal.SIGKILL))
    hessian_product, n_products = Newton._hessian_product, 0

    def with_a_loss(self, direction):
        nonlocal n_products
        if isinstance(self._oracle, PartitionedOracle):
            n_products += 1
            if n_products == 3:
                kill.start()
        return hessian_product(self, direction)

    monkeypatch.setattr(Newton, "_hessian_product", with_a_loss)

    clf.fit(X, y)

    assert kill.finished.is_set()
    assert victim not in client.run(os.getpid).values()
    assert_allclose(clf.coef_, expected, rtol=1e-7, atol=1e-9)  # added up elsewhere


def test_a_lost_worker_does_not_change_the_choice(client, monkeypatch):
    X, y = kept_by_workers()
    fold = da.from_array(np.arange(N_PARTITIONS * N_ROWS) % 3, chunks=N_ROWS)
    clf = DaskSoftmaxRegressionClassifierCV(cv=list(fold.to_delayed()), tol=0.1)
    clf.fit(X, y)
    expected = clf.alpha_, clf.scores_, clf.coef_, clf.n_passes_
    victim = next(iter(client.run(os.getpid).values()))
    kill = threading.Timer(0.03, os.kill, (victim, signal.SIGKILL))
    evaluate, n_passes = PartitionedStackedOracle.evaluate, 0

    def with_a_loss(self, weights):
        nonlocal n_passes
        n_passes += 1
        if n_passes == 5:
            kill.start()
        return evaluate(self, weights)

    monkeypatch.setattr(PartitionedStackedOracle, "evaluate", with_a_loss)

    clf.fit(X, y)

    assert kill.finished.is_set()
    assert victim not in client.run(os.getpid).values()
    assert (clf.alpha_, clf.n_passes_) == (expected[0], expected[3])
    assert_allclose(clf.scores_, expected[1], rtol=1e-7)
    assert_allclose(clf.coef_, expected[2], rtol=1e-7, atol=1e-9)


def test_a_partition_that_ends_its_workers_ends_the_fit(client):
    class Bomb:
        @property
        def shape(self):
            os.kill(os.getpid(), signal.SIGKILL)

    X = [*map(dask.delayed, [np.eye(3)] * 3), dask.delayed(Bomb)()]
    X, y = dask.persist(X, [dask.delayed(np.arange)(3)] * 4)
    distributed.wait(distributed.futures_of(X), timeout=60)

    # Dask itself counts the losses while no worker keeps the block.
    with pytest.raises(
        (RuntimeError, distributed.scheduler.KilledWorker),
        match=r"got 4 lost workers in one pass|on 4 different workers",
    ):
        DaskSoftmaxRegressionClassifier().fit(X, y)


def test_a_pass_and_its_result_may_take_their_time(client, monkeypatch):
    X, y = kept_by_workers()
    clf = DaskSoftmaxRegressionClassifier(tol=1e-2, random_state=0)
    expected = clf.fit(X, y).coef_
    monkeypatch.setattr("sksoftmax.dask.placement._POLL_INTERVAL", 0.02)

    clf.fit(X, y)

    assert_allclose(clf.coef_, expected, rtol=1e-7, atol=1e-9)


def test_an_error_of_a_task_ends_the_fit_whatever_it_is(client):
    def too_late(X):
        raise TimeoutError("the disk did not answer")

    X, y = kept_by_workers()
    X[2] = dask.delayed(too_late)(X[2])

    with pytest.raises(TimeoutError, match="the disk did not answer"):
        DaskSoftmaxRegressionClassifier().fit(X, y)


def test_a_partition_that_cannot_be_used_ends_the_fit(client):
    X, y = kept_by_workers()
    X[5] = dask.delayed(np.full)((N_ROWS, N_FEATURES), np.nan)

    with pytest.raises(ValueError, match="Partition 5: Input X contains NaN"):
        DaskSoftmaxRegressionClassifier().fit(X, y)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
@pytest.mark.parametrize(
    ("kept", "n_partitions", "held_partitions"),
    [
        (True, 12, 0.5),  # beyond those that it keeps
        # One that is worked on. Dask computes the next ones meanwhile: 2.3 to 5.4 were
        # measured, and all of a worker's would be 12.
        (False, 24, 8.0),
    ],
    ids=["kept in memory", "computed in each pass"],
)
def test_memory_of_a_worker(client, kept, n_partitions, held_partitions):
    shape = (200_000, 100)

    def peak_of_memory():
        """Return the most bytes that this process has held since it forgot."""
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return 1024 * int(lines["VmHWM"].split()[0])

    def forget_peak():
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")

    def block(p):
        return np.random.default_rng(p).random(shape, np.float32)

    X = [dask.delayed(block)(p) for p in range(n_partitions)]
    y = [dask.delayed(lambda X: (4 * X[:, 0]).astype(int))(block) for block in X]
    if kept:
        X, y = (list(dask.persist(*blocks)) for blocks in (X, y))
        distributed.wait(distributed.futures_of([X, y]), timeout=60)
    clf = DaskSoftmaxRegressionClassifier(tol=None, max_iter=1, random_state=0)
    clf.fit(X[:2], y[:2])  # what is imported and compiled is there from now on
    client.run(forget_peak)
    before = client.run(peak_of_memory)

    clf.fit(X, y)

    partition, square, of_rows = 80e6, 4 * 101**2, 12 * shape[0] * n_partitions
    for worker, peak in client.run(peak_of_memory).items():
        held = peak - before[worker]
        assert held < held_partitions * partition + 10 * square + of_rows


@pytest.fixture
def empty_cluster(monkeypatch):
    """Yield a cluster in threads, without workers, and its client."""
    monkeypatch.setattr("sksoftmax.dask.placement._POLL_INTERVAL", 0.05)
    monkeypatch.setattr("sksoftmax.dask.placement._WORKERLESS_TIME", 0.3)
    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


def blocks_in_memory():
    X = np.random.RandomState(0).standard_normal((4, 100, 3))
    labels = X.argmax(axis=2)
    return [[dask.delayed(block) for block in blocks] for blocks in (X, labels)]


@pytest.fixture
def model():
    """Return a model that is fitted before there is a cluster."""
    return DaskSoftmaxRegressionClassifier(random_state=0).fit(*blocks_in_memory())


@pytest.mark.parametrize("method", ["fit", "score"])
def test_waiting_for_workers_warns_and_ends_when_one_starts(
    model, empty_cluster, method
):
    X, y = blocks_in_memory()
    start = threading.Timer(1.5, empty_cluster.scale, (1,))
    start.start()

    with pytest.warns(UserWarning, match=r"has had no worker for 0\.3 s") as caught:
        result = getattr(model, method)(X, y)

    start.join()
    assert len(caught) == 1
    assert result is model or result > 0.9


def test_workers_that_all_leave_are_waited_for(empty_cluster):
    empty_cluster.scale(1)
    X, y = (list(dask.persist(*blocks)) for blocks in blocks_in_memory())
    distributed.wait(distributed.futures_of([X, y]), timeout=60)
    clf = DaskSoftmaxRegressionClassifier(random_state=0)
    expected = clf.fit(X, y).coef_
    empty_cluster.scale(0)
    start = threading.Timer(3, empty_cluster.scale, (1,))
    start.start()

    with pytest.warns(UserWarning, match=r"no worker for 0\.3 s"):
        clf.fit(X, y)

    assert_allclose(clf.coef_, expected, rtol=1e-7, atol=1e-9)


def test_a_slow_pass_does_not_warn(empty_cluster, recwarn):
    empty_cluster.scale(1)
    X, y = blocks_in_memory()

    def slowly(block):
        time.sleep(0.1)
        return block

    X = [dask.delayed(slowly)(block) for block in X]

    DaskSoftmaxRegressionClassifier(tol=None, max_iter=1).fit(X, y)

    assert not [w for w in recwarn if "no worker" in str(w.message)]


def test_weights_of_any_size_travel_in_small_graphs(empty_cluster, monkeypatch):
    empty_cluster.scale(1)
    monkeypatch.setattr("sksoftmax.dask.oracle._PIECE_SIZE", 20_000)
    rng, n_features = np.random.RandomState(0), 1000
    X = rng.standard_normal((200, n_features))
    X, y = (
        [dask.delayed(X[:100]), dask.delayed(X[100:])],
        [dask.delayed(rows[:, :10].argmax(axis=1)) for rows in (X[:100], X[100:])],
    )
    X, y = (list(dask.persist(*blocks)) for blocks in (X, y))
    clf = DaskSoftmaxRegressionClassifier(random_state=0)
    threshold = {"distributed.admin.large-graph-warning-threshold": "60kB"}

    with dask.config.set(threshold), warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, y)
        clf.score(X, y)

    assert clf.coef_.nbytes > 60_000
