"""The map of the package as tests: who may import whom, and what the core must not contain.

Everything is read from the sources with `ast`; nothing of netglass is imported. An import inside a function or under
TYPE_CHECKING is a dependency like any other, but see `cycles`. Each rule is also tried on a source with a planted
violation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

PACKAGE: Final = Path(__file__).parent.parent / "src" / "netglass"

GROUND: Final = frozenset({"times", "rng", "counters", "errors", "errnos", "build", "world"})
PROTOCOLS: Final = GROUND | {"wire", "probe"}
HOST: Final = PROTOCOLS | {"tcp", "udp", "ip", "neighbor", "multicast", "dhcp"}
DEVICES: Final = HOST | {"host"}
SCENES: Final = DEVICES | {"network", "link", "sockets"}
TOOLS: Final = SCENES | {"lab", "drive", "trace", "programs"}
DOORS: Final = TOOLS | {"experiments", "explore", "packetdrill", "wirelab"}


class Layer(NamedTuple):
    allowed: frozenset[str]
    reason: str


LAYERS: Final[dict[str, Layer]] = {
    "counters": Layer(frozenset({"times"}), "why packets ended; every layer of a host counts"),
    "errnos": Layer(frozenset(), "a table of constants"),
    "errors": Layer(frozenset({"errnos"}), "what callers catch; named by everybody, so it knows nobody"),
    "times": Layer(frozenset({"errors"}), "time is a number; text that is no duration is the caller's mistake"),
    "rng": Layer(frozenset({"errors"}), "a seed and integers"),
    "build": Layer(frozenset({"times"}), "asks one compiled module whether it is compiled"),
    "world": Layer(
        frozenset({"times", "build", "errors"}), "programs wait on it in virtual and in real time: an interface"
    ),
    "wire": Layer(GROUND, "bytes <-> values has no state and no machine"),
    "probe": Layer(GROUND | {"wire"}, "what is observed are packets, so it stands just above them"),
    "tcp": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "udp": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "ip": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "neighbor": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "multicast": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "dhcp": Layer(PROTOCOLS, "a protocol core; protocols do not know each other"),
    "host": Layer(HOST, "one machine puts the protocols together; it knows no cable and no descriptor"),
    "network": Layer(DEVICES, "cables and faults between machines; it knows no clock of its own"),
    "link": Layer(DEVICES, "devices of the real world under a host, as it sees them; they know no clock"),
    "sockets": Layer(DEVICES, "the BSD calls on one host, without waiting and without a network"),
    "lab": Layer(
        SCENES, "virtual time over networks and hosts; programs are started by others, so it never knows them"
    ),
    "drive": Layer(SCENES, "the real clock over links and hosts"),
    "trace": Layer(SCENES, "draws what the probe tells; what it cannot know arrives as a `note`"),
    "programs": Layer(DEVICES | {"sockets"}, "a blocking call is a socket call and World.wait: neither lab nor drive"),
    "sync": Layer(
        frozenset({"programs", "errors"}), "locks that programs use: outside a run real ones, in it those of the kernel"
    ),
    "experiments": Layer(TOOLS | {"sync"}, "questions asked of the public API; no experiment needs another door"),
    "explore": Layer(TOOLS, "exhaustive search over labs"),
    "packetdrill": Layer(TOOLS, "scripts over sockets and the lab"),
    "wirelab": Layer(TOOLS, "a real-time lab over devices"),
    "tools": Layer(frozenset(), "ordinary programs: they run on a device, in a lab, and on the machine's own sockets"),
    "cli": Layer(DOORS | {"tools"}, "thin functions over the public API"),
    "pytest_plugin": Layer(DOORS, "thin functions over the public API"),
    "__main__": Layer(frozenset({"cli"}), "python -m netglass is the command"),
}

ROOT_IMPORTERS: Final = frozenset({"experiments", "packetdrill", "explore", "wirelab", "cli", "pytest_plugin"})
"""Who may write `from netglass import Network`: the root gathers the public API and so imports nearly everything."""

CORE: Final = GROUND - {"build"} | {
    *("wire", "probe", "tcp", "udp", "ip", "neighbor", "multicast", "dhcp"),
    *("host", "network", "sockets"),
}

CORE_STDLIB: Final[dict[str, str]] = {
    "__future__": "annotations as text",
    "abc": "plug-ins are ABCs",
    "array": "compact tables",
    "bisect": "sorted lists",
    "collections": "deque, and the abstract types",
    "dataclasses": "values off the hot path",
    "enum": "states",
    "hashlib": "keyed hashes: sub-streams of the seed, initial sequence numbers, SYN cookies",
    "heapq": "the timer heap",
    "ipaddress": "the text of an address, at the edge",
    "operator": "the key of a sorted list",
    "struct": "headers",
    "typing": "types",
}

VIRTUAL: Final = frozenset({"lab", "trace", "experiments", "packetdrill", "explore"})
ORDINARY: Final = "experiments.programs"
"""Ordinary programs, which experiments run on hosts of a lab. They know nothing of netglass, so that everybody can see
that any program would do."""
REAL_WORLD: Final[dict[str, str]] = {
    "asyncio": "the lab has its own scheduler",
    "datetime": "reads the wall clock",
    "logging": "what happened is counted and traced",
    "multiprocessing": "one process, one order of events",
    "random": "randomness comes from the seed",
    "secrets": "randomness comes from the seed",
    "select": "nothing here waits for the kernel",
    "socket": "nothing here touches the kernel's network",
    "subprocess": "one process, one order of events",
    "threading": "one thread, one order of events",
    "time": "time is virtual",
}

FLOATS_ALLOWED: Final[dict[str, str]] = {
    "rng.probability": "the one door for probabilities: turns a float into an integer once, by IEEE 754 rounding",
    "network.units": "only names the type of what people write: `share` hands it to rng.probability",
}


class Module(NamedTuple):
    name: str  # without the leading "netglass.", "" for the root
    tree: ast.Module
    is_package: bool = False

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]


def module(name: str, source: str) -> Module:
    return Module(name, ast.parse(source))


def read_package(package: Path) -> list[Module]:
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(name, ast.parse(path.read_text(encoding="utf-8"), str(path)), is_package))
    return found


# Imports ------------------------------------------------------------------------------------------------------------


def imports(source: Module, late: bool = True) -> Iterator[tuple[str, str, int]]:
    """(module, name or "", line) of every import, relative ones made absolute; without `late` none in functions."""
    for node in ast.walk(source.tree) if late else outside_functions(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(source, node)
            yield from ((base, alias.name, node.lineno) for alias in node.names)


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from outside_functions(child)


def absolute(source: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = ["netglass", *source.name.split(".")] if source.name else ["netglass"]
    up = node.level - 1 if source.is_package else node.level
    parts = parts[: len(parts) - up]
    return ".".join([*parts, node.module] if node.module else parts)


def inner_imports(source: Module, known: set[str], late: bool = True) -> Iterator[tuple[str, int]]:
    """(module of netglass, line): the submodule if the name is one, else the module that the name is taken from."""
    for base, name, line in imports(source, late):
        if base.partition(".")[0] != "netglass":
            continue
        target = base.partition(".")[2]
        deeper = f"{target}.{name}" if target else name
        yield (deeper if name and deeper in known else target), line


def layer_violations(modules: list[Module]) -> list[str]:
    known = {each.name for each in modules}
    found = []
    for source in modules:
        if source.layer == "":
            continue  # the root gathers the public API
        if source.layer not in LAYERS:
            found.append(f"{source.name}: no layer of this name in the table")
            continue
        found += [
            f"{source.name}:{line} imports {target or 'the root'}: {LAYERS[source.layer].reason}"
            for target, line in inner_imports(source, known)
            if not may_import(source.layer, target.partition(".")[0])
        ]
    return found


def may_import(layer: str, target: str) -> bool:
    if target == "":
        return layer in ROOT_IMPORTERS
    return target == layer or target in LAYERS[layer].allowed


def cycles(modules: list[Module]) -> list[str]:
    """The import cycles between modules, each as "a -> b -> a". A function may import late what imports its module:
    so a value offers to draw itself, and the drawing knows the value. Layers hold for late imports too."""
    known = {each.name for each in modules}
    graph = {each.name: sorted({target for target, _ in inner_imports(each, known, late=False)}) for each in modules}
    done: set[str] = set()
    found: list[str] = []

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
            return
        if name in done:
            return
        for target in graph.get(name, []):
            visit(target, [*path, name])
        done.add(name)

    # The root is everybody's child and, for the doors, a parent: its own imports are no cycle between layers.
    graph.pop("", None)
    for name in sorted(graph):
        visit(name, [])
    return found


def outside_violations(source: Module) -> list[str]:
    found = []
    for base, _, line in imports(source):
        top = base.partition(".")[0]
        if top == "netglass":
            if source.name.startswith(f"{ORDINARY}."):
                found.append(f"{source.name}:{line} imports netglass: an ordinary program does not know it")
            continue
        if source.layer in CORE and top not in CORE_STDLIB:
            found.append(f"{source.name}:{line} imports {top}: the core takes only what CORE_STDLIB lists")
        if source.layer in VIRTUAL and top in REAL_WORLD and not source.name.startswith(f"{ORDINARY}."):
            found.append(f"{source.name}:{line} imports {top}: {REAL_WORLD[top]}")
    return found


# What the core must not contain -------------------------------------------------------------------------------------


def named_nodes(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node with the qualified name of the function or class around it."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}"
        yield name, node
        yield from named_nodes(node, name)


def float_uses(source: Module) -> list[tuple[str, int, str]]:
    """(qualified name, line, what) of floats: literals, the name `float`, true division."""
    found = []
    for name, node in named_nodes(source.tree, source.name):
        what = float_use(node)
        if what:
            found.append((name, getattr(node, "lineno", 0), what))
    return found


def float_use(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        return f"the literal {node.value}"
    if isinstance(node, ast.Name) and node.id == "float":
        return "`float`"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        return "true division"
    return ""


def float_violations(source: Module) -> list[str]:
    return [
        f"{source.name}:{line} {what}: floats differ between machines; count in integers"
        for name, line, what in float_uses(source)
        if name not in FLOATS_ALLOWED
    ]


MUTABLE_CALLS: Final = frozenset(
    {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter", "count"}
)


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp):
        return True
    return isinstance(value, ast.Call) and called_name(value) in MUTABLE_CALLS


def called_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_annotated_as(annotation: ast.expr, *names: str) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(head, ast.Name) and head.id in names


def global_violations(source: Module) -> list[str]:
    found = [
        f"{source.name}:{node.lineno} `global {', '.join(node.names)}`: state belongs to an object"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ]
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and is_mutable(node.value) and not is_dunder_all(node):
            found.append(f"{source.name}:{node.lineno} a global that can change; a table is `Final`")
        if isinstance(node, ast.AnnAssign) and is_mutable(node.value) and not is_annotated_as(node.annotation, "Final"):
            found.append(f"{source.name}:{node.lineno} a global that can change; a table is `Final`")
    return found


def is_dunder_all(node: ast.Assign) -> bool:
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"


# What means something else when it is compiled ----------------------------------------------------------------------


def compiled_modules(modules: list[Module]) -> list[Module]:
    """Those that hatch_build.py compiles."""
    tree = ast.parse((PACKAGE.parent.parent / "hatch_build.py").read_text(encoding="utf-8"))
    tables = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    names = ast.literal_eval(tables["COMPILED"])
    left_out = [path.removesuffix(".py").replace("/", ".") for path in ast.literal_eval(tables["INTERPRETED"])]
    return [each for each in modules if each.layer in names and not each.is_package and each.name not in left_out]


def compile_violations(source: Module) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            found += [f"{source.name}:{line} {text}" for line, text in class_violations(node)]
        if isinstance(node, ast.If) and node.orelse and "TYPE_CHECKING" in ast.dump(node.test):
            text = "`else` of TYPE_CHECKING raises RuntimeError when compiled; such a choice belongs into build.py"
            found.append(f"{source.name}:{node.lineno} {text}")
    return found


NOT_NATIVE: Final = frozenset({"Enum", "IntEnum", "IntFlag", "Flag", "NamedTuple", "TypedDict"})


def class_violations(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
    if bases & NOT_NATIVE:
        return
    is_dataclass = any("dataclass" in ast.dump(each) for each in node.decorator_list)
    for item in node.body:
        if is_instance_default(item, is_dataclass):
            yield item.lineno, "is an attribute of each instance when compiled, deaf to subclasses: use ClassVar"
        if isinstance(item, ast.FunctionDef) and is_abstract(item) and not isinstance(item.body[-1], ast.Raise):
            yield item.lineno, f"abstract {item.name} must end with `raise NotImplementedError`: {ABSTRACT}"


ABSTRACT: Final = "an empty body that is called ends the process when compiled"


def is_instance_default(item: ast.stmt, is_dataclass: bool) -> bool:
    if isinstance(item, ast.Assign):
        return not is_slots(item)
    if not isinstance(item, ast.AnnAssign) or item.value is None or is_dataclass:
        return False
    return not is_annotated_as(item.annotation, "ClassVar", "Final")


def is_slots(node: ast.Assign) -> bool:
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("__slots__", "__match_args__")


def is_abstract(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "abstractmethod" for each in node.decorator_list)


# The tests ----------------------------------------------------------------------------------------------------------

MODULES: Final = read_package(PACKAGE)


def lines(found: list[str]) -> str:
    return "\n".join(["", *found])


def test_imports_point_down() -> None:
    found = layer_violations(MODULES)
    assert not found, lines(found)


def test_the_table_itself_points_down() -> None:
    order = list(LAYERS)
    # A layer may allow only what stands above it in the table, so that the table reads from the ground up.
    for name, layer in LAYERS.items():
        if name in GROUND:
            continue
        assert all(order.index(each) < order.index(name) for each in layer.allowed), name


def test_no_module_imports_itself_on_a_way_around() -> None:
    found = cycles(MODULES)
    assert not found, lines(found)


def test_the_core_imports_nothing_of_the_outside() -> None:
    found = [text for each in MODULES for text in outside_violations(each)]
    assert not found, lines(found)


def test_the_core_counts_in_integers() -> None:
    found = [text for each in MODULES if each.layer in CORE for text in float_violations(each)]
    assert not found, lines(found)


def test_every_exception_for_floats_is_still_needed() -> None:
    used = {name for each in MODULES if each.layer in CORE for name, _, _ in float_uses(each)}
    assert set(FLOATS_ALLOWED) <= used


def test_the_core_has_no_globals_that_change() -> None:
    found = [text for each in MODULES if each.layer in CORE | {"lab"} for text in global_violations(each)]
    assert not found, lines(found)


def test_what_is_compiled_means_the_same_compiled() -> None:
    compiled = compiled_modules(MODULES)
    assert {"times", "tcp.tcb"} <= {each.name for each in compiled}
    found = [text for each in compiled for text in compile_violations(each)]
    assert not found, lines(found)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("wire.tcp", "from netglass.tcp.tcb import Tcb"),
        ("tcp.arrive", "import netglass.udp.core"),
        ("tcp.arrive", "from netglass import udp"),
        ("tcp.arrive", "from .. import udp"),
        ("udp.core", "from ..ip import fragments"),
        ("host.host", "def late():\n    from netglass.lab import Network"),
        ("lab.network", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from netglass.programs import run"),
        ("host.host", "from netglass import Network"),
        ("novelty", "import struct"),
    ],
)
def test_a_planted_import_that_points_up_is_found(name: str, source: str) -> None:
    others = [module(each, "") for each in ("udp", "udp.core", "ip", "lab")]
    assert layer_violations([*others, module(name, source)])


def test_planted_imports_that_point_down_are_allowed() -> None:
    planted = module("host.host", "from netglass import udp\nfrom netglass.tcp.tcb import Tcb\nfrom . import config")
    assert layer_violations([module("udp", ""), planted]) == []


def test_a_late_import_closes_no_cycle() -> None:
    a = module("trace.ladder", "def text(self):\n    from netglass.trace.text import draw")
    b = module("trace.text", "from netglass.trace.ladder import Ladder")
    assert cycles([a, b]) == []


def test_a_planted_cycle_is_found() -> None:
    a = module("tcp.a", "from netglass.tcp import b")
    b = module("tcp.b", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from netglass.tcp.a import A")
    assert cycles([a, b]) == ["tcp.a -> tcp.b -> tcp.a"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tcp.timeout", "import time"),
        ("tcp.timeout", "from os import urandom"),
        ("host.host", "def late():\n    import logging"),
        ("sockets.table", "import socket"),
        ("lab.clock", "from time import monotonic"),
        ("experiments.close", "import threading"),
        ("experiments.programs.ftp", "from netglass import run"),
    ],
)
def test_a_planted_import_of_the_outside_is_found(name: str, source: str) -> None:
    assert outside_violations(module(name, source))


def test_ordinary_programs_may_import_what_they_like() -> None:
    assert outside_violations(module("experiments.programs.ftp", "import socket, threading")) == []


@pytest.mark.parametrize("source", ["x = 0.5", "def f(a, b):\n    return a / b", "y = float(3)", "y = 1\ny /= 2"])
def test_a_planted_float_is_found(source: str) -> None:
    assert float_violations(module("tcp.cubic", source))


def test_an_allowed_float_is_allowed_in_its_own_function_only() -> None:
    source = "def probability(v):\n    return v * 1.0\ndef other(v):\n    return v * 1.0"
    assert len(float_violations(module("rng", source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "seen = []",
        "table: dict[str, int] = {}",
        "import collections\nqueue = collections.deque()",
        "def f():\n    global seen\n    seen = 1",
    ],
)
def test_a_planted_global_is_found(source: str) -> None:
    assert global_violations(module("tcp.isn", source))


def test_a_constant_table_is_no_global_state() -> None:
    assert global_violations(module("tcp.state", "T: Final[dict[str, int]] = {'a': 1}\n__all__ = ['T']")) == []


@pytest.mark.parametrize(
    "source",
    [
        "class Fault(ABC):\n    @abstractmethod\n    def judge(self) -> int:\n        'A verdict.'",
        "class Fault:\n    name = ''",
        "class Fault:\n    name: str = ''",
        "if TYPE_CHECKING:\n    import a\nelse:\n    a = None",
    ],
)
def test_a_planted_trap_of_the_compiler_is_found(source: str) -> None:
    assert compile_violations(module("network.fault", source))


def test_what_the_compiler_takes_well_is_allowed() -> None:
    source = """
class Fault(ABC):
    __slots__ = ("count",)
    name: ClassVar[str] = ""
    LIMIT: Final = 3

    @abstractmethod
    def judge(self) -> int:
        "A verdict."
        raise NotImplementedError

class State(Enum):
    CLOSED = "CLOSED"
"""
    assert compile_violations(module("network.fault", source)) == []
