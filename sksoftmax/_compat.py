"""What scikit-learn keeps private or has only lately, each name with its reason.

CallbackSupportMixin : `set_callbacks`, from scikit-learn 1.9 on; nothing before that.

fit_context, Interval, StrOptions : parameter errors in scikit-learn's own wording, and
    its switch `skip_parameter_validation`; documented for developers, yet underscored.
check_first_call : the rules for `classes` in partial_fit, shared by all of its
    estimators.
check_sample_weight : the rules for sample_weight, likewise.
"""

from inspect import signature

import numpy as np
from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call as check_first_call
from sklearn.utils.validation import _check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """Stand for scikit-learn's mixin where there is none."""


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "check_first_call",
    "check_sample_weight",
    "fit_context",
]


# From scikit-learn 1.9 it refuses weights that are all zero unless told otherwise.
_ALL_ZERO = (
    {"allow_all_zero_weights": True}
    if "allow_all_zero_weights" in signature(_check_sample_weight).parameters
    else {}
)


def check_sample_weight(sample_weight, X):
    """Return the weights of the rows, a new float64 array; all may be zero."""
    return _check_sample_weight(
        sample_weight,
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        copy=True,
        **_ALL_ZERO,
    )
