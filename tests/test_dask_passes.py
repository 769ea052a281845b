"""Blocks that are loaded again in each pass: the same rows, or an error."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone

dask = pytest.importorskip("dask", reason="the extra dask is not installed")
da = pytest.importorskip("dask.array", reason="the extra dask is not installed")
pd = pytest.importorskip("pandas")

from sksoftmax.dask import DaskSoftmaxRegressionClassifier  # noqa: E402
from sksoftmax.dask.blocks import Blocks  # noqa: E402
from sksoftmax.dask.placement import WorkerLost  # noqa: E402
from sksoftmax.dask.sketch import Sketch  # noqa: E402

N_ROWS, N_FEATURES, N_PARTITIONS, CHANGED = 400, 6, 4, 2


@pytest.fixture(autouse=True)
def _one_task_at_a_time():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_PARTITIONS, N_ROWS, N_FEATURES))
    X *= rng.uniform(size=X.shape) < 0.7
    y = (X[..., :3] + 0.3 * rng.gumbel(size=(*X.shape[:2], 3))).argmax(axis=2)
    return X, y, rng.uniform(0.5, 1, y.shape)


class Source:
    """Blocks that are loaded in each pass, and change in load number `first`."""

    def __init__(self, blocks, change, first, convert=np.asarray):
        self._blocks, self._change, self._first = blocks, change, first
        self._convert, self.n_loads = convert, 0

    def __call__(self, p):
        block = self._blocks[p].copy()
        if p == CHANGED:
            self.n_loads += 1
            if self.n_loads >= self._first:
                block = self._change(block)
        return self._convert(block)

    def delayed(self):
        task = dask.delayed(self, pure=False, traverse=False)
        return [task(p) for p in range(N_PARTITIONS)]


def in_memory(blocks):
    return [dask.delayed(block, traverse=False) for block in blocks]


def another_order(block):
    return np.random.default_rng(1).permutation(block)


def reversed_rows(block):
    return block[::-1].copy()


def rolled(block):
    return np.roll(block, 1, axis=0)


def two_rows_swapped(block):
    block[[10, 11]] = block[[11, 10]]
    return block


def other_rows(block):
    return np.random.default_rng(1).standard_normal(block.shape)


def other_order_of_columns(block):
    return block[:, ::-1].copy()


def more_rows(block):
    return np.concatenate([block, block[:1]])


def fewer_rows(block):
    return block[:-1]


def no_rows(block):
    return block[:0]


def fewer_columns(block):
    return block[:, :-1]


def one_number(block):
    block[123, 4] += 1
    return block


CHANGES = [
    another_order,
    reversed_rows,
    rolled,
    two_rows_swapped,
    other_rows,
    other_order_of_columns,
    more_rows,
    fewer_rows,
    no_rows,
    fewer_columns,
    one_number,
]


def csr_with_duplicates(X):
    """Return X with each number as the sum of two, in descending order of columns."""
    X = sp.csr_array(X[:, ::-1])
    indices = np.repeat(X.shape[1] - 1 - X.indices, 2)
    return sp.csr_array((np.repeat(X.data / 2, 2), indices, 2 * X.indptr), X.shape)


CONVERTERS = {
    "dense": np.asarray,
    "float32": np.float32,
    "integers": lambda X: np.round(100 * X).astype(int),
    "csr": sp.csr_array,
    "csr with duplicates": csr_with_duplicates,
    "csc": sp.csc_array,
    "frame": pd.DataFrame,
}


@pytest.mark.parametrize("first", [2, 3, 4, 8])
@pytest.mark.parametrize("convert", CONVERTERS.values(), ids=list(CONVERTERS))
@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_changed_rows_of_x_end_the_fit(data, change, convert, first):
    X, y, _ = data
    source = Source(X, change, first, convert)
    clf = DaskSoftmaxRegressionClassifier(tol=1e-6, random_state=0)

    with pytest.raises(ValueError, match=r"Partition 2: X must hold the same rows"):
        clf.fit(source.delayed(), in_memory(y))

    assert source.n_loads == first
    assert not hasattr(clf, "coef_")


@pytest.mark.parametrize("letters", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        another_order,
        reversed_rows,
        rolled,
        two_rows_swapped,
        more_rows,
        fewer_rows,
        no_rows,
        lambda y: (y + 1) % 3,
        lambda y: y + 1,
        lambda y: np.zeros_like(y),
    ],
)
def test_changed_labels_end_the_fit(data, change, letters):
    X, y, _ = data
    y[CHANGED, 10], y[CHANGED, 11] = 0, 1
    convert = np.array(list("abcd")).take if letters else np.asarray
    source = Source(y, change, 2, convert)

    with pytest.raises(ValueError, match=r"Partition 2: y must hold the same"):
        DaskSoftmaxRegressionClassifier().fit(in_memory(X), source.delayed())


def test_labels_of_one_class_that_become_another_class_end_the_fit(data):
    X, y, _ = data
    y[CHANGED] = 0
    source = Source(y, lambda y: y + 1, 2)

    with pytest.raises(ValueError, match=r"Partition 2: y must hold the same"):
        DaskSoftmaxRegressionClassifier().fit(in_memory(X), source.delayed())


@pytest.mark.parametrize(
    "change", [another_order, reversed_rows, two_rows_swapped, fewer_rows, no_rows]
)
def test_changed_weights_end_the_fit(data, change):
    X, y, weight = data
    source = Source(weight, change, 2)

    with pytest.raises(ValueError, match="Partition 2: sample_weight must hold the"):
        DaskSoftmaxRegressionClassifier().fit(
            in_memory(X), in_memory(y), source.delayed()
        )


@pytest.mark.parametrize("first", [2, 3, 4, 8])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("n_rows", [400, 40_000])
def test_a_missing_value_that_appears_later_ends_the_fit(n_rows, convert, first):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_PARTITIONS, n_rows, N_FEATURES))
    y = (X[..., :3] + 0.3 * rng.gumbel(size=(*X.shape[:2], 3))).argmax(axis=2)

    def change(block):
        block[n_rows // 2 + 7, 3] = np.nan
        return block

    source = Source(X, change, first, convert)

    with pytest.raises(ValueError, match=r"Partition 2: X must hold the same rows"):
        DaskSoftmaxRegressionClassifier(tol=1e-6, random_state=0).fit(
            source.delayed(), in_memory(y)
        )


def test_rows_of_a_random_order_are_refused_with_the_way_out(data):
    X, y, _ = data

    def load(p):
        order = np.random.default_rng().permutation(N_ROWS)
        return X[p][order], y[p][order]

    pairs = [
        dask.delayed(load, pure=False, nout=2)(p, dask_key_name=f"load-{p}")
        for p in range(N_PARTITIONS)
    ]

    with pytest.raises(ValueError, match=r"Partition \d: .* dask\.persist\(X, y\)"):
        DaskSoftmaxRegressionClassifier().fit(*zip(*pairs, strict=True))

    kept = dask.persist([X for X, _ in pairs], [y for _, y in pairs])
    clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(*kept)
    steady = clone(clf).fit(in_memory(X), in_memory(y))
    assert abs(clf.score(*kept) - steady.score(*kept)) < 0.01


@pytest.mark.parametrize("convert", CONVERTERS.values(), ids=list(CONVERTERS))
def test_the_same_rows_are_no_change(data, convert):
    X, y, weight = data
    clf = DaskSoftmaxRegressionClassifier(tol=1e-4, random_state=0)
    sources = [Source(X, lambda block: block, 1, convert)]
    sources += [Source(values, lambda block: block, 1) for values in (y, weight)]
    expected = clone(clf).fit(
        [dask.delayed(convert(b), traverse=False) for b in X],
        in_memory(y),
        in_memory(weight),
    )

    clf.fit(*(source.delayed() for source in sources))

    assert_array_equal(clf.coef_, expected.coef_)
    assert clf.n_passes_ == sources[0].n_loads


def test_random_arrays_are_the_same_in_each_pass():
    X = da.random.default_rng(0).standard_normal((400, 5), chunks=(100, 5))
    y = (X[:, 0] > 0).astype(int)

    clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(X, y)

    assert clf.score(X, y) > 0.95


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_errors_and_memory_layout_are_no_change(data, dtype):
    X, y, _ = data
    A = np.random.default_rng(0).standard_normal((N_FEATURES, N_FEATURES))
    X, A = X.astype(dtype), A.astype(dtype)
    orders = iter(
        [
            np.arange(N_FEATURES),
            *[np.roll(range(N_FEATURES), k) for k in (1, 3, 2)] * 50,
        ]
    )

    def product(block):
        order = next(orders)
        return np.asfortranarray(block[:, order] @ A[order])

    source = Source(X, product, 1)
    distinct = {product(X[0]).tobytes() for _ in range(4)}

    clf = DaskSoftmaxRegressionClassifier(random_state=0).fit(
        source.delayed(), in_memory(y)
    )

    assert len(distinct) > 1
    assert clf.n_passes_ == source.n_loads


@pytest.mark.parametrize("n_allowed", [1, 3])
def test_a_block_that_loses_its_worker_too_often_ends_the_pass(n_allowed):
    n_repetitions = 0

    def work(placement):
        nonlocal n_repetitions
        n_repetitions += 1
        raise WorkerLost([2, 7, 7 + n_repetitions])

    blocks = Blocks(in_memory(np.eye(8)), "X")
    message = rf"got {n_allowed + 1} lost .* with the partitions \[2 7\]\. Cut X into"

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": n_allowed}),
        pytest.raises(RuntimeError, match=message),
    ):
        blocks.run_pinned(work)

    assert n_repetitions == n_allowed + 1


def test_losses_of_other_blocks_do_not_end_the_pass():
    losses = iter(range(8))

    def work(placement):
        for p in losses:
            raise WorkerLost([p])
        return "done"

    assert Blocks(in_memory(np.eye(8)), "X").run_pinned(work) == "done"


def is_unchanged(before, after):
    try:
        Sketch.measure(before).check(after, "X")
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_numbers_of_any_size_are_compared(size):
    X = size * np.random.default_rng(0).standard_normal((300, 4))

    assert is_unchanged(X, X.copy())
    assert not is_unchanged(X, X[::-1])
    assert not is_unchanged(X, 1.001 * X)


def test_sums_that_overflow_are_no_change():
    X = np.array([[1e308, -1e308]] * 30)

    with np.errstate(all="ignore"):
        assert is_unchanged(X, X.copy())


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("shape", [(100_000, 30), (3000, 2000), (20, 30_000), (5, 1)])
def test_blocks_of_any_shape_are_compared(shape, convert):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) * (rng.uniform(size=shape) < 0.1)
    X[0, 0] = 1

    assert is_unchanged(convert(X), convert(X))
    assert not is_unchanged(convert(X), convert(rng.permutation(X)))
    assert not is_unchanged(convert(X), convert(np.roll(X, 1, axis=0)))
    assert not is_unchanged(convert(X), convert(X[:-1]))


def test_rows_without_stored_numbers_are_compared():
    empty = sp.csr_array((30, 4))
    one = sp.csr_array(([1.0], ([7], [2])), shape=(30, 4))
    another = sp.csr_array(([1.0], ([8], [2])), shape=(30, 4))

    assert is_unchanged(empty, empty)
    assert not is_unchanged(one, empty)
    assert not is_unchanged(one, another)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_the_smallest_integer_is_no_change(data, dtype):
    X, y, _ = data
    X = (20 * X).clip(-100, 100).astype(dtype)
    X[:, ::50] = np.iinfo(dtype).min  # rows that prevail in the sums
    X, y = (blocks.reshape(N_PARTITIONS * N_ROWS, -1) for blocks in (X, y))

    clf = DaskSoftmaxRegressionClassifier(alpha=1.0).fit(
        da.from_array(X, chunks=(N_ROWS, -1)), da.from_array(y[:, 0], chunks=N_ROWS)
    )

    assert np.isfinite(clf.coef_).all()
