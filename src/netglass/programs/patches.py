"""What a run replaces, and how everything comes back.

A `Patch` names a place: (module or class, name) and what stands there during a run. Because `from time import
monotonic` is everywhere, whoever holds the same object under another name gets the replacement too: the names of all
modules, the attributes of their classes, the defaults of their functions and what these have closed over. Modules are
searched once; later only new ones and those that have grown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CellType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple, cast

_MISSING: Final = object()
_OWN: Final = ("netglass.programs", "netglass.link", "netglass.drive")  # who carries the programs keeps the real things


class Patch(NamedTuple):
    """`replacement` must be made for this: whatever holds it after the run gets the original back."""

    owner: Any  # a module or a class
    name: str
    replacement: object
    aliases: bool = True  # other names of the same object change too


class Alias(NamedTuple):
    """A method of something that a `Patch` replaces: whoever took it from there gets that of the replacement."""

    original: object
    replacement: object


class Spot(NamedTuple):
    """A name that holds something that is replaced: an attribute of `owner`, a default of a function, or a cell."""

    owner: Any
    name: str  # "" : the function's __defaults__, "*": its __kwdefaults__; of a cell: "cell_contents"


class Known(NamedTuple):
    """What a search of a module found."""

    module: ModuleType
    size: int
    spots: list[Spot]


class Aliases:
    """Where the objects that are ever replaced are held. It only grows; one for the process."""

    __slots__ = ("_known", "_wanted")

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._wanted: set[int] = set()

    def want(self, objects: Iterable[object]) -> None:
        """Objects to look for. A new one makes all known modules unknown again."""
        new = {id(each) for each in objects} - self._wanted
        if new:
            self._wanted |= new
            self._known.clear()

    def spots(self) -> list[Spot]:
        """All names that held one of the objects when their module was searched."""
        found: list[Spot] = []
        for name, module in list(sys.modules.items()):
            known = self._known.get(name)
            size = len(getattr(module, "__dict__", ()))
            if known is None or known.module is not module or known.size != size:
                known = Known(module, size, self._search(name, module))
                self._known[name] = known
            found.extend(known.spots)
        return found

    def _search(self, name: str, module: ModuleType) -> list[Spot]:
        spots: list[Spot] = []
        if name.startswith(_OWN) or not hasattr(module, "__dict__"):
            return spots
        wanted = self._wanted
        for key, value in list(vars(module).items()):
            if id(value) in wanted:
                spots.append(Spot(module, key))
            elif isinstance(value, FunctionType):
                self._search_function(value, spots)
            elif isinstance(value, type) and value.__module__ == name:
                self._search_class(value, spots)
        return spots

    def _search_class(self, owner: type, spots: list[Spot]) -> None:
        for key, value in list(vars(owner).items()):
            plain = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if id(plain) in self._wanted and getattr(plain, "__objclass__", None) is not owner:
                spots.append(Spot(owner, key))
            elif isinstance(plain, FunctionType):
                self._search_function(plain, spots)

    def _search_function(self, function: FunctionType, spots: list[Spot]) -> None:
        """Its defaults, its closure, and the functions in that: decorators have closed over what they decorate."""
        wanted = self._wanted
        functions, cells = [function], set()
        for each in functions:
            self._search_defaults(each, spots)
            for cell in each.__closure__ or ():
                held = _held(Spot(cell, "cell_contents"))
                if id(cell) in cells:
                    continue
                cells.add(id(cell))
                if id(held) in wanted:
                    spots.append(Spot(cell, "cell_contents"))
                elif isinstance(held, FunctionType) and not held.__module__.startswith("netglass.programs"):
                    functions.append(held)

    def _search_defaults(self, function: FunctionType, spots: list[Spot]) -> None:
        wanted = self._wanted
        if function.__defaults__ and any(id(each) in wanted for each in function.__defaults__):
            spots.append(Spot(function, ""))
        if function.__kwdefaults__ and any(id(each) in wanted for each in function.__kwdefaults__.values()):
            spots.append(Spot(function, "*"))


_ALIASES: Final = Aliases()


class Patched:
    """Patches that are in force."""

    __slots__ = ("_back", "_changed", "_patches")

    def __init__(self, patches: list[Patch], methods: Iterable[Alias] = ()) -> None:
        self._patches: list[tuple[Patch, object]] = []
        self._back: dict[int, object] = {}  # id of a replacement -> the original
        forth: dict[int, object] = {}
        for patch in patches:
            original = vars(patch.owner).get(patch.name, _MISSING)
            if original is _MISSING and not hasattr(patch.owner, patch.name):
                continue  # another version of Python
            self._patches.append((patch, original))
            if patch.aliases and original is not None and original is not _MISSING:
                forth[id(original)] = patch.replacement
                self._back.setdefault(id(patch.replacement), original)
        aliased = [each for each in self._patches if each[0].aliases and not (each[1] is None or each[1] is _MISSING)]
        pairs = [Alias(original, patch.replacement) for patch, original in aliased] + list(methods)
        for original, replacement in methods:
            forth.setdefault(id(original), replacement)
            self._back.setdefault(id(replacement), original)
        _ALIASES.want([each for pair in pairs for each in pair])
        for patch, _ in self._patches:
            setattr(patch.owner, patch.name, patch.replacement)
        self._changed: list[Change] = _rebind(forth)

    def remove(self) -> None:
        """Everything as before. What the program itself put in a place of ours stays."""
        for patch, original in reversed(self._patches):
            if vars(patch.owner).get(patch.name) is not patch.replacement:
                continue
            if original is _MISSING:
                delattr(patch.owner, patch.name)  # a class inherits it again
            else:
                setattr(patch.owner, patch.name, original)
        for change in reversed(self._changed):
            if _held(change.spot) is change.new:
                _put(change.spot, change.old)
        _rebind(self._back)  # in modules that were imported meanwhile


class Change(NamedTuple):
    spot: Spot
    old: Any
    new: Any


def _rebind(table: dict[int, object]) -> list[Change]:
    changes: list[Change] = []
    for spot in _ALIASES.spots():
        old = _held(spot)
        new = _substitute(spot, old, table)
        if new is not old:
            try:
                _put(spot, new)
            except (AttributeError, TypeError):
                continue  # a class that cannot be changed keeps the real thing
            changes.append(Change(spot, old, new))
    return changes


def _held(spot: Spot) -> Any:
    if spot.name == "":
        return spot.owner.__defaults__
    if spot.name == "*":
        return spot.owner.__kwdefaults__
    if isinstance(spot.owner, CellType):
        try:
            return spot.owner.cell_contents
        except ValueError:  # it is empty
            return _MISSING
    return vars(spot.owner).get(spot.name, _MISSING)


def _put(spot: Spot, value: Any) -> None:
    if spot.name == "":
        spot.owner.__defaults__ = value
    elif spot.name == "*":
        spot.owner.__kwdefaults__ = value
    else:
        setattr(spot.owner, spot.name, value)


def _substitute(spot: Spot, old: Any, table: dict[int, object]) -> Any:
    """What shall stand at `spot` where `old` does; `old` itself if nothing in it is replaced."""
    if spot.name == "":
        return old if not old or table.keys().isdisjoint(map(id, old)) else tuple([table.get(id(x), x) for x in old])
    if spot.name == "*":
        if not old or table.keys().isdisjoint(map(id, old.values())):
            return old
        return {key: table.get(id(value), value) for key, value in old.items()}
    plain = old.__func__ if isinstance(old, staticmethod) else old
    new = table.get(id(plain), _MISSING)
    if new is _MISSING:
        return old
    # A builtin in a class stays what it is when it is looked up there; a function would become a method.
    is_function = isinstance(spot.owner, type) and isinstance(new, FunctionType)
    return staticmethod(cast(FunctionType, new)) if is_function else new
