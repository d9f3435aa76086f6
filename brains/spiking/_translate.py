"""One source of equations, two back ends: the scalar functions of a model, as numba text or as vectorised JAX."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any


class _Literals(ast.NodeTransformer):
    """Numbers become F(number): else numba would compute in float64, whatever the type of the states."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return ast.Call(ast.Name("F", ast.Load()), [ast.Constant(float(node.value))], [])
        return node


def source(function: Callable[..., Any], name: str) -> str:
    """The text of a scalar function under a new name, its literals in the type F."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    head = tree.body[0]
    if not isinstance(head, ast.FunctionDef):
        raise TypeError(f"{function!r} is not a plain function")
    head.name, head.decorator_list, head.returns = name, [], None
    for argument in head.args.args:
        argument.annotation = None
    if ast.get_docstring(head) is not None:
        head.body = head.body[1:]
    return ast.unparse(ast.fix_missing_locations(_Literals().visit(tree)))


def vectorised(function: Callable[..., Any], jnp: Any) -> Callable[..., Any]:
    """The same function on arrays, with the mathematics of `jnp`."""
    own = {name: getattr(jnp, name) for name in ("exp", "log", "sqrt", "tanh", "where")}
    return types.FunctionType(function.__code__, {**function.__globals__, **own}, function.__name__)
