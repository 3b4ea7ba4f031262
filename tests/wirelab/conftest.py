"""What a lab with real kernels needs of the machine."""

from __future__ import annotations

import pytest

from netglass.errors import LinkError
from netglass.link.machine import Namespace
from netglass.link.tun import Tun


@pytest.fixture(scope="session")
def kernels() -> None:
    """Skips, with the reason, where the machine forbids namespaces or devices, or pyroute2 is missing."""
    try:
        with Namespace() as inside:
            inside.call(Tun, "ng0").close()
    except LinkError as error:
        pytest.skip(str(error))
