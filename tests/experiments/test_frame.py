"""What all experiments have in common."""

from __future__ import annotations

import json
import time

import pytest

from netglass import MisuseError
from netglass.experiments import NAMES, by_name, everything
from netglass.experiments.experiment import Experiment, Outcome, Parameter


# pyftpdlib imports modules that are deprecated; ftplib forgets its listening socket when PORT fails.
@pytest.mark.filterwarnings("ignore:The asyn.* module is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_answers_quickly_and_in_words(name):
    start = time.process_time()
    experiment = by_name(name)
    if missing := experiment.missing():
        pytest.skip(f"{' and '.join(missing)} not installed")
    outcome = experiment.run()
    spent = time.process_time() - start
    assert experiment.name == name
    assert experiment.question.endswith("?")
    assert len(outcome.answer) > 100
    assert outcome.figures
    assert outcome.parts or outcome.table
    json.dumps(outcome.figures)
    assert spent < 4  # 2 s, on a machine that nobody else uses
    for part in outcome.parts:
        ladder = part.ladder()
        assert ladder.text(width=ladder.fitting_width(100))


def test_names_are_those_of_the_modules_and_unique():
    assert len(set(NAMES)) == len(NAMES)
    assert [experiment.name for experiment in everything()] == list(NAMES)


def test_a_misspelt_name_gets_a_proposal():
    with pytest.raises(MisuseError, match="did you mean handshake"):
        by_name("handshak")


def answer(**values):
    return Outcome(str(values), values)


EXAMPLE = Experiment(
    "example",
    "opening",
    "What is this?",
    answer,
    (
        Parameter("rtt", "40ms", "a time", "1ms", "5s"),
        Parameter("how-many", 3, "a number", 1, 9),
        Parameter("gone", False, "a switch"),
    ),
)


def test_parameters_are_read_by_the_kind_of_their_default():
    assert EXAMPLE.run().figures == {"rtt": "40ms", "how_many": 3, "gone": False}
    given = {"rtt": "2 s", "how-many": "4", "gone": "yes"}
    assert EXAMPLE.run(**given).figures == {"rtt": "2 s", "how_many": 4, "gone": True}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"rtt": "40"}, "--rtt: a duration needs a unit"),
        ({"rtt": "6s"}, "--rtt is at most 5 s; not 6s"),
        ({"rtt": "1us"}, "--rtt is at least 1 ms; not 1us"),
        ({"rtt": 40}, '--rtt takes a time, such as "40ms"'),
        ({"how-many": "many"}, "--how-many takes a whole number, such as 3"),
        ({"how-many": "10"}, "--how-many lies between 1 and 9"),
        ({"gone": "away"}, "--gone is a switch"),
        ({"speed": "1"}, "example has no --speed; it has --rtt, --how-many, --gone"),
    ],
)
def test_a_wrong_parameter_is_told_what_is_right(given, told):
    with pytest.raises(MisuseError, match=told):
        EXAMPLE.run(**given)


def test_what_lacks_a_library_says_what_to_install():
    lame = Experiment("example", "opening", "What is this?", answer, needs=("json", "no_such_module"))
    assert lame.missing() == ["no_such_module"]
    with pytest.raises(
        MisuseError, match=r"example runs what is not installed \(no_such_module\): pip install 'netglass"
    ):
        lame.run()
