"""Faults as text, for lab files and command lines: "drop(third_ack)", "loss(0.05)", "drop(data & match.to('server'))".

As in Python, with the names of `netglass.faults` and `netglass.match`, which may stand before them or not. Calls,
names and constants only, so a text can do nothing else.
"""

from __future__ import annotations

import ast
from difflib import get_close_matches
from typing import Final

from netglass.errors import MisuseError
from netglass.network import faults, match
from netglass.network.fault import Fault

_FAULTS: Final[dict[str, object]] = {name: getattr(faults, name) for name in faults.__all__}
_MATCHERS: Final[dict[str, object]] = {name: getattr(match, name) for name in match.__all__}
_NAMES: Final[dict[str, object]] = {**_MATCHERS, **_FAULTS, "match": match, "faults": faults}

_ALLOWED: Final = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.Attribute),
    *(ast.BinOp, ast.BitAnd, ast.BitOr, ast.UnaryOp, ast.Invert, ast.USub, ast.Tuple, ast.List),
)


def fault_of(text: str) -> Fault:
    """The fault that `text` says; MisuseError if it says none."""
    try:
        made = _made(text.strip())
    except (SyntaxError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise MisuseError(f"{text!r} is no fault: {error}") from None
    if not isinstance(made, Fault):
        raise MisuseError(f"{text!r} is no fault; write it like drop(syn)")
    return made


def _made(text: str) -> object:
    tree = ast.parse(text, mode="eval")
    body = tree.body
    outermost = body.func if isinstance(body, ast.Call) else None
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (isinstance(node, ast.Attribute) and node.attr.startswith("_")):
            raise MisuseError("it is made of calls, names and numbers, like drop(data, nth=3)")
        if isinstance(node, ast.Name):
            _check_name(node.id, _FAULTS if node is outermost else _NAMES, node is outermost)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "faults":
                _check_name(node.attr, _FAULTS, True)
            elif node.value.id == "match":
                _check_name(node.attr, _MATCHERS, False)
    return eval(compile(tree, "fault", "eval"), {"__builtins__": {}}, _NAMES)


def _check_name(name: str, known: dict[str, object], is_fault: bool) -> None:
    if name in known:
        return
    kind, table = ("fault", _FAULTS) if is_fault else ("matcher", _MATCHERS)
    names = [each for each in sorted(table) if each != "ALL"]
    near = get_close_matches(name, names, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise MisuseError(f"no {kind} is called {name!r}; there are {', '.join(names)}{meant}")
