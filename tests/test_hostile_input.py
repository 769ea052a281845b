"""Every kind of hostile data: a finite model, or an error that names the cause.

Nothing hangs, warns or changes what it was given, and an error leaves the estimator as
it was, to the bit.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.base import clone

from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)

SETTINGS = {
    "defaults": {},
    "batches of 3": {"batch_size": 3},
    "svrg": {"solver": "svrg", "batch_size": 5},
    "elastic net": {"l1_ratio": 0.5, "batch_size": 3},
    "constant": {"learning_rate": "constant", "eta0": 0.01},
    "diagonal": {"preconditioner": "diagonal"},
    "no penalty": {"alpha": 0},
    "no intercept": {"fit_intercept": False},
}
Y = np.arange(12) % 3
LETTERS = np.array(["a", "b", "c"])[Y]


def rows(n_rows=12, n_columns=3, dtype=float):
    """Return random rows, a new array each time."""
    return np.random.RandomState(0).standard_normal((n_rows, n_columns)).astype(dtype)


def counts(dtype):
    return np.random.RandomState(0).randint(0, 3, (12, 3)).astype(dtype)


def with_value(value, X=None, at=(7, 2)):
    X = rows() if X is None else X
    X[at] = value
    return X


def ones_but(value):
    weight = np.ones(12)
    weight[7] = value
    return weight


def unaligned(dtype):
    X = rows().astype(dtype)
    moved = np.empty(X.nbytes + 1, np.uint8)[1:].view(dtype).reshape(X.shape)
    moved[...] = X
    return moved


def read_only(array):
    array.flags.writeable = False
    return array


def sparse(change=None, convert=sp.csr_array):
    """Return CSR data with about half of the values, changed in place, converted."""
    X = sp.csr_array(np.maximum(rows(), 0))
    if change is not None:
        change(X)
    return convert(X)


def stored(change, dtype=None):
    """Return what changes the stored values of CSR data."""

    def change_data(X):
        X.data = change(X.data) if dtype is None else X.data.astype(dtype)

    return lambda: sparse(change_data)


def with_stored(value, place=-1):
    def change(data):
        data[::2] = 0
        data[place] = value
        return data

    return stored(change)


def twice(X):
    """Store each value as two halves."""
    entries = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    return sp.csr_array(entries, shape=X.shape)


def unsorted(X):
    entries = [X.indices.copy(), X.data.copy()]
    for array in entries:
        for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
            array[start:stop] = array[start:stop][::-1].copy()
    return sp.csr_array((entries[1], entries[0], X.indptr), shape=X.shape)


def with_wide_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def frozen(X):
    for array in (X.data, X.indices, X.indptr):
        read_only(array)
    return X


def with_unused_tail(X):
    """Append room for more values, as CSR data may have, holding NaN."""
    X.data = np.append(X.data, [np.nan] * 3)
    X.indices = np.append(X.indices, np.array([0, 0, 99], X.indices.dtype))
    return X


def matrix():
    with pytest.warns(PendingDeprecationWarning):
        return np.matrix(rows())


class Either(NamedTuple):
    """A finite model is as good as an error with this message."""

    message: str


FINITE = None
ONE_CLASS = "got one class"
SHAPE = "Expected 2D (array|input), got"
LARGE = "values too large to train on in float"
NAN = "contains NaN"
INFINITE = "contains infinity"
LENGTHS = "inconsistent numbers of samples"
COMPLEX = "Complex data not supported"
NO_NUMBERS = "X must hold numbers, got text in row .*: could not convert"
NO_NUMBER = "X must hold numbers, got a value of type"
NO_ROWS = "X must be an array, a data frame or a list of rows, got an object of type"
DATES = "X must hold numbers, got dates or times"
UNKNOWN = "Unknown label type"
SUMS = "probabilities of the classes, at least 0 and summing to one"
MISSING_LABEL = "y must not hold missing labels, got a missing label in row"
ALL_TEXT = "y must hold labels that are all text or all numbers, got objects of "
NO_WEIGHT = r"sample_weight \(times class_weight\) must be positive"

# name: (a function that returns what is unusual in fit's arguments, what is expected)
SHAPES = {
    "one row": (lambda: {"X": rows(1), "y": [0]}, ONE_CLASS),
    "two rows": (lambda: {"X": rows(2), "y": [0, 1]}, FINITE),
    "one column": (lambda: {"X": rows(12, 1)}, FINITE),
    "wide": (lambda: {"X": rows(4, 300), "y": [0, 1, 2, 0]}, FINITE),
    "tall": (lambda: {"X": rows(300, 1)}, FINITE),
    "zero rows": (lambda: {"X": rows(0), "y": []}, "0 sample"),
    "zero columns": (lambda: {"X": rows(12, 0)}, "0 feature"),
    "nothing": (lambda: {"X": rows(0, 0), "y": []}, "0 sample"),
    "3-D": (
        lambda: {"X": rows().reshape(12, 3, 1)},
        r"shape \(12, 3, 1\).*Flatten images with X.reshape\(n_samples, -1\)",
    ),
    "4-D": (lambda: {"X": rows().reshape(12, 3, 1, 1)}, r"shape \(12, 3, 1, 1\)"),
    "1-D": (lambda: {"X": rows()[:, 0]}, SHAPE),
    "0-D": (lambda: {"X": np.array(1.0), "y": [0]}, SHAPE),
    "number": (lambda: {"X": 1.0, "y": [0]}, SHAPE),
    "None": (lambda: {"X": None}, NO_ROWS + " NoneType"),
    "text": (lambda: {"X": "hello"}, NO_ROWS + " str"),
    "dict": (lambda: {"X": {"a": 1}}, NO_ROWS + " dict"),
    "set": (lambda: {"X": {1, 2}}, NO_ROWS + " set"),
    "lists": (lambda: {"X": rows().tolist()}, FINITE),
    "ragged lists": (
        lambda: {"X": [[1, 2], [3]] * 6},
        "same number of features in each row, got 2 in row 0 and 1 in row 1",
    ),
    "short y": (lambda: {"y": Y[:11]}, LENGTHS),
    "long y": (lambda: {"y": np.arange(13) % 3}, LENGTHS),
    "empty y": (lambda: {"y": []}, LENGTHS),
}
DTYPES = {
    **{
        f"dtype {dtype}": (lambda dtype=dtype: {"X": rows(dtype=dtype)}, FINITE)
        for dtype in ("e", "f", "d", "g", ">f2", ">f4", ">f8")
    },
    **{
        f"dtype {dtype}": (lambda dtype=dtype: {"X": counts(dtype)}, FINITE)
        for dtype in ["?", *"bBhHiIlLqQ", ">i2", ">u4", ">i8"]
    },
    **{
        f"dtype {dtype}": (lambda dtype=dtype: {"X": rows(dtype=dtype)}, COMPLEX)
        for dtype in "FDG"
    },
    "numbers as objects": (lambda: {"X": rows(dtype=object)}, FINITE),
    "text of numbers": (lambda: {"X": rows().astype(str)}, Either(NO_NUMBERS)),
    "text of numbers among objects": (
        lambda: {"X": with_value("1.5", rows(dtype=object))},
        Either(NO_NUMBERS),
    ),
    "None among objects": (lambda: {"X": with_value(None, rows(dtype=object))}, NAN),
    "text among objects": (
        lambda: {"X": with_value("red", rows(dtype=object))},
        NO_NUMBERS,
    ),
    "a dict among objects": (
        lambda: {"X": with_value({}, rows(dtype=object))},
        NO_NUMBER + " dict in row 7 of column 2",
    ),
    "a complex number among objects": (
        lambda: {"X": with_value(1j, rows(dtype=object))},
        NO_NUMBER + " complex in row 7 of column 2",
    ),
    "10**30 among objects": (
        lambda: {"X": with_value(10**30, rows(dtype=object))},
        FINITE,
    ),
    "10**400 among objects": (
        lambda: {"X": with_value(10**400, rows(dtype=object))},
        "too large",
    ),
    "strings": (
        lambda: {"X": np.array([["red"] * 3] * 12)},
        NO_NUMBERS + ".*TfidfVectorizer.*OneHotEncoder",
    ),
    "bytes": (lambda: {"X": np.array([[b"red"] * 3] * 12)}, NO_NUMBERS),
    "dates": (lambda: {"X": counts("M8[s]")}, DATES),
    "durations": (lambda: {"X": counts("m8[s]")}, DATES),
    "one field": (lambda: {"X": np.zeros((12, 3), [("a", float)])}, Either("cast")),
    "records": (lambda: {"X": np.zeros(12, "f8, f8")}, "Cannot cast .* to .*float64"),
    "void": (lambda: {"X": np.zeros((12, 3), "V8")}, "setting an array element"),
}
LAYOUTS = {
    "rows backwards": (lambda: {"X": rows()[::-1]}, FINITE),
    "columns backwards": (lambda: {"X": rows()[:, ::-1]}, FINITE),
    "one row broadcast": (lambda: {"X": np.broadcast_to(rows(1), (12, 3))}, FINITE),
    "one column broadcast": (
        lambda: {"X": np.broadcast_to(rows(12, 1), (12, 3))},
        FINITE,
    ),
    "one number broadcast": (lambda: {"X": np.broadcast_to(2.5, (12, 3))}, FINITE),
    "overlapping windows": (
        lambda: {"X": np.lib.stride_tricks.sliding_window_view(rows(14, 1)[:, 0], 3)},
        FINITE,
    ),
    "every other": (lambda: {"X": rows(24, 6)[::2, ::2]}, FINITE),
    "by column": (lambda: {"X": np.asfortranarray(rows())}, FINITE),
    "by column, swapped": (lambda: {"X": rows(dtype=">f4").copy("F")}, FINITE),
    "read-only": (lambda: {"X": read_only(rows())}, FINITE),
    "unaligned": (lambda: {"X": unaligned("f8")}, FINITE),
    "unaligned float32": (lambda: {"X": unaligned("f4")}, FINITE),
    "unaligned, swapped": (lambda: {"X": unaligned(">i2")}, FINITE),
    "masked": (lambda: {"X": np.ma.masked_less(rows(), -1)}, Either("mask")),
    "np.matrix": (lambda: {"X": matrix()}, "np.matrix is not supported"),
}
SIZES = {
    **{
        f"times {factor} in {dtype}": (
            lambda factor=factor, dtype=dtype: {"X": (factor * rows()).astype(dtype)},
            expected,
        )
        for dtype, of_dtype in {
            "f4": {
                1e30: Either(LARGE),  # all rows in one batch are cast to float64
                1e15: FINITE,
                1e-30: FINITE,
                1e-40: FINITE,
                1e-45: FINITE,
            },
            "f8": {
                1e300: LARGE,
                1e150: FINITE,
                1e-300: FINITE,
                5e-324: FINITE,
            },
            "f2": {2e4: FINITE, 6e-8: FINITE},
        }.items()
        for factor, expected in of_dtype.items()
    },
    **{
        f"largest {dtype}": (
            lambda dtype=dtype: {"X": np.sign(rows(dtype=dtype)) * np.finfo(dtype).max},
            expected,
        )
        for dtype, expected in {
            "f2": FINITE,
            "f4": Either(LARGE),
            "f8": LARGE,
        }.items()
    },
    **{
        f"one value {value}": (lambda value=value: {"X": with_value(value)}, expected)
        for value, expected in {
            1e300: LARGE,
            1e150: FINITE,
            -1e100: FINITE,
            5e-324: FINITE,
        }.items()
    },
    "long double 1e4000": (
        lambda: {"X": with_value(np.longdouble("1e4000"), rows(dtype="g"))},
        INFINITE if np.finfo("g").max > np.finfo("d").max else Either(INFINITE),
    ),
    "largest integers": (
        lambda: {"X": np.where(rows() > 0, 2**63 - 1, -(2**63))},
        FINITE,
    ),
    "largest unsigned": (
        lambda: {"X": np.where(rows() > 0, np.uint64(2**64 - 1), np.uint64(0))},
        FINITE,
    ),
    "many scales": (lambda: {"X": rows(12, 5) * [1e150, 1, 1e-150, 1e-300, 0]}, FINITE),
    "far from zero": (lambda: {"X": rows() + 1e15}, FINITE),
    "far from zero in float32": (
        lambda: {"X": (rows() + 1e8).astype(np.float32)},
        FINITE,
    ),
    "a constant column": (lambda: {"X": with_value(3.0, at=(slice(None), 1))}, FINITE),
    "constant": (lambda: {"X": np.full((12, 3), 7.0)}, FINITE),
    "constant 1e300": (lambda: {"X": np.full((12, 3), 1e300)}, LARGE),
    "constant 1e-300": (lambda: {"X": np.full((12, 3), 1e-300)}, FINITE),
    "all zero": (lambda: {"X": np.zeros((12, 3))}, FINITE),
    "one row twelve times": (lambda: {"X": np.repeat(rows(1), 12, axis=0)}, FINITE),
    "rows four times": (
        lambda: {"X": np.repeat(rows(3), 4, axis=0), "y": np.repeat([0, 1, 2], 4)},
        FINITE,
    ),
    "one column five times": (lambda: {"X": np.repeat(rows(12, 1), 5, 1)}, FINITE),
    "a row a class": (lambda: {"y": np.arange(12)}, FINITE),
    "separable": (lambda: {"X": np.eye(3)[Y]}, FINITE),
    "two separable": (
        lambda: {"X": np.linspace(-1, 1, 12)[:, None], "y": np.arange(12) // 6},
        FINITE,
    ),
    "tiny and separable": (
        lambda: {
            "X": 1e-200 * np.linspace(-1, 1, 12)[:, None],
            "y": np.arange(12) // 6,
        },
        FINITE,
    ),
    "huge and separable": (
        lambda: {"X": 1e140 * np.linspace(-1, 1, 12)[:, None], "y": np.arange(12) // 6},
        FINITE,
    ),
}
MISSING = {
    "NaN": (lambda: {"X": with_value(np.nan)}, NAN),
    "NaN in float16": (lambda: {"X": with_value(np.nan, rows(dtype="e"))}, NAN),
    "NaN, swapped": (lambda: {"X": with_value(np.nan, rows(dtype=">f4"))}, NAN),
    "NaN in the last place": (lambda: {"X": with_value(np.nan, at=(-1, -1))}, NAN),
    "NaN alone": (lambda: {"X": np.full((12, 3), np.nan)}, NAN),
    "NaN without weight": (
        lambda: {"X": with_value(np.nan), "sample_weight": ones_but(0)},
        NAN,
    ),
    "infinity": (lambda: {"X": with_value(np.inf)}, INFINITE),
    "minus infinity": (lambda: {"X": with_value(-np.inf)}, INFINITE),
    "infinity in float16": (
        lambda: {"X": with_value(np.inf, rows(dtype="e"))},
        INFINITE,
    ),
    "both infinities": (
        lambda: {"X": with_value(np.inf, with_value(-np.inf, at=(6, 2)))},
        INFINITE,
    ),
}
FORMATS = ["coo", "csc", "csr", "bsr", "dia", "dok", "lil"]
SPARSE = {
    **{
        f"{name}_{kind}": (
            lambda name=name, kind=kind: {
                "X": sparse(convert=getattr(sp, f"{name}_{kind}"))
            },
            FINITE,
        )
        for name in FORMATS
        for kind in ("array", "matrix")
    },
    **{
        f"{name} with NaN": (
            lambda name=name: {"X": with_stored(np.nan)().asformat(name)},
            NAN,
        )
        for name in FORMATS
    },
    **{
        f"CSR of {dtype}": (lambda dtype=dtype: {"X": stored(None, dtype)()}, expected)
        for dtype, expected in {
            "f2": Either("float16|Output dtype"),
            "f4": FINITE,
            ">f4": FINITE,
            ">f8": FINITE,
            "b": FINITE,
            "?": FINITE,
            "Q": FINITE,
            ">i4": FINITE,
            "g": FINITE,
            "O": Either("object"),
            "D": COMPLEX,
        }.items()
    },
    **{
        f"CSR {name}": (lambda change=change: {"X": sparse(convert=change)}, expected)
        for name, (change, expected) in {
            "unsorted": (unsorted, FINITE),
            "with duplicates": (twice, FINITE),
            "unsorted, with duplicates": (lambda X: twice(unsorted(X)), FINITE),
            "with int64 indices": (with_wide_indices, FINITE),
            "with int64 indices and duplicates": (
                lambda X: with_wide_indices(twice(X)),
                FINITE,
            ),
            "read-only": (frozen, FINITE),
            "read-only, with duplicates": (lambda X: frozen(twice(X)), FINITE),
            "with an unused tail": (with_unused_tail, Either(NAN)),
            "times 1e300": (lambda X: X * 1e300, LARGE),
            "times 1e150": (lambda X: X * 1e150, FINITE),
            "times 5e-324": (lambda X: X * 5e-324, FINITE),
            "times 1e30 in float32": (
                lambda X: (X * 1e30).astype("f4"),
                Either(LARGE),
            ),
            "of nothing": (lambda X: sp.csr_array((12, 3)), FINITE),
            "of no rows": (lambda X: X[:0], "0 sample|" + LENGTHS),
            "of no columns": (lambda X: sp.csr_array((12, 0)), "0 feature"),
            "of 10000 columns": (
                lambda X: sp.hstack([X, sp.csr_array((12, 9997))], "csr"),
                FINITE,
            ),
        }.items()
    },
    "explicit zeros": (lambda: {"X": with_stored(0)()}, FINITE),
    "NaN among explicit zeros": (lambda: {"X": with_stored(np.nan, 2)()}, NAN),
    "infinity among explicit zeros": (
        lambda: {"X": with_stored(np.inf, 2)()},
        INFINITE,
    ),
    "infinity as the last value": (lambda: {"X": with_stored(-np.inf)()}, INFINITE),
    "infinities that cancel": (
        lambda: {
            "X": sp.csr_array(
                ([np.inf, -np.inf, 1], [0, 0, 1], [0, 3] + [3] * 11), shape=(12, 3)
            )
        },
        INFINITE,
    ),
    "duplicates whose sum overflows": (
        lambda: {
            "X": sp.csr_array(
                ([1e308, 1e308, 1], [0, 0, 1], [0, 3] + [3] * 11), shape=(12, 3)
            )
        },
        f"{LARGE}|{INFINITE}",
    ),
    "COO with duplicates": (
        lambda: {
            "X": sp.coo_array(
                (np.ones(24), (np.arange(24) // 2, np.arange(24) % 4 // 2)), (12, 3)
            )
        },
        FINITE,
    ),
    "1-D COO": (
        lambda: {"X": sp.coo_array(rows()[:, 0])},
        f"{SHAPE}|{LENGTHS}|{ONE_CLASS}",
    ),
}
LENGTH = r"sample_weight.shape == \(1[13],\), expected \(12,\)"
WEIGHTS = {
    f"weights: {name}": (lambda value=value: {"sample_weight": value}, expected)
    for name, (value, expected) in {
        "integers": (np.arange(12), FINITE),
        "bool": (np.arange(12) % 5 > 0, FINITE),
        "float16": (np.ones(12, "e"), FINITE),
        "list": ([1.0] * 12, FINITE),
        "number": (2.0, FINITE),
        "zero for all": (0.0, NO_WEIGHT),
        "minus one for all": (-1.0, "Negative values in data passed to `sample_weight"),
        "NaN for all": (np.nan, "sample_weight.*NaN"),
        "infinity for all": (np.inf, "sample_weight.*inf"),
        "0-D": (np.array(2.0), Either("at least 1 dimension")),
        "column": (np.ones((12, 1)), "weights must be 1D array or scalar"),
        "2-D": (np.ones((12, 2)), "weights must be 1D array or scalar"),
        "short": (np.ones(11), LENGTH),
        "long": (np.ones(13), LENGTH),
        "none": ([], "0 sample"),
        "negative": (-np.ones(12), "Negative values in data passed to `sample_weight"),
        "one negative": (ones_but(-1e-300), "Negative values .*sample_weight"),
        "one minus zero": (ones_but(-0.0), FINITE),
        "one NaN": (ones_but(np.nan), "sample_weight contains NaN"),
        "one infinite": (ones_but(np.inf), "sample_weight contains infinity"),
        "one minus infinity": (ones_but(-np.inf), "sample_weight contains infinity"),
        "zeros": (np.zeros(12), NO_WEIGHT),
        "one row": (np.eye(12)[0], FINITE),
        "two rows": (np.eye(12)[0] + np.eye(12)[1], FINITE),
        "text": (["a"] * 12, "could not convert string to float: 'a'"),
        "balanced": ("balanced", "could not convert string to float: 'balanced'"),
        "None each": ([None] * 12, "sample_weight contains NaN"),
        "10**400": ([10**400, *[1] * 11], "sample_weight must hold one number"),
        "complex": (np.ones(12, complex), COMPLEX),
        "dict": ({0: 1.0}, r"float\(\) argument must be a string or a real number"),
        "1e300": (np.full(12, 1e300), FINITE),
        "1e-300": (np.full(12, 1e-300), FINITE),
        "all sizes": (np.logspace(-300, 300, 12), FINITE),
        "one 1e300": (ones_but(1e300), FINITE),
        "one 1e-300": (ones_but(1e-300), FINITE),
        "99.99 % on one class": (np.where(Y == 0, 9999.0, 0.5), FINITE),
        "broadcast": (np.broadcast_to(1.0, 12), FINITE),
        "backwards": (np.arange(12.0)[::-1], FINITE),
        "swapped": (np.ones(12, ">f8"), FINITE),
        "read-only": (read_only(np.ones(12)), FINITE),
    }.items()
}
LABELS = {
    f"y: {name}": (lambda value=value: {"y": value}, expected)
    for name, (value, expected) in {
        "None": (None, "requires y to be passed|y cannot be None"),
        "number": (1, "y should be a 1d array"),
        "0-D": (np.array(1), "y should be a 1d array"),
        "text": ("abcabcabcabc", "y should be a 1d array"),
        "dict": ({"a": 1}, "y should be a 1d array"),
        "3-D": (Y[:, None, None], "dim 3"),
        "a column": (Y[:, None], FINITE),
        "a row": (Y[None], SUMS),
        "sparse": (sp.csr_array(np.eye(3)[Y]), "Sparse data was passed for y"),
        "one class": (np.ones(12), ONE_CLASS),
        "NaN": (np.where(Y == 1, np.nan, Y), MISSING_LABEL),
        "infinity": (np.where(Y == 1, np.inf, Y), "y contains infinity"),
        "all None": ([None] * 12, MISSING_LABEL),
        "None among text": (["a", "b", None] * 4, MISSING_LABEL),
        "NaN among text": (np.array(["a", "b", np.nan] * 4, object), MISSING_LABEL),
        "numbers and text": (np.array([1, "a", 2] * 4, object), ALL_TEXT),
        "numbers and text in a list": ([1, "a", 2] * 4, ALL_TEXT),
        "integers as objects": (Y.astype(object), FINITE),
        "10**30": (np.array([10**30 + int(i) for i in Y], object), "hold exactly"),
        "text in an array": (LETTERS, FINITE),
        "text as objects": (LETTERS.astype(object), FINITE),
        "unicode": (np.array(["é", "e\u0301", "\U0001f600"])[Y], FINITE),
        "empty text": (np.array(["", "a", "b"])[Y], FINITE),
        "bytes": (LETTERS.astype("S"), "represented as bytes"),
        "bytes as objects": (LETTERS.astype("S").astype(object), ALL_TEXT + "bytes"),
        "bool": (Y == 0, FINITE),
        "negative": (-Y, FINITE),
        "huge": (Y * 2**61, FINITE),
        "huge unsigned": (Y.astype("Q") + np.uint64(2**63), FINITE),
        "whole floats": (Y + 1.0, FINITE),
        "whole float16": (Y.astype("e"), FINITE),
        "whole long doubles": (Y.astype("g"), FINITE),
        "floats of 2**53": (Y + 2.0**53, FINITE),
        "two zeros": (np.array([-0.0, 0.0, 1.0])[Y], FINITE),
        "swapped": (Y.astype(">i4"), FINITE),
        "backwards": (Y[::-1], FINITE),
        "read-only": (read_only(Y.copy()), FINITE),
        "halves": (Y * 0.5, UNKNOWN + ": continuous"),
        "huge floats": (Y * 1e300, UNKNOWN + ": continuous"),
        "continuous": (rows()[:, 0], UNKNOWN + ": continuous"),
        "complex": (Y + 0j, COMPLEX),
        "dates": (Y.astype("M8[D]"), FINITE),
        "records": (np.zeros(12, [("a", int)]), Either(f"{ONE_CLASS}|structured")),
        "several labels": (np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]] * 4), SUMS),
        "lists of labels": ([[1], [1, 2], [3]] * 4, "inhomogeneous shape"),
        "no label": (np.zeros((12, 3)), SUMS),
        "one-hot": (np.eye(3, dtype=int)[Y], FINITE),
        "probabilities": (np.full((12, 3), 1 / 3), FINITE),
        "float16 probabilities": (np.full((12, 3), 1 / 3, "e"), FINITE),
        "tiny probabilities": (np.tile([5e-324, 1, 1e-300], (12, 1)), FINITE),
        "NaN in a table": (with_value(np.nan, np.eye(3)[Y]), "y contains NaN"),
        "infinity in a table": (
            with_value(np.inf, np.eye(3)[Y]),
            "y contains infinity",
        ),
        "None in a table": (np.array([[None, 1, 0]] * 12), "y contains NaN"),
        "negative in a table": (np.tile([1.5, -0.5, 0], (12, 1)), SUMS),
        "sums of 1.5": (np.full((12, 3), 0.5), SUMS),
        "text in a table": (np.array([["a", "b", "c"]] * 12), "could not convert"),
        "complex in a table": (np.eye(3)[Y] + 0j, COMPLEX),
        "a short table": (np.eye(3)[Y[:11]], LENGTHS),
        "a table of no columns": (np.zeros((12, 0)), r"0 feature\(s\)|0 columns"),
        "a table of one class": (np.tile([1.0, 0, 0], (12, 1)), ONE_CLASS),
    }.items()
}
KINDS = {
    **SHAPES,
    **DTYPES,
    **LAYOUTS,
    **SIZES,
    **MISSING,
    **SPARSE,
    **WEIGHTS,
    **LABELS,
}
# How large the numbers are matters to all solvers. Where they lie matters to those that
# read them in another way, and an error is found before any of them.
OTHER_READERS = ["defaults", "batches of 3"]
CASES = [
    (kind, setting)
    for kind, (_, expected) in KINDS.items()
    for setting in (
        ["defaults"]
        if isinstance(expected, str)
        else SETTINGS
        if kind in SIZES
        else OTHER_READERS
    )
]


def image(data):
    """Return the bytes of any data, and how they are laid out."""
    if sp.issparse(data):
        data = data.tocoo() if data.format in ("dok", "lil") else data
        kept = (np.ndarray, tuple)
        data = [v for _, v in sorted(vars(data).items()) if isinstance(v, kept)]
    return pickle.dumps(data)


def images(things):
    return {name: image(thing) for name, thing in things.items()}


@contextmanager
def within(seconds):
    """Interrupt what takes longer, where the system can."""

    def stop(*_):
        raise TimeoutError(f"it took more than {seconds} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(clf, method, arguments, expected):
    """Call the method; return its result, or None after an error that was expected.

    Whatever happens the arguments stay as they were, and after an error the estimator.
    """
    given, state = images(arguments), images(vars(clf))
    result, error = None, None
    try:
        with within(30):
            result = getattr(clf, method)(**arguments)
    except (TypeError, ValueError) as raised:
        error = raised
    assert images(arguments) == given
    if error is None:
        assert expected is FINITE or isinstance(expected, Either), "no error"
        return result
    assert images(vars(clf)) == state
    if expected is FINITE:
        raise error
    message = expected.message if isinstance(expected, Either) else expected
    assert re.search(message, str(error), re.DOTALL), str(error)
    return None


def assert_finite(clf, X):
    """Want finite weights, and probabilities for the rows it was trained on."""
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.intercept_).all()
    with within(30):
        proba, predicted = clf.predict_proba(X), clf.predict(X)
    assert np.isfinite(proba).all()
    assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.isin(predicted, clf.classes_).all()


def arguments_of(make):
    arguments = {"X": rows(), **make()}
    shape = getattr(arguments["X"], "shape", ())
    return {"y": np.arange(shape[0] if shape else 12) % 3, **arguments}


@pytest.fixture(scope="module")
def fitted():
    """Return pickled models of three classes, in both dtypes."""
    clf = SoftmaxRegressionClassifier(random_state=0, max_iter=8)
    return {
        dtype: pickle.dumps(clone(clf).partial_fit(rows(dtype=dtype), Y, range(3)))
        for dtype in ("f4", "f8")
    }


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
@pytest.mark.parametrize(("kind", "setting"), CASES)
def test_fit(kind, setting, fitted):
    make, expected = KINDS[kind]
    arguments = arguments_of(make)
    clf = pickle.loads(fitted["f8"]).set_params(**SETTINGS[setting])

    done = outcome(clf, "fit", arguments, expected)

    if done is not None:
        assert_finite(clf, arguments["X"])


PATHS = {
    "two alphas": {"alphas": [1e-1, 1e-3]},
    "automatic": {},
    "L1": {"alphas": [1e-1, 1e-3], "l1_ratio": 0.5},
    "exact": {"alphas": [1e-1, 1e-3], "tol": 1e-6},
}
# Each split needs rows with weight on both sides.
TOO_FEW = dict.fromkeys(
    ["two rows", "a row a class", "weights: one row", "weights: two rows"],
    "Split . of cv must have|at least two rows",
)


@pytest.fixture(scope="module")
def fitted_path():
    with pytest.warns(UserWarning, match="The best score is at"):
        clf = SoftmaxRegressionClassifierCV(alphas=[1.0, 0.1], cv=2).fit(rows(), Y)
    return pickle.dumps(clf)


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
@pytest.mark.filterwarnings("ignore:The best score is at:UserWarning")
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        pytest.param(kind, name, marks=[pytest.mark.slow] * (name == "L1"))
        for kind in SIZES
        for name in PATHS
    ]
    + [
        pytest.param(kind, "two alphas", marks=pytest.mark.slow)
        for kind in KINDS
        if kind not in SIZES
    ],
)
def test_fit_of_a_path(kind, setting, fitted_path):
    make, expected = KINDS[kind]
    expected = TOO_FEW.get(kind, expected)
    arguments = arguments_of(make)
    params = {"alphas": None, **PATHS[setting]}
    clf = pickle.loads(fitted_path).set_params(cv=None, **params)

    done = outcome(clf, "fit", arguments, expected)

    if done is not None:
        assert_finite(clf, arguments["X"])
        assert np.isfinite(clf.scores_).all()


# What a model of the classes 0, 1, 2 and of three features may be told next, beside
# all kinds of data above of which it makes what `fit` makes.
SAME_IN_STREAM = [
    name
    for name in KINDS
    if name not in SHAPES and not name.startswith(("y: ", "weights: "))
    if KINDS[name][0]().get("X", rows()).shape[1:] == (3,)
    if name != "a row a class"
]
WIDTH = "X has . features, but SoftmaxRegressionClassifier is expecting 3"
NO_CLASS = "y must hold labels among the classes"
NO_LABEL = "classes must not hold missing labels, got a missing label in row"
IN_STREAM = {
    **{name: KINDS[name] for name in SAME_IN_STREAM},
    # A model of float64 can bear them.
    "times 1e+30 in f4": (SIZES["times 1e+30 in f4"][0], FINITE),
    "largest f4": (SIZES["largest f4"][0], FINITE),
    "CSR times 1e30 in float32": (SPARSE["CSR times 1e30 in float32"][0], FINITE),
    "one row": (lambda: {"X": rows(1), "y": [2]}, FINITE),
    "zero rows": SHAPES["zero rows"],
    "zero columns": SHAPES["zero columns"],
    "3-D": SHAPES["3-D"],
    "1-D": SHAPES["1-D"],
    "short y": SHAPES["short y"],
    "four columns": (lambda: {"X": rows(12, 4)}, WIDTH),
    "two columns": (lambda: {"X": rows(12, 2)}, WIDTH),
    "four sparse columns": (lambda: {"X": sp.csr_array((12, 4))}, WIDTH),
    **{
        f"weights: {name}": WEIGHTS[f"weights: {name}"]
        for name in (
            "integers",
            "number",
            "minus one for all",
            "NaN for all",
            "infinity for all",
            "short",
            "one negative",
            "one NaN",
            "one infinite",
            "1e-300",
            "text",
        )
    },
    # Weights are absolute here: they may be more than the model can bear.
    "weights: 1e300": (
        lambda: {"sample_weight": np.full(12, 1e300)},
        Either("diverged|sample_weight"),
    ),
    "weights: largest": (
        lambda: {"sample_weight": np.full(12, np.finfo(float).max)},
        Either("diverged|sample_weight"),
    ),
    "weights: zeros": (lambda: {"sample_weight": np.zeros(12)}, FINITE),
    "y: one class": (lambda: {"y": np.ones(12)}, FINITE),
    "y: text": (lambda: {"y": LETTERS}, NO_CLASS),
    "y: unknown": (lambda: {"y": Y + 1}, NO_CLASS + r".* got \[3\]"),
    "y: negative": (lambda: {"y": -Y}, NO_CLASS + r".* got \[-2 -1\]"),
    "y: huge": (lambda: {"y": Y.astype("Q") + np.uint64(2**63)}, NO_CLASS),
    "y: bool": (lambda: {"y": Y == 0}, FINITE),
    "y: floats": (lambda: {"y": Y * 1.0}, FINITE),
    "y: halves": (lambda: {"y": Y * 0.5}, UNKNOWN),
    "y: complex": (lambda: {"y": Y + 0j}, COMPLEX),
    "y: NaN": (lambda: {"y": np.where(Y == 1, np.nan, Y)}, MISSING_LABEL),
    "y: two columns": (lambda: {"y": np.full((12, 2), 0.5)}, "got 2 columns"),
    "y: sums of 1.5": (lambda: {"y": np.full((12, 3), 0.5)}, SUMS),
    "y: unknown without weight": (
        lambda: {"y": np.where(Y == 2, 7, Y), "sample_weight": (Y != 2) * 1.0},
        Either(NO_CLASS),
    ),
    "classes: fewer": (lambda: {"classes": [0, 1]}, "Classes can be added"),
    "classes: text": (lambda: {"classes": ["a", "b"]}, "Classes can be added"),
    "classes: none": (lambda: {"classes": []}, "class|empty|label"),
    "classes: unsorted": (lambda: {"classes": [2, 0, 1]}, FINITE),
    "classes: twice": (lambda: {"classes": [0, 1, 2, 2]}, FINITE),
    "classes: one more": (lambda: {"classes": [0, 1, 2, 9]}, FINITE),
    "classes: halves": (lambda: {"classes": [0, 0.5, 1, 2]}, UNKNOWN + "|continuous"),
    "classes: NaN": (lambda: {"classes": [0, 1, 2, np.nan]}, NO_LABEL),
}
TOO_LARGE_FOR_FLOAT32 = {
    "float64 1e300": (lambda: {"X": with_value(1e300)}, LARGE),
    "float64 1e30": (lambda: {"X": with_value(1e30)}, LARGE),
    "int64": (lambda: {"X": np.full((12, 3), 2**63 - 1)}, Either(LARGE)),
    "sparse 1e300": (lambda: {"X": sparse(convert=lambda X: X * 1e300)}, LARGE),
    "float64 1e-300": (lambda: {"X": 1e-300 * rows()}, FINITE),
    "weights 1e300": (
        lambda: {"sample_weight": np.full(12, 1e300)},
        "sample_weight|diverged",
    ),
    "weights 1e-300": (lambda: {"sample_weight": np.full(12, 1e-300)}, FINITE),
}


@pytest.mark.parametrize("kind", IN_STREAM)
def test_partial_fit_goes_on(kind, fitted):
    make, expected = IN_STREAM[kind]
    arguments = arguments_of(make)
    clf = pickle.loads(fitted["f8"])

    done = outcome(clf, "partial_fit", arguments, expected)

    if done is not None:
        assert_finite(clf, arguments["X"])


@pytest.mark.parametrize("setting", ["defaults", "batches of 3", "constant"])
@pytest.mark.parametrize("kind", TOO_LARGE_FOR_FLOAT32)
def test_partial_fit_of_a_float32_model(kind, setting, fitted):
    make, expected = TOO_LARGE_FOR_FLOAT32[kind]
    arguments = arguments_of(make)
    clf = pickle.loads(fitted["f4"]).set_params(**SETTINGS[setting])

    done = outcome(clf, "partial_fit", arguments, expected)

    if done is not None:
        assert clf.coef_.dtype == np.float32
        assert_finite(clf, arguments["X"])


FIRST_CLASSES = {
    "sorted": ([0, 1, 2], FINITE),
    "unsorted": ([2, 0, 1], FINITE),
    "twice": ([0, 1, 1, 2, 2], FINITE),
    "floats": ([0.0, 1.0, 2.0], FINITE),
    "unused": ([-5, 0, 1, 2, 10**9], FINITE),
    "left out": (None, "classes must be passed on the first call"),
    "none": ([], "class|empty|label"),
    "too few": ([0, 1], NO_CLASS + r".* got \[2\]"),
    "one": ([0], f"two classes|{NO_CLASS}"),
    "text": (["a", "b", "c"], NO_CLASS),
    "halves": ([0, 0.5, 1, 2], UNKNOWN),
    "NaN": ([0, 1, 2, np.nan], NO_LABEL),
    "None among": ([0, 1, None], NO_LABEL),
    "numbers and text": (np.array([0, 1, "a"], object), "classes must .* all text or"),
    "2-D": (np.eye(3), "classes must be a list"),
    "number": (3, "classes must be a list"),
    "10000 of them": (np.arange(10_000), FINITE),
}


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("kind", FIRST_CLASSES)
def test_classes_of_a_first_call(kind, layout):
    classes, expected = FIRST_CLASSES[kind]
    arguments = {"X": layout(rows()), "y": Y, "classes": classes}
    clf = SoftmaxRegressionClassifier(random_state=0)

    done = outcome(clf, "partial_fit", arguments, expected)

    if done is not None:
        assert_finite(clf, rows())


REFUSED_BY_A_NEW_ESTIMATOR = [
    "zero rows",
    "zero columns",
    "dtype D",
    "NaN",
    "infinity",
    "times 1e+300 in f8",
    "short y",
    "y: continuous",
    "weights: short",
    "weights: one NaN",
    "weights: one infinite",
    "weights: one negative",
]


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", REFUSED_BY_A_NEW_ESTIMATOR)
def test_new_estimator_stays_new_after_an_error(kind, method, layout):
    make, expected = KINDS[kind]
    arguments = arguments_of(make)
    arguments["X"] = layout(arguments["X"])
    if method == "partial_fit":
        arguments["classes"] = range(3)
    clf = SoftmaxRegressionClassifier(batch_size=5, random_state=0)

    outcome(clf, method, arguments, expected)

    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_text_in_a_table_is_named(method):
    pandas = pytest.importorskip("pandas")
    numbers = {"size": np.arange(12.0), "weight": np.arange(12.0)}
    clf = SoftmaxRegressionClassifier().fit(pandas.DataFrame(numbers), Y)
    numbers["weight"] = ["red"] * 12
    arguments = {"X": pandas.DataFrame(numbers)} | ({"y": Y} if method == "fit" else {})

    outcome(clf, method, arguments, "text in row 0 of column 'weight': .*'red'")


PREDICT_NAMES = [
    "3-D",
    "1-D",
    "zero rows",
    "zero columns",
    *(name for name in SAME_IN_STREAM if name not in SIZES),
]
# In float32 what is predicted may be out of range, and then has to be refused.
TOO_LARGE = "too large|infinity"
LARGE_IN_PREDICT = {
    **{
        f"one value {value}": (
            lambda value=value: {"X": with_value(value)},
            Either(TOO_LARGE),
        )
        for value in (1e300, 1e150, -1e100, 1e30, 5e-324)
    },
    "constant 1e300": (SIZES["constant 1e300"][0], Either(TOO_LARGE)),
    "largest f4": (SIZES["largest f4"][0], Either(TOO_LARGE)),
    "largest f8": (SIZES["largest f8"][0], Either(TOO_LARGE)),
    "largest integers": (SIZES["largest integers"][0], FINITE),
    "CSR times 1e300": (SPARSE["CSR times 1e300"][0], Either(TOO_LARGE)),
    "CSR times 1e30 in float32": (
        SPARSE["CSR times 1e30 in float32"][0],
        Either(TOO_LARGE),
    ),
    "CSR times 1e150": (SPARSE["CSR times 1e150"][0], Either(TOO_LARGE)),
    "duplicates whose sum overflows": (
        SPARSE["duplicates whose sum overflows"][0],
        Either(TOO_LARGE),
    ),
    "infinities that cancel": SPARSE["infinities that cancel"],
    "both infinities": MISSING["both infinities"],
}
IN_PREDICT = {
    **{name: KINDS[name] for name in PREDICT_NAMES},
    **LARGE_IN_PREDICT,
    "four columns": (lambda: {"X": rows(12, 4)}, WIDTH),
    "two sparse columns": (lambda: {"X": sp.csr_array((12, 2))}, WIDTH),
}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, "f4") for kind in IN_PREDICT] + [(kind, "f8") for kind in LARGE_IN_PREDICT],
)
def test_predict(kind, dtype, fitted):
    make, expected = IN_PREDICT[kind]
    clf, X = pickle.loads(fitted[dtype]), make()["X"]

    predicted = {
        method: outcome(clf, method, {"X": X}, expected)
        for method in ("decision_function", "predict_proba", "predict_log_proba")
    }
    labels = outcome(clf, "predict", {"X": X}, expected)

    if labels is not None:
        assert np.isin(labels, clf.classes_).all()
    for result in predicted.values():
        assert result is None or np.isfinite(result).all()
    if predicted["predict_proba"] is not None:
        assert_allclose(predicted["predict_proba"].sum(axis=1), 1, atol=1e-5)


NAMES = {
    "in another order": (["b", "a", "c"], "feature names should match"),
    "others": (["a", "b", "d"], "unseen at fit time"),
    "one missing": (["a", "b"], "seen at fit time, yet now missing|has 2 features"),
    "twice": (["a", "b", "b"], "unique|match|Duplicate|duplicate"),
    "numbers among them": (["a", "b", 3], "string names"),
}


@pytest.mark.parametrize("method", ["partial_fit", "predict", "predict_proba"])
@pytest.mark.parametrize("kind", NAMES)
def test_other_feature_names(kind, method):
    pandas = pytest.importorskip("pandas")
    columns, message = NAMES[kind]
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.fit(pandas.DataFrame(rows(), columns=list("abc")), Y)
    arguments = {"X": pandas.DataFrame(rows(12, len(columns)), columns=columns)}
    if method == "partial_fit":
        arguments["y"] = Y

    outcome(clf, method, arguments, message)


@pytest.mark.parametrize("setting", OTHER_READERS)
@pytest.mark.parametrize("dtype", ["u1", "f4", ">f8"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps(mode, dtype, setting, tmp_path, fitted):
    path = tmp_path / "X"
    counts(dtype).tofile(path)
    written = path.read_bytes()
    X = np.memmap(path, dtype, mode, shape=(12, 3))
    clf = pickle.loads(fitted["f8"]).set_params(**SETTINGS[setting])

    outcome(clf, "fit", {"X": X, "y": Y}, FINITE)

    assert_finite(clf, X)
    del X
    assert path.read_bytes() == written


@pytest.mark.parametrize("setting", ["defaults", "batches of 3", "constant"])
@pytest.mark.parametrize("exponent", [-1074, -1030, -900, 900, 1000, 1023])
def test_a_common_factor_of_the_weights_changes_nothing(exponent, setting):
    """A factor that no sum of weights can bear may be refused, if it is named."""
    clf = SoftmaxRegressionClassifier(random_state=0, max_iter=20)
    clf.set_params(**SETTINGS[setting])
    expected = clone(clf).fit(rows(), Y).coef_
    arguments = {"X": rows(), "y": Y, "sample_weight": np.full(12, 2.0**exponent)}

    done = outcome(clf, "fit", arguments, Either("sample_weight"))

    if done is not None:
        assert_allclose(clf.coef_, expected, rtol=1e-6)


@pytest.mark.parametrize("setting", ["defaults", "elastic net", "no penalty"])
def test_ten_thousand_classes(setting):
    y = np.random.RandomState(0).dirichlet(np.ones(10_000), 12)
    clf = SoftmaxRegressionClassifier(random_state=0, max_iter=2)
    clf.set_params(**SETTINGS[setting])

    outcome(clf, "fit", {"X": rows(), "y": y}, FINITE)

    assert_finite(clf, rows())


@pytest.mark.parametrize("setting", SETTINGS)
def test_one_row_in_ten_thousand_is_of_another_class(setting):
    X, y = rows(10_000, 2), np.arange(10_000) == 5000
    clf = SoftmaxRegressionClassifier(random_state=0, max_iter=3)
    clf.set_params(**SETTINGS[setting])
    if clf.batch_size != "auto":
        clf.set_params(batch_size=1000)

    outcome(clf, "fit", {"X": X, "y": y}, FINITE)

    assert_finite(clf, X)


TEXTBOOK = {"learning_rate": "constant"}
WEIGHT_OF_CLASS = "class_weight"
PARAMETERS = {
    "alpha 1e300": ({"alpha": 1e300}, FINITE),
    "alpha 1e300, L1": ({"alpha": 1e300, "l1_ratio": 0.5}, FINITE),
    "alpha 5e-324": ({"alpha": 5e-324}, FINITE),
    "alpha infinite": ({"alpha": np.inf}, "'alpha' parameter"),
    "alpha NaN": ({"alpha": np.nan}, "'alpha' parameter"),
    "alpha of float16": ({"alpha": np.float16(0.1)}, FINITE),
    "alpha in words": ({"alpha": "1/n"}, "'alpha' parameter"),
    "eta0 1e300": (
        {"eta0": 1e300, **TEXTBOOK},
        "eta0=1e\\+300 is too large.*lower eta0",
    ),
    "eta0 5e-324": ({"eta0": 5e-324, **TEXTBOOK}, FINITE),
    "eta0 infinite": ({"eta0": np.inf, **TEXTBOOK}, "'eta0' parameter"),
    "power_t 1e300": (
        {"power_t": 1e300, "learning_rate": "invscaling"},
        Either("power_t"),
    ),
    "momentum nearly 1": ({"momentum": 1 - 2**-53, **TEXTBOOK}, FINITE),
    "label_smoothing nearly 1": ({"label_smoothing": 1 - 2**-53}, FINITE),
    "tol 1e300": ({"tol": 1e300}, FINITE),
    "tol 0": ({"tol": 0}, FINITE),
    "batch_size 2**70": ({"batch_size": 2**70}, FINITE),
    "batch_size of uint8": ({"batch_size": np.uint8(3)}, FINITE),
    "batch_size of uint64": ({"batch_size": np.uint64(3)}, FINITE),
    "batch_size of int16": ({"batch_size": np.int16(3)}, FINITE),
    "n_iter_no_change of uint8": ({"n_iter_no_change": np.uint8(200)}, FINITE),
    "max_iter of uint8": ({"max_iter": np.uint8(20)}, FINITE),
    "no row to train on": (
        {"early_stopping": True, "validation_fraction": 1 - 2**-53},
        "train set will be empty",
    ),
    "no weight": ({"class_weight": {0: 0, 1: 0, 2: 0}}, NO_WEIGHT),
    "NaN as a class's weight": ({"class_weight": {0: np.nan}}, WEIGHT_OF_CLASS),
    "text as a class's weight": ({"class_weight": {0: "a"}}, WEIGHT_OF_CLASS),
    "a list as a class's weight": ({"class_weight": {0: [1, 2]}}, WEIGHT_OF_CLASS),
    "a complex class weight": ({"class_weight": {0: 1j}}, WEIGHT_OF_CLASS),
    "a weight for None": ({"class_weight": {None: 1}}, WEIGHT_OF_CLASS),
    "a weight for an unknown class": (
        {"class_weight": {5: 2.0}},
        r"class_weight must name classes among \[0, 1, 2\], got \[5\]",
    ),
    "a negative class weight": (
        {"class_weight": {1: -2.0}},
        "class_weight must hold finite numbers of at least 0",
    ),
    "class weights of all sizes": ({"class_weight": {0: 1e300, 1: 1e-300}}, FINITE),
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_parameters(kind):
    parameters, expected = PARAMETERS[kind]
    clf = SoftmaxRegressionClassifier(random_state=0, max_iter=20)
    clf.fit(rows(), Y).set_params(**parameters)

    done = outcome(clf, "fit", {"X": rows(), "y": Y}, expected)

    if done is not None:
        assert_finite(clf, rows())


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_was_drawn_before_training_diverged_is_put_back(method, fitted):
    clf = pickle.loads(fitted["f8"])
    clf.set_params(eta0=1e300, batch_size=3, random_state=np.random.RandomState(0))
    clf.set_params(**TEXTBOOK)

    outcome(clf, method, {"X": rows(), "y": Y}, r"eta0=1e\+300 is too large")


# Each in a process of its own: where nobody looks, SciPy writes beyond its arrays.
BROKEN = {
    f"{name} {place}, {method}": (name, place, method)
    for method in ("fit", "partial_fit", "predict")
    for name, place in [
        ("csr", 3),
        ("csr", 10**8),
        ("csr", -1),
        ("csc", 12),
        ("indptr", 10**8),
    ]
}
ONE_BROKEN = """
import json, os, resource, signal, sys, warnings
import numpy as np, scipy.sparse as sp
from sksoftmax import SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
dense = np.maximum(np.random.RandomState(0).standard_normal((12, 3)), 0)
y = np.arange(12) % 3
clf = SoftmaxRegressionClassifier(random_state=0).fit(dense, y)

def message(name, place, method):
    X = sp.csc_array(dense) if name == "csc" else sp.csr_array(dense)
    if name == "indptr":
        X.indptr[5] = place
    else:
        X.indices[-1] = place
    try:
        clf.predict(X) if method == "predict" else getattr(clf, method)(X, y)
    except (TypeError, ValueError) as error:
        return str(error)
    except BaseException as error:
        return "!" + repr(error)
    return "!no error"

outcomes = {}
for key, case in json.loads(sys.argv[1]).items():
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(2)
        os.write(send, message(*case).encode()[:1000])
        os._exit(0)
    os.close(send)
    _, status = os.waitpid(child, 0)
    said = os.read(receive, 1000).decode()
    os.close(receive)
    outcomes[key] = said if status == 0 else f"!ended by signal {status & 127}"
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def broken_outcomes():
    if not hasattr(os, "fork"):
        pytest.skip("processes cannot be forked here")
    done = subprocess.run(
        [sys.executable, "-c", ONE_BROKEN, json.dumps(BROKEN)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", BROKEN)
def test_sparse_indices_out_of_range(kind, broken_outcomes):
    assert re.match("(?!!).*(ind|axis|column|out of)", broken_outcomes[kind])
