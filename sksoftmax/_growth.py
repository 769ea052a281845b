"""New classes for a model that has been trained without them."""

import numpy as np


def spread_columns(array, places, n_classes: int):
    """Return the columns of an array, (..., n_columns), at their places among more.

    `places`, (n_known,), are those of the known classes among n_classes; the columns
    of new ones are zero. The one column of two classes, the difference of their
    predictions, is split in halves. Works for whatever is linear in the weights.
    """
    if array.shape[-1] == 1:
        array = np.concatenate([-array / 2, array / 2], axis=-1)
    grown = np.zeros((*array.shape[:-1], n_classes), array.dtype)
    grown[..., places] = array
    return grown


def spread_state(state: dict, t: int, places, n_classes: int) -> dict:
    """Return what the solver knows (see State), for more classes, after t updates.

    New classes are improbable at first. So the Hessian of each row has the eigenvalues
    it had, and more that are next to zero: their mean falls with the number of classes.
    That of two classes is p (1 - p) for one column, and twice as much for two. As this
    will not last, the curvature is measured anew at the next update, and then as often
    as at the start of a training; likewise averaging starts anew.
    """
    state = {**state, "inverse": None, "measured_from": t, "n_averages": 0}
    if state["curvature"] is not None:
        n_known = len(places)
        eigenvalues = 2 if n_known == 2 else n_known - 1
        share = eigenvalues / (n_classes - 1)
        state["curvature"] = state["curvature"] * share
        state["ridge"] = state["ridge"] * share
    if state["velocity"] is not None:
        state["velocity"] = spread_columns(state["velocity"], places, n_classes)
    return state
