"""Private and recent parts of scikit-learn, each with the reason to use it.

CallbackSupportMixin : `set_callbacks`, from scikit-learn 1.9 on; an empty class before.
fit_context, Interval, StrOptions : parameter errors in the wording of scikit-learn, and
    its switch `skip_parameter_validation`. Both are documented for developers, but have
    an underscore.
check_sample_weight : the rules for sample_weight, shared by all estimators.
get_feature_names : the column names of a data frame, if all of them are strings.
array_namespace : the functions for arrays of other libraries than NumPy, as
    scikit-learn finds them. None before scikit-learn 1.9, as older versions convert
    less (lists of classes, for example) and cannot move an estimator to a device.
is_array_api_obj, is_lazy_array, is_writeable_array : the kind of such an array, also
    from scikit-learn 1.9 on.
complete_scorer : a scorer whose metric knows all classes, by the private attributes of
    scikit-learn's scorers.
takes_sample_weight : whether the metric of a scorer does, as the signature of each of
    scikit-learn's scorers has `sample_weight`.
convert_to_numpy : copies from a device, which each library does in its own way.
warn : a warning of the line outside of this package and scikit-learn, as the argument
    `skip_file_prefixes` of `warnings.warn` from Python 3.12 on.
"""

import sys
import warnings
from collections.abc import Callable
from copy import copy
from inspect import signature
from numbers import Number
from typing import Any, TypeVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._array_api import _convert_to_numpy as convert_to_numpy
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight
from sklearn.utils.validation import _get_feature_names as get_feature_names

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """An empty class in place of the mixin of scikit-learn 1.9."""


try:
    from sklearn.externals.array_api_compat import (
        array_namespace,
        is_array_api_obj,
        is_lazy_array,
        is_writeable_array,
    )
    from sklearn.utils._array_api import move_estimator_to  # noqa: F401
except ImportError:
    array_namespace = is_lazy_array = is_writeable_array = None

    def is_array_api_obj(x) -> bool:
        """Return whether x is an array, by the protocol that all libraries share."""
        return hasattr(x, "__dlpack__")


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "array_namespace",
    "check_sample_weight",
    "complete_scorer",
    "convert_to_numpy",
    "fit_context",
    "get_feature_names",
    "is_array_api_obj",
    "is_lazy_array",
    "is_writeable_array",
    "takes_sample_weight",
]


_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """Return scikit-learn's decorator of `fit`, typed to keep the method's type."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def complete_scorer(scorer, classes):
    """Return a scorer that needs no test rows of all classes.

    A metric of probabilities gets `labels`, and a metric of one of two classes gets the
    second one as `pos_label`, as in LogisticRegressionCV, unless the scorer has them. A
    mean over both classes gets None, as in scikit-learn's names.
    """
    metric = getattr(scorer, "_score_func", None)
    if metric is None:  # a function of the user
        return scorer
    known, added = _parameters(metric), {}
    given = {**getattr(metric, "keywords", {}), **scorer._kwargs}  # of a partial, too

    def has_default(name, *defaults):
        return name in known.keys() - given and known[name].default in defaults

    is_of_labels = scorer._response_method == "predict"
    if has_default("labels", None) and not is_of_labels:
        added["labels"] = classes
    if len(classes) == 2 and has_default("pos_label", None, 1):
        is_mean = is_of_labels and given.get("average", "binary") != "binary"
        added["pos_label"] = None if is_mean else classes[-1]
    scorer = copy(scorer)
    scorer._kwargs = {**scorer._kwargs, **added}
    return scorer


def takes_sample_weight(scorer) -> bool:
    """Return whether a scorer's metric, or a callable, takes `sample_weight`.

    The scorer can decline by ``set_score_request(sample_weight=False)``.
    """
    if hasattr(scorer, "get_metadata_routing"):
        requests = scorer.get_metadata_routing().score.requests
        if requests.get("sample_weight") is False:
            return False
    parameters = _parameters(getattr(scorer, "_score_func", scorer)).values()
    return any(p.name == "sample_weight" or p.kind == p.VAR_KEYWORD for p in parameters)


def _parameters(function):
    try:
        return signature(function).parameters
    except ValueError:  # a function in C may have no signature
        return {}


# From version 1.9 on, scikit-learn refuses weights of zero by default.
_ALL_ZERO = (
    {"allow_all_zero_weights": True}
    if "allow_all_zero_weights" in signature(_check_sample_weight).parameters
    else {}
)


def check_sample_weight(sample_weight, n_samples: int):
    """Return the weights of n_samples rows, a new float64 array; all may be zero."""
    if isinstance(
        sample_weight, Number
    ):  # scikit-learn does not check the value of a number
        sample_weight = np.full(n_samples, sample_weight)
    return _check_sample_weight(
        sample_weight,
        np.empty((n_samples, 0)),
        dtype=np.float64,
        ensure_non_negative=True,
        copy=True,
        **_ALL_ZERO,
    )


def warn(message, category=UserWarning) -> None:
    """Warn, and name the line that called this package or scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and _is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(frame) -> bool:
    name = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in ("sksoftmax", "sklearn")
