"""Conversion to ONNX: a converter for skl2onnx."""

import math
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from sksoftmax._arrays import namespace
from sksoftmax._classifier import SoftmaxRegressionClassifier
from sksoftmax._classifier_cv import SoftmaxRegressionClassifierCV
from sksoftmax._kronecker import is_sum
from sksoftmax._validation import check_finite_model, check_model

__all__ = ["register"]

LEAST_PHM_OPSET = 11  # Pad has the numbers of zeros as an input, not an attribute


def register() -> None:
    """Register a converter of both classifiers with skl2onnx.

    After this call `skl2onnx.to_onnx` converts a fitted `SoftmaxRegressionClassifier`
    or `SoftmaxRegressionClassifierCV`, alone or at the end of a pipeline. A second call
    changes nothing. skl2onnx and onnxruntime come with
    ``python -m pip install "sksoftmax[onnx]"``.

    The converted model takes dense X. It computes in float64 if X or `coef_` has more
    digits than float32, else in float32. The digits of int64 X do not count.
    Probabilities are float64 if X is, else float32. Labels are strings, or int64 for
    whole numbers and booleans.

    Raises
    ------
    ImportError
        If skl2onnx cannot be imported.

    Notes
    -----
    The options are those of skl2onnx for classifiers: "zipmap", "output_class_labels",
    "nocl" and "raw_scores". ONNX has no maps of float64, so X in float64 requires
    "zipmap" to be False or "columns". "raw_scores" returns the scores whose softmax the
    probabilities are: the `decision_function`, preceded by a column of zeros for two
    classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skl2onnx import to_onnx
    >>> import sksoftmax.onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = sksoftmax.SoftmaxRegressionClassifier()
    >>> model = make_pipeline(StandardScaler(), clf).fit(X, y)
    >>> sksoftmax.onnx.register()
    >>> converted = to_onnx(model, X[:1].astype(np.float32), options={"zipmap": False})
    >>> [output.name for output in converted.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common import shape_calculator
    except ImportError as error:
        raise ImportError(
            f"Conversion to ONNX needs skl2onnx, and importing it failed: {error}. "
            'Install it with: python -m pip install "sksoftmax[onnx]"'
        ) from error
    for classifier in (SoftmaxRegressionClassifier, SoftmaxRegressionClassifierCV):
        update_registered_converter(
            classifier,
            f"Sksoftmax{classifier.__name__}",
            shape_calculator.calculate_linear_classifier_output_shapes,
            _convert,
            parser=_parse,
            options={
                "zipmap": [False, True, "columns"],
                "output_class_labels": [False, True],
                "nocl": [False, True],
                "raw_scores": [False, True],
            },
        )


def _parse(scope, clf, inputs, custom_parsers=None):
    """Check the model, and declare the outputs as for scikit-learn's classifiers."""
    from skl2onnx._parse import _parse_sklearn_classifier

    check_is_fitted(clf)
    check_model(clf)
    check_finite_model(clf)
    labels = _labels(scope, clf)
    dtype = clf.classes_.dtype
    has_class_labels = scope.get_options(clf, {}).get("output_class_labels", False)
    if (
        has_class_labels
        and labels.dtype != object
        and dtype not in (np.int32, np.int64)
    ):
        raise ValueError(
            "classes_ must hold int32, int64 or strings for the option "
            f"output_class_labels, got {dtype.name}. Convert y before fit."
        )
    return _parse_sklearn_classifier(scope, clf, inputs, custom_parsers)


def _labels(scope, clf):
    """Return whole numbers as int64, and strings as bytes in an array of objects."""
    from skl2onnx.common.utils_classifier import get_label_classes

    classes = get_label_classes(scope, clf)
    # tolist() makes integers of nanoseconds.
    labels = list(classes) if classes.dtype.kind in "mM" else classes.tolist()
    converted = list(map(_convert_label, labels))
    kinds = set(map(type, converted))
    if kinds == {int}:
        return np.array(converted, np.int64)
    if kinds == {bytes}:
        return np.array(converted, object)
    invalid = [label for label, c in zip(labels, converted, strict=True) if c is None]
    raise ValueError(
        "classes_ must hold whole numbers below 2**63 or strings in ONNX, the strings "
        f"in UTF-8 and not ending in NUL, got {classes.dtype.name}: "
        f"{(invalid or labels)[:3]}. Convert y before fit, or pass the option "
        "nocl=True, which makes labels positions in classes_."
    )


def _convert_label(label) -> int | bytes | None:
    """Return a label as ONNX and onnxruntime can hold it, or None."""
    if isinstance(label, str):
        encoded = label.encode(errors="replace")
        is_valid = encoded.decode() == label and not label.endswith("\0")
        return encoded if is_valid else None
    is_number = isinstance(label, Real) and not isinstance(label, np.timedelta64)
    if not (is_number and math.isfinite(label)):
        return None
    integer = int(label)
    return integer if integer == label and -(2**63) <= integer < 2**63 else None


def _convert(scope, operator, container):
    """Add nodes that compute the label, and probabilities or raw scores, of X."""
    from onnx.helper import np_dtype_to_tensor_dtype as onnx_type
    from skl2onnx.common.data_types import guess_numpy_type, guess_proto_type

    def constant(array):
        name = scope.get_unique_variable_name("constant")
        dtype = onnx_type(array.dtype)
        container.add_initializer(name, dtype, array.shape, array.ravel())
        return name

    def node(kind, *inputs, output=None, **attributes):
        output = output or scope.get_unique_variable_name(kind)
        name = scope.get_unique_operator_name(kind)
        container.add_node(kind, list(inputs), output, name=name, **attributes)
        return output

    clf, X = operator.raw_operator, operator.inputs[0]
    label, scores = operator.outputs
    coef = clf.coef_.toarray() if issparse(clf.coef_) else clf.coef_
    coef, intercept = (namespace(x).to_numpy(x) for x in (coef, clf.intercept_))
    if len(clf.classes_) == 2:
        # softmax(0, raw) is (sigmoid(-raw), sigmoid(raw)). onnxruntime's Sigmoid would
        # round off digits of the smaller one, so Softmax computes both.
        coef, intercept = np.pad(coef, [(1, 0), (0, 0)]), np.pad(intercept, (1, 0))
    dtype = np.dtype(guess_numpy_type(X.type))
    dtype = np.promote_types(coef.dtype, dtype if dtype.kind == "f" else np.float32)
    dtype = np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    X = node("Cast", X.full_name, to=onnx_type(dtype))
    intercept = constant(intercept.astype(dtype))
    if is_sum(vars(clf)):  # the factors are fewer numbers
        _check_opset(clf, container.target_opset)
        raw = node("Add", _add_factor_product(clf, X, dtype, node, constant), intercept)
    else:
        raw = node("Gemm", X, constant(coef.astype(dtype)), intercept, transB=1)
    index = node("ArgMax", raw, axis=1, keepdims=0)  # the first of equal maxima
    node("Gather", constant(_labels(scope, clf)), index, output=label.full_name)
    if not container.get_options(clf, {"raw_scores": False})["raw_scores"]:
        raw = node("Softmax", raw, axis=1)
    node("Cast", raw, to=guess_proto_type(scores.type), output=scores.full_name)


def _check_opset(clf, opset: int | None) -> None:
    """Raise ValueError unless the operators of the opset can pad X."""
    if opset is not None and opset < LEAST_PHM_OPSET:
        raise ValueError(
            f"target_opset must be at least {LEAST_PHM_OPSET} for a model with "
            f"phm_order={len(clf.phm_A_)}, got {opset}. Raise target_opset, or fit "
            "with phm_order=None."
        )


def _add_factor_product(clf, X, dtype, node, constant):
    """Add nodes that compute X coef', coef being the sum of phm_A_[i] ⊗ phm_S_[i]."""
    A, S, permutation = clf.phm_A_, clf.phm_S_, clf.phm_permutation_
    n, height, width = S.shape

    def integers(*numbers):
        return constant(np.array(numbers, np.int64))

    X = node("Pad", X, integers(0, 0, 0, n * width - clf.n_features_in_))
    X = node("Gather", X, constant(permutation.astype(np.int64)), axis=1)
    X = node("Reshape", X, integers(-1, n, width))
    S_matrix = constant(S.transpose(2, 0, 1).reshape(width, n * height).astype(dtype))
    raw = node("Reshape", node("MatMul", X, S_matrix), integers(-1, n * n, height))
    A_matrix = constant(A.transpose(1, 2, 0).reshape(n, n * n).astype(dtype))
    raw = node("Reshape", node("MatMul", A_matrix, raw), integers(-1, n * height))
    return node("Gather", raw, integers(*range(len(clf.classes_))), axis=1)
