"""Labels are compared exactly: their kinds, missing ones, and the time of a look-up."""

import copy
import datetime
from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax import SoftmaxRegressionClassifier

pytestmark = pytest.mark.filterwarnings(
    "ignore:The number of unique classes:UserWarning",
    "ignore::sklearn.exceptions.DataConversionWarning",
)

X = 3 * np.eye(4) + np.random.RandomState(0).standard_normal((4, 4)) / 10
IDS = 10**18 + np.arange(4)
INTEGERS = np.arange(4)
WORDS = np.array(["a", "bc", "bcd", "é"])


def model(classes, **params):
    """Return a model of four classes, one for each row of X."""
    clf = SoftmaxRegressionClassifier(random_state=0, **params)
    return clf.partial_fit(X, classes, classes=classes)


def frame(columns):
    return pytest.importorskip("pandas").DataFrame(np.eye(4), columns=columns)


def call(method, clf, labels, rows=X):
    """Pass labels to a method; return the list of what follows from the labels."""
    if method in ("surprisal", "score"):
        return [getattr(clf, method)(rows, labels)]
    if method == "fit":
        clf.set_params(warm_start=True).fit(rows, labels)
    elif method == "partial_fit":
        classes = None if hasattr(clf, "classes_") else [0, 1, 2, 3]
        clf.partial_fit(rows, labels, classes)
    elif method == "classes":
        clf.partial_fit(rows, clf.predict(rows), classes=labels)
    elif method == "y_val":
        clf.fit(rows, clf.predict(rows), X_val=rows, y_val=labels)
    elif method == "columns":
        names = labels
        if not isinstance(labels, list):
            names = np.asarray(labels)
            names = list(names) if names.dtype.kind in "Mm" else names.astype(object)
        clf.partial_fit(rows, frame(names))
    return [clf.coef_, clf.intercept_, getattr(clf, "validation_loss_curve_", 0.0)]


def assert_alike(result, expected):
    for ours, theirs in zip(result, expected, strict=True):
        assert_array_equal(ours, theirs)


METHODS = ["partial_fit", "classes", "fit", "y_val", "surprisal", "score", "columns"]


def pandas_series(values, dtype):
    return pytest.importorskip("pandas").Series(values, dtype=dtype)


def arrow(values, name):
    pa = pytest.importorskip("pyarrow")
    return pa.array(values.tolist(), getattr(pa, name)())


def polars(values, name):
    pl = pytest.importorskip("polars")
    return pl.Series(values.tolist(), dtype=getattr(pl, name))


# Classes, and the same labels in another form.
SAME = {
    "int64, uint64": (IDS, IDS.astype(np.uint64)),
    "uint64, int64": (IDS.astype(np.uint64), IDS),
    "int64, objects": (IDS, IDS.astype(object)),
    "int64, list": (IDS, IDS.tolist()),
    "int64, nullable": (IDS, lambda: pandas_series(IDS, "Int64")),
    "int64, nullable unsigned": (IDS, lambda: pandas_series(IDS, "UInt64")),
    "int64, category": (IDS, lambda: pandas_series(IDS, "category")),
    "int64, object series": (IDS, lambda: pandas_series(IDS, object)),
    "int64, Arrow": (IDS, lambda: arrow(IDS, "uint64")),
    "int64, Polars": (IDS, lambda: polars(IDS, "UInt64")),
    "large uint64, list": (IDS.astype(np.uint64) * 10, (10 * IDS.astype("O")).tolist()),
    "large uint64, objects": (IDS.astype(np.uint64) * 10, 10 * IDS.astype(object)),
    "small and large, list": (
        np.array([1, 2, 3, 2**63], np.uint64),
        [1, 2, 3, 2**63],
    ),
    "uint64, float64": (
        2 ** np.arange(59, 63, dtype=np.uint64),
        2.0 ** np.arange(59, 63),
    ),
    "float64, uint64": (
        2.0 ** np.arange(59, 63),
        2 ** np.arange(59, 63, dtype=np.uint64),
    ),
    "int64, float64": (2**52 + INTEGERS, 2.0**52 + INTEGERS),
    "int64, int8": (INTEGERS - 2, (INTEGERS - 2).astype(np.int8)),
    "uint8, int64": (INTEGERS.astype(np.uint8), INTEGERS),
    "int64, float16": (INTEGERS, INTEGERS.astype(np.float16)),
    "int64, float32": (INTEGERS, INTEGERS.astype(np.float32)),
    "int64, long double": (INTEGERS, INTEGERS.astype(np.longdouble)),
    "float32, int64": (INTEGERS.astype(np.float32), INTEGERS),
    "float64, objects": (INTEGERS * 1.0, INTEGERS.astype(object)),
    "swapped": (INTEGERS, INTEGERS.astype(">i2")),
    "int64, decimals": (IDS, [Decimal(int(i)) for i in IDS]),
    "int64, decimals and floats": (INTEGERS, [Decimal(0), 1.0, Decimal(2), 3]),
    "words, objects": (WORDS, WORDS.astype(object)),
    "objects, words": (WORDS.astype(object), WORDS),
    "words, wide words": (WORDS, WORDS.astype("U40")),
    "words, list": (WORDS, WORDS.tolist()),
    "words, string": (WORDS, lambda: pandas_series(WORDS, "string")),
    "words, str": (WORDS, lambda: pandas_series(WORDS, str)),
    "words, category": (WORDS, lambda: pandas_series(WORDS, "category")),
    "words, Arrow": (WORDS, lambda: arrow(WORDS, "string")),
    "words, Arrow in pandas": (WORDS, lambda: pandas_series(WORDS, "string[pyarrow]")),
    "words, dictionary": (WORDS, lambda: arrow(WORDS, "string").dictionary_encode()),
    "words, Polars": (WORDS, lambda: polars(WORDS, "String")),
    "words, Polars category": (WORDS, lambda: polars(WORDS, "Categorical")),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SAME)
def test_the_same_labels_in_another_form_are_the_same(kind, method):
    classes, labels = SAME[kind]
    labels = labels() if callable(labels) else labels
    clf = model(classes)

    result = call(method, clf, labels)

    assert_alike(result, call(method, model(classes), classes))
    assert_array_equal(clf.predict(X), classes)
    assert len(clf.classes_) == 4


@pytest.mark.parametrize("method", ["partial_fit", "fit", "surprisal", "score"])
@pytest.mark.parametrize("labels", [[1, 0, 1, 1], np.array([1.0, 0, 1, 1])])
def test_bool_and_the_integers_0_and_1_are_the_same(labels, method):
    truth = np.array([True, False, True, True])
    for classes, others in ((truth, labels), (np.asarray(labels), truth)):
        clf = SoftmaxRegressionClassifier(random_state=0).fit(X, classes)
        expected = copy.deepcopy(clf)

        result = call(method, clf, others)

        assert_alike(result, call(method, expected, classes))


# Classes, and as many labels of which at least one is another one.
OTHER = {
    "int64, float64 beyond 2**53": (2**53 + INTEGERS, 2.0**53 + INTEGERS),
    "float64, int64 beyond 2**53": (2.0**53 + 2 * INTEGERS, 2**53 + INTEGERS),
    "int64, uint64 of the same float64": (IDS, (IDS + 1).astype(np.uint64)),
    "uint64, int64 of the same float64": (IDS.astype(np.uint64), IDS + 1),
    "uint64, negative": (
        np.uint64(2**64 - 4) + INTEGERS.astype(np.uint64),
        INTEGERS - 4,
    ),
    "negative, uint64": (
        INTEGERS - 4,
        np.uint64(2**64 - 4) + INTEGERS.astype(np.uint64),
    ),
    "float64, int64 of the same float64": (
        2.0 ** np.arange(59, 63),
        np.array([2**59, 2**60, 2**61, 2**62 - 1]),
    ),
    "int8, int64": (INTEGERS.astype(np.int8), INTEGERS + 256),
    "int64, uint8": (INTEGERS - 256, INTEGERS.astype(np.uint8)),
    "large list with a float": (IDS, [*IDS[:3].tolist(), float(IDS[0] + 128)]),
    "words, longer words": (WORDS, ["a", "bc", "bcde", "é"]),
    "objects, longer words": (WORDS.astype(object), np.array(["a", "bc", "bcde", "é"])),
    "words, shorter words": (np.array(["a", "bcd", "c", "é"]), WORDS),
    "words with a NUL": (WORDS, [*WORDS[:3].tolist(), "é\0"]),
}
# scikit-learn takes these labels for measurements, and score refuses them too.
HUGE = {
    "int64, the float64 2**63": (
        2**63 - 4 + np.arange(4, dtype=np.int64),
        np.array([2.0**63] * 4),
    ),
    "uint64, the float64 2**64": (
        np.uint64(2**64 - 4) + np.arange(4, dtype=np.uint64),
        np.array([2.0**64] * 4),
    ),
}
TEXT_OR_NUMBERS = {
    "integers, text": (INTEGERS, INTEGERS.astype(str)),
    "integers, a list of text": (INTEGERS, INTEGERS.astype(str).tolist()),
    "integers, text as objects": (INTEGERS, INTEGERS.astype(str).astype(object)),
    "integers, string": (
        INTEGERS,
        lambda: pandas_series(list("0123"), "string"),
    ),
    "integers, category": (
        INTEGERS,
        lambda: pandas_series(list("0123"), "category"),
    ),
    "text, integers": (INTEGERS.astype(str), INTEGERS),
    "text, integers as objects": (INTEGERS.astype(str), INTEGERS.astype(object)),
    "text as objects, integers": (INTEGERS.astype(str).astype(object), INTEGERS),
    "floats, text": (INTEGERS * 1.0, (INTEGERS * 1.0).astype(str)),
    "bool, text": (
        np.array([True, False, True, False]),
        np.array(["True", "False", "True", "False"]),
    ),
    "thirty integers, text": (np.arange(30)[::8], np.arange(30)[::8].astype(str)),
    "dates, integers": (INTEGERS.astype("M8[ns]"), INTEGERS),
    "integers, dates": (INTEGERS, INTEGERS.astype("M8[ns]")),
    "dates, durations": (INTEGERS.astype("M8[ns]"), INTEGERS.astype("m8[ns]")),
}


@pytest.mark.parametrize("method", [m for m in METHODS if m != "score"])
@pytest.mark.parametrize("kind", [*OTHER, *HUGE, *TEXT_OR_NUMBERS])
def test_other_labels_are_refused(kind, method):
    classes, labels = {**OTHER, **HUGE, **TEXT_OR_NUMBERS}[kind]
    labels = labels() if callable(labels) else labels
    clf = model(classes)
    before = copy.deepcopy(vars(clf))
    name = "classes" if method == "classes" else "y"
    message = (
        f"y must hold labels among the classes|{name} must include the classes of the|"
        "Unknown label type: continuous|"
        "y must have one column for each of the classes|names of the columns"
    )

    with pytest.raises(ValueError, match=message):
        call(method, clf, labels)

    assert_array_equal(clf.classes_, before["classes_"])
    assert_array_equal(clf.coef_, before["coef_"])
    assert clf.classes_.dtype == before["classes_"].dtype


@pytest.mark.parametrize("kind", TEXT_OR_NUMBERS)
def test_score_refuses_text_of_numbers(kind):
    classes, labels = TEXT_OR_NUMBERS[kind]
    labels = labels() if callable(labels) else labels
    clf = SoftmaxRegressionClassifier().fit(X, classes)

    with pytest.raises(ValueError, match=r"(?s)y must hold labels among the .*Convert"):
        clf.score(X, labels)


def test_text_is_not_to_be_cast_to_bool():
    classes, text = TEXT_OR_NUMBERS["bool, text"]
    clf = SoftmaxRegressionClassifier().fit(X, classes)

    with pytest.raises(ValueError, match="y == 'True'"):
        clf.score(X, text)

    assert clf.score(X, text == "True") == 1


@pytest.mark.parametrize("kind", OTHER)
def test_score_counts_other_labels_as_wrong(kind):
    classes, labels = OTHER[kind]
    clf = SoftmaxRegressionClassifier().fit(X, classes)
    assert_array_equal(clf.predict(X), classes)
    right = [a == b for a, b in zip(classes.tolist(), list(labels), strict=True)]
    if all(isinstance(label, np.generic) for label in labels):
        right = [a == b.item() for a, b in zip(classes.tolist(), labels, strict=True)]

    assert clf.score(X, labels) == np.mean(right)


def test_score_of_unknown_labels_and_weights():
    clf = SoftmaxRegressionClassifier().fit(X, INTEGERS)

    assert clf.score(X, [0, 1, 7, -1]) == 0.5
    assert clf.score(X, [0, 1, 7, -1], [3, 0, 0, 1]) == 0.75


def test_a_stream_grows_by_labels_of_another_dtype():
    clf, plain = model(IDS), model(IDS)
    more = np.append(IDS.astype(np.uint64), np.uint64(10**19))

    clf.partial_fit(X, IDS.astype(np.uint64), classes=more)

    plain.partial_fit(X, IDS, classes=[*IDS.tolist(), 2 * 10**18])
    assert_array_equal(clf.classes_, more)
    assert_array_equal(clf.coef_, plain.coef_)


@pytest.mark.parametrize("dtype", [np.uint64, object])
def test_two_classes_in_another_dtype_are_no_new_ones(dtype):
    y = IDS[[0, 0, 1, 1]]
    clf = SoftmaxRegressionClassifier(warm_start=True).fit(X, y)

    clf.fit(X, y.astype(dtype))

    assert clf.coef_.shape == (1, 4)
    assert_array_equal(clf.predict(X), y)


def missing_labels():
    """Return labels of every form that can miss one, with one missing in row 2."""
    nan, yes, no = float("nan"), "yes", "no"
    words = [yes, no, None, yes]
    forms = {
        "None in a list": words,
        "NaN in a list of text": [yes, no, nan, yes],
        "NaN in a list of numbers": [0, 1, nan, 1],
        "None in a list of numbers": [0, 1, None, 1],
        "None among objects": np.array(words, object),
        "NaN among objects": np.array([yes, no, nan, yes], object),
        "NaN of NumPy": np.array([yes, no, np.float32("nan"), no], object),
        "NaN among integers as objects": np.array([0, 1, nan, 1], object),
        "NaN": np.array([0, 1, nan, 1]),
        "NaN in float32": np.array([0, 1, nan, 1], np.float32),
        "NaT": np.array(["2020", "2021", "NaT", "2020"], "M8[D]"),
        "NaT of durations": np.array([1, 2, "NaT", 2], "m8[D]"),
        "masked": np.ma.array([0, 1, 0, 1], mask=[0, 0, 1, 0]),
        "masked text": np.ma.array([yes, no, no, yes], mask=[0, 0, 1, 0]),
        "None in a column": np.array(words, object)[:, None],
    }
    try:
        import pandas as pd
    except ImportError:
        return forms
    forms |= {
        "NA among objects": pd.Series([yes, no, pd.NA, yes], dtype=object),
        "NaT among objects": pd.Series([yes, no, pd.NaT, yes], dtype=object),
        "NA in a list": [yes, no, pd.NA, yes],
        "string": pd.Series(words, dtype="string"),
        "str": pd.Series(words),
        "category": pd.Series(words, dtype="category"),
        "category of integers": pd.Series([0, 1, None, 1], dtype="category"),
        "Int64": pd.Series([0, 1, None, 1], dtype="Int64"),
        "Float64": pd.Series([0, 1, None, 1], dtype="Float64"),
        "boolean": pd.Series([True, False, None, True], dtype="boolean"),
        "dates": pd.Series(pd.to_datetime(["2020", "2021", None, "2020"])),
        "a frame": pd.DataFrame({"y": words}),
    }
    try:
        import pyarrow as pa
    except ImportError:
        return forms
    return forms | {
        "Arrow": pa.array(words),
        "Arrow integers": pa.array([0, 1, None, 1]),
        "Arrow bool": pa.array([True, False, None, True]),
        "Arrow dictionary": pa.array(words).dictionary_encode(),
        "Arrow chunks": pa.chunked_array([[yes, no], [None, yes]]),
        "Arrow in pandas": pd.Series([0, 1, None, 1], dtype=pd.ArrowDtype(pa.int64())),
        "Arrow text in pandas": pd.Series(words, dtype=pd.ArrowDtype(pa.string())),
    }


MISSING = missing_labels()


@pytest.mark.parametrize(
    ("method", "is_new"),
    [
        ("fit", True),
        ("partial_fit", True),
        *((method, False) for method in METHODS[:-1]),
    ],
)
@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_label_is_named_with_its_row(kind, method, is_new):
    labels = MISSING[kind]
    classes = [0, 1, 2, 3]
    if np.asarray(labels).dtype.kind not in "fi":
        classes = ["no", "yes", "a", "b"]
    clf = SoftmaxRegressionClassifier() if is_new else model(np.array(classes))
    before = copy.deepcopy(vars(clf))
    name = "classes" if method == "classes" else "y"
    message = rf"{name} must not hold missing labels, got a missing label in row 2 "

    with pytest.raises(ValueError, match=message):
        call(method, clf, labels)

    assert vars(clf).keys() == before.keys()
    assert is_new or (clf.coef_ == before["coef_"]).all()


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("values", ["integers", "large", "bool", "floats", "text"])
def test_labels_of_dtype_object_are_those_of_a_list(values, layout):
    labels = {
        "integers": [3, -1, 3, 7],
        "large": [2**63, 1, 2**63, 7],
        "bool": [True, False, True, True],
        "floats": [1.0, 2.0, 1.0, 2.0],
        "text": ["a", "b", "a", "c"],
    }[values]
    clf = SoftmaxRegressionClassifier().fit(layout(X), np.array(labels, object))

    expected = SoftmaxRegressionClassifier().fit(layout(X), labels)

    assert_array_equal(clf.coef_, expected.coef_)
    assert clf.classes_.tolist() == sorted(set(labels))
    assert clf.predict(X).tolist() == labels
    assert clf.score(X, np.array(labels, object)) == 1


class Colour:
    """A label that is neither text nor a number."""


KINDS = "must hold labels that are all text or all numbers, got objects of "
RANGE = (
    "must hold numbers that 64-bit integers or floats hold exactly, got numbers from"
)
UNUSABLE = {
    "integers and text": ([1, "a", 2, 1], KINDS + r"int \(row 0\) and str \(row 1\)"),
    "text and integers": (["a", 1, "b", "a"], KINDS + r"str \(row 0\) and int"),
    "bool and text": ([True, "True", False, True], KINDS + "bool .* and str"),
    "text and bytes": (["a", "b", b"a", "a"], KINDS + r"str .* bytes \(row 2\)"),
    "bytes": ([b"a", b"b", b"a", b"a"], "must hold .*, got .*bytes"),
    "dates": ([datetime.date(2020, 1, day) for day in (1, 2, 1, 3)], KINDS + "date"),
    "other objects": ([Colour(), Colour(), Colour(), Colour()], KINDS + "Colour"),
    "complex": ([1j, 2, 3, 4], "must hold .*, got .*complex"),
    "large and negative": ([2**63, -1, 2**63, -1], RANGE + f" -1 to {2**63}"),
    "too large": ([10**30, 1, 2, 3], RANGE + f" 1 to {10**30}"),
    "infinite": ([Decimal(1), Decimal("inf"), 2, 3], RANGE + " 1 to Infinity"),
    "large and fractions": ([10**18 + 1, 0.5, 1, 2], RANGE + " 0.5 to"),
}


@pytest.mark.parametrize("form", ["list", "objects"])
@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_labels_of_several_kinds_are_refused_by_name(kind, method, form):
    values, message = UNUSABLE[kind]
    if form == "objects":
        values = np.array(values, object)
    name = "classes" if method == "classes" else "y"

    with pytest.raises(ValueError, match=f"{name} {message}"):
        call(method, model(INTEGERS), values)
    if method == "fit":
        with pytest.raises(ValueError, match=f"y {message}"):
            SoftmaxRegressionClassifier().fit(X, values)


def test_rows_of_probabilities_among_objects_are_no_labels():
    table = pandas_series(np.eye(4).tolist(), object)

    with pytest.raises(ValueError, match=r"objects of list .*Pass probabilities as"):
        SoftmaxRegressionClassifier().fit(X, table)


def test_durations_among_objects_are_no_integers():
    durations = np.array([np.timedelta64(1), np.timedelta64(2), "", ""], object)
    durations[2:] = durations[:2]

    with pytest.raises(ValueError, match=f"y {KINDS}timedelta64"):
        SoftmaxRegressionClassifier().fit(X, durations)


def test_labels_in_bfloat16():
    labels = INTEGERS.astype(pytest.importorskip("ml_dtypes").bfloat16)

    clf = SoftmaxRegressionClassifier().fit(X, labels)

    assert clf.classes_.tolist() == [0, 1, 2, 3]
    assert_array_equal(clf.surprisal(X, labels), clf.surprisal(X, INTEGERS))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_continuous_labels_name_the_argument(dtype):
    y, message = np.array([0.5, 1, 2, 3], dtype), "Unknown label type.*{} must".format

    with pytest.raises(ValueError, match=message("y")):
        SoftmaxRegressionClassifier().fit(X, y)
    with pytest.raises(ValueError, match=message("classes")):
        SoftmaxRegressionClassifier().partial_fit(X, INTEGERS, classes=y)
    for method in METHODS[:-1]:
        name = "classes" if method == "classes" else "y"
        with pytest.raises(ValueError, match=message(name)):
            call(method, model(INTEGERS), y)


@pytest.mark.parametrize("classes", [3, "abc", {0, 1, 2, 3}, np.eye(4), [[0, 1], [2]]])
def test_classes_that_are_no_list_of_labels(classes):
    for clf in (SoftmaxRegressionClassifier(), model(INTEGERS)):
        with pytest.raises(ValueError, match="classes must be a list of labels, got"):
            clf.partial_fit(X, INTEGERS, classes=classes)


@pytest.mark.parametrize("y", [None, 3, "abcd", {0, 1, 2, 3}, np.array(1)])
def test_score_of_no_list_of_labels(y):
    with pytest.raises(ValueError, match="y must be a list of labels, got"):
        model(INTEGERS).score(X, y)


class Counted(str):
    """Text that counts its comparisons."""

    __slots__ = ()
    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.count += 1
        return str.__eq__(self, other)

    def __ne__(self, other):
        Counted.count += 1
        return str.__ne__(self, other)

    def __lt__(self, other):
        Counted.count += 1
        return str.__lt__(self, other)


@pytest.mark.parametrize("method", ["partial_fit", "classes", "surprisal", "score"])
def test_comparisons_of_labels_grow_as_n_log_q(method):
    names = np.array([f"item {i:04d}" for i in range(1000)], object)
    labels = np.array([Counted(name) for name in names], object)
    rows = np.random.RandomState(0).standard_normal((1000, 2))
    clf = SoftmaxRegressionClassifier(random_state=0)
    clf.partial_fit(rows[:10], names[:10], classes=names)
    Counted.count = 0

    call(method, clf, labels, rows)

    # A binary search makes 10 comparisons, and n * q are a million.
    assert Counted.count < 40_000


class Key(int):
    """A key of a dict that counts its comparisons."""

    count = 0
    __hash__ = int.__hash__

    def __eq__(self, other):
        Key.count += 1
        return int.__eq__(self, other)


def test_class_weights_are_looked_up_once():
    class_weight = {Key(k): 1.0 + k for k in range(1000)}
    rows = np.random.RandomState(0).standard_normal((10, 2))
    clf = SoftmaxRegressionClassifier(class_weight=class_weight, random_state=0)
    clf.partial_fit(rows, np.arange(10), classes=np.arange(1000))
    plain = SoftmaxRegressionClassifier(random_state=0)
    plain.partial_fit(rows, np.arange(10), np.arange(1000), 1.0 + np.arange(10))
    Key.count = 0

    clf.partial_fit(rows, np.arange(10))

    assert Key.count <= 3000
    plain.partial_fit(rows, np.arange(10), sample_weight=1.0 + np.arange(10))
    assert_allclose(clf.coef_, plain.coef_, rtol=1e-9)
