"""Writes down what the kernel under this machine answers to every scenario and to every value of every option:
`python -m tests.sockets.record_linux`. Only the loopback is used."""

from __future__ import annotations

from pathlib import Path

from tests.sockets.machine import LinuxMachine
from tests.sockets.option_scenarios import OPTION_SCENARIOS
from tests.sockets.scenarios import SCENARIOS

HERE = Path(__file__).parent


def main() -> None:
    for name, scenarios in (("linux_6_18.txt", SCENARIOS), ("linux_6_18_options.txt", OPTION_SCENARIOS)):
        text = []
        for title, scenario in scenarios.items():
            machine = LinuxMachine()
            scenario(machine)
            machine.close()
            text.append("\n".join([f"[{title}]", *machine.lines]))
        (HERE / name).write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    main()
