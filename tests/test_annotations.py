"""Public functions say the types of what they take and return; mypy checks these."""

import inspect

import pytest

import sksoftmax
import sksoftmax.dask
import sksoftmax.inspection
import sksoftmax.onnx

MODULES = [sksoftmax, sksoftmax.dask, sksoftmax.inspection, sksoftmax.onnx]


def public_functions():
    """Return the functions and the methods of classes in each module's `__all__`."""
    functions = {}
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing):
                functions[name] = thing
                continue
            for method_name, method in vars(thing).items():
                method = getattr(method, "__func__", method)  # of a class method
                is_public = method_name == "__init__" or method_name[0] != "_"
                if is_public and inspect.isfunction(method):
                    functions[f"{name}.{method_name}"] = method
    return functions


FUNCTIONS = public_functions()


def test_public_functions_are_found():
    named = {"register", "LossCurveDisplay.plot", "SoftmaxRegressionClassifier.fit"}

    assert named <= FUNCTIONS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_has_all_types_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])

    unknown = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty
        and parameter.name not in ("self", "cls")
    ]

    assert unknown == []
    assert signature.return_annotation is not signature.empty
