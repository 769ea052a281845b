"""Dense and sparse rows: the same numbers, whatever the layout."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._arrays import chunks, put_rows
from sksoftmax._data import make_data
from sksoftmax._moments import Moments, measure_moments

rng = np.random.RandomState(0)
X = rng.standard_normal((40, 30)) * (rng.uniform(size=(40, 30)) < 0.1)
ROWS = np.array([7, 3, 38])
WEIGHTS = rng.standard_normal((31, 2))
GRAD_RAW = rng.standard_normal((3, 2))

LAYOUTS = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csr_array": sp.csr_array,
    "csr_matrix": sp.csr_matrix,
    "unsorted": lambda X: unsorted(sp.csr_array(X)),
    "int64 indices": lambda X: with_int64(sp.csr_array(X)),
}


def unsorted(X):
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.indices[start:stop] = X.indices[start:stop][::-1].copy()
        X.data[start:stop] = X.data[start:stop][::-1].copy()
    X.has_sorted_indices = False
    return X


def with_int64(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@layouts
@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_products_with_a_batch(layout, compact, intercept):
    batch = make_data(layout(X), np.float64, intercept).batch(ROWS, compact)
    ones = np.ones((3, int(intercept)))
    weights, with_ones = WEIGHTS[: 30 + intercept], np.hstack([X[ROWS], ones])

    raw = batch.raw_prediction(weights[batch.active])
    grad = np.zeros_like(weights)
    grad[batch.active] = batch.gradient(GRAD_RAW)

    assert_allclose(raw, with_ones @ weights, atol=1e-14)
    assert_allclose(grad, with_ones.T @ GRAD_RAW, atol=1e-14)


def test_a_compact_batch_holds_its_own_columns_only():
    batch = make_data(sp.csr_array(X), np.float64, True).batch(ROWS)

    assert_array_equal(batch.active, [*np.flatnonzero(X[ROWS].any(axis=0)), 30])
    assert batch.X.shape == (3, len(batch.active) - 1)


def test_a_sparse_batch_leaves_no_trace_in_the_next():
    rows = make_data(sp.csr_array(X), np.float64, True)
    first = rows.batch(ROWS)
    before = first.raw_prediction(WEIGHTS[first.active])

    rows.batch(np.array([0, 1, 2]))

    assert_array_equal(first.raw_prediction(WEIGHTS[first.active]), before)


@layouts
@pytest.mark.parametrize("weighted", [True, False])
def test_moments(layout, weighted):
    weight = rng.exponential(size=40) if weighted else np.ones(40)
    weight[4] = 0

    moments = measure_moments(make_data(layout(X), np.float64, True), weight)

    mean = weight @ X / weight.sum()
    assert moments.total == pytest.approx(weight.sum())
    assert_allclose(moments.mean, mean, atol=1e-14)
    assert_allclose(moments.squares, weight @ (X - mean) ** 2, atol=1e-13)
    assert_array_equal(moments.fill_value, 0)
    assert_allclose(moments.non_fill_weight, weight @ (X != 0), atol=1e-13)


@layouts
def test_entries_that_differ_from_the_usual_value_are_counted(layout):
    weight = rng.exponential(size=40)
    weight[4] = 0
    shifted = X.copy()
    shifted[:, ::2] = np.where(rng.uniform(size=(40, 15)) < 0.2, X[:, ::2], 3.0)

    moments = measure_moments(make_data(layout(shifted), np.float64, True), weight)

    fill_value = np.tile([3.0, 0.0], 15)
    assert_array_equal(moments.fill_value, fill_value)
    assert_allclose(
        moments.non_fill_weight, weight @ (shifted != fill_value), atol=1e-13
    )


def test_few_rows_have_no_usual_values():
    data = make_data(np.ones((31, 2)), np.float64, True)

    moments = measure_moments(data, np.ones(31))

    assert_array_equal(moments.fill_value, 0)


def test_moments_far_from_zero_keep_their_digits_in_float32():
    far = (1e5 + rng.uniform(size=(5000, 2))).astype(np.float32)

    data = make_data(far, np.float32, True)

    moments = measure_moments(data, np.ones(5000, np.float32))

    variance = far.astype(np.float64).var(axis=0)
    assert_allclose(moments.squares / 5000, variance, rtol=1e-4)
    assert_allclose(moments.mean, far.astype(np.float64).mean(axis=0), rtol=1e-9)


def test_moments_of_parts_merge_to_those_of_the_whole():
    weight = rng.exponential(size=40)
    rows = [make_data(part, np.float64, True) for part in (X[:11], X[11:], X)]

    first, second, whole = (
        measure_moments(part, w, np.zeros(30))
        for part, w in zip(rows, (weight[:11], weight[11:], weight), strict=True)
    )

    for merged, expected in zip(first.merge(second), whole, strict=True):
        assert_allclose(merged, expected, atol=1e-13)


def test_rows_without_weight_do_not_move_the_moments():
    some = measure_moments(make_data(X, np.float64, True), np.ones(40))
    none = Moments(0.0, np.full(30, 5.0), *np.zeros((3, 30)))

    for merged, expected in zip(some.merge(none), some, strict=True):
        assert_array_equal(merged, expected)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.bool_])
def test_integers_are_cast_by_the_batch(layout, kind):
    counts = rng.randint(2, size=(40, 30)).astype(kind)
    rows = make_data(layout(counts), np.float32, True)

    batch = rows.batch(ROWS, compact=False)

    assert rows.X.dtype == kind
    assert batch.X.dtype == np.float32
    assert_array_equal(sp.csr_array(batch.X).toarray(), counts[ROWS])


@layouts
@pytest.mark.parametrize("compact", [True, False])
def test_centering_equals_centered_features(layout, compact):
    far, center = X.copy(), np.zeros(30)
    far[:, 4] += 5
    center[4] = far[:, 4].mean()
    rows = make_data(layout(far), np.float64, True)
    rows.set_center(center)
    batch = rows.batch(ROWS, compact)
    centered = np.hstack([far[ROWS] - center, np.ones((3, 1))])

    grad = np.zeros_like(WEIGHTS)
    grad[batch.active] = batch.gradient(GRAD_RAW)

    raw = batch.raw_prediction(WEIGHTS[batch.active])
    assert_allclose(raw, centered @ WEIGHTS, atol=1e-12)
    assert_allclose(grad, centered.T @ GRAD_RAW, atol=1e-12)
    scale = np.full((31, 1), 2.0)
    scale[30] = 1
    assert_allclose(
        rows.batch(ROWS, compact=False).scaled(scale),
        centered / scale[:, 0],
        atol=1e-12,
    )


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_scaled_rows_have_a_column_of_ones(layout):
    scale = rng.uniform(1, 2, size=(31, 1))
    scale[30] = 1

    scaled = make_data(layout(X), np.float64, True)
    scaled = scaled.batch(ROWS, compact=False).scaled(scale)

    assert_allclose(scaled, np.hstack([X[ROWS], np.ones((3, 1))]) / scale[:, 0])


def test_parts_cover_everything_once():
    numbers = np.arange(3, 25)

    assert_array_equal(np.concatenate(list(chunks(numbers, 5))), numbers)
    assert [(p.start, p.stop) for p in chunks(slice(3, 9), 4)] == [(3, 7), (7, 9)]


@pytest.mark.parametrize("n_columns", [1, 3])
def test_put_sets_whole_rows(n_columns):
    array = rng.standard_normal((40, n_columns)).astype(np.float32)
    columns, values = np.array([0, 7, 39]), np.ones((3, n_columns), np.float32)
    expected = array.copy()
    expected[columns] = values

    put_rows(array, columns, values)

    assert_array_equal(array, expected)


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_batch_of_features_has_their_products_alone(layout, fit_intercept):
    rows = make_data(layout(X), np.float64, fit_intercept)
    center = np.zeros(30)
    center[[4, 9, 20]] = 2.0, -1.0, 3.0
    rows.set_center(center)
    features = np.array([1, 4, 5, 20, 29])
    kept = np.append(features, 30)[: 5 + fit_intercept]
    weights = np.zeros_like(WEIGHTS)[: 30 + fit_intercept]
    weights[kept] = WEIGHTS[kept]
    whole = rows.batch(ROWS, compact=False)

    batch = rows.make_feature_batch(ROWS, features)

    assert_array_equal(batch.active, kept)
    raw = batch.raw_prediction(weights[kept])
    assert_allclose(raw, whole.raw_prediction(weights), atol=1e-12)
    grad = whole.gradient(GRAD_RAW)[kept]
    assert_allclose(batch.gradient(GRAD_RAW), grad, atol=1e-12)
    scale = rng.uniform(1, 2, size=(30 + fit_intercept, 1))
    assert_allclose(batch.scaled(scale), whole.scaled(scale)[:, kept], atol=1e-12)
