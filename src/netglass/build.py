"""The one place that knows that the core may be compiled ahead of time (mypyc). Never compiled itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    try:
        from mypy_extensions import mypyc_attr
    except ImportError:

        def mypyc_attr(*attributes, **values):
            """Does nothing at run time: it tells the compiler that classes from outside may inherit."""
            return lambda cls: cls


def compiled() -> bool:
    """True if the core that runs now is the compiled one."""
    from netglass import times

    return not times.__file__.endswith(".py")


__all__ = ["compiled", "mypyc_attr"]
