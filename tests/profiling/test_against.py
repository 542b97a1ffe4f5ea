"""What got slower is named; what only varies is not; what cannot be compared is told."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from errors import UserError
from profiling import against
from profiling.against import compare, in_words, require_comparable, show
from profiling.result import MACHINE, Profile, Series, finish, write
from tests.support.noisy_machine import repetitions

PATH = Path("baseline.json")
NODES = ("lidar", "projection", "segmentation", "fusion", "sink")


def profile(runs: dict[str, list[list[float]]], better="lower", unit="ms", **changes) -> Profile:
    series = [Series(name=name, unit=unit, better=better, runs=values) for name, values in runs.items()]
    made = Profile(
        kind="model",
        command=["profile", "model"],
        started_utc="2026-01-01T00:00:00+00:00",
        machine={"cpu": "one", "cores": "2"},
        versions={"numpy": "2.0"},
        configuration={"model": "tiny", "threads": "1"},
        series=series,
    )
    return msgspec.structs.replace(made, **changes)


def measured(rng: np.random.Generator, slower: dict[str, float] | None = None, drift: float = 0.0) -> Profile:
    """A pipeline of five nodes; the machine's own speed differs by ``drift`` (a standard deviation) each time."""
    machine = np.exp(drift * rng.standard_normal())
    factors = dict.fromkeys(NODES, 1.0) | (slower or {})
    return profile(
        {f"{node}.compute": repetitions(rng, 10.0 * i * factors[node] * machine) for i, node in enumerate(NODES, 1)}
    )


def test_the_same_code_twice_is_noise_in_19_of_20_tries():
    rng = np.random.default_rng(3)
    verdicts = [in_words(compare(measured(rng, drift=0.01), measured(rng, drift=0.01), PATH)) for _ in range(40)]
    assert sum(words.startswith("noise") for words in verdicts) >= 38


def test_a_node_that_is_a_tenth_slower_is_named_and_no_other():
    rng = np.random.default_rng(4)
    named = []
    for _ in range(20):
        found = compare(measured(rng), measured(rng, {"segmentation": 1.1}), PATH)
        named.append([finding.name for finding in found.regressions])
    assert named.count(["segmentation.compute"]) >= 19


def test_a_tenth_faster_is_an_improvement_and_more_throughput_too():
    rng = np.random.default_rng(5)
    faster = {"lidar.compute": repetitions(rng, 9.0)}
    assert in_words(compare(profile({"lidar.compute": repetitions(rng, 10.0)}), profile(faster), PATH)).startswith(
        "improvement: lidar.compute -"
    )
    before, after = (profile({"throughput": repetitions(rng, level)}, "higher", "1/s") for level in (100.0, 115.0))
    assert [f.verdict for f in compare(before, after, PATH).findings] == ["improvement"]
    assert [f.verdict for f in compare(after, before, PATH).findings] == ["regression"]


def test_what_is_certain_but_small_is_noise():
    before, by_share = profile({"a": [[100.0], [100.0]]}), profile({"a": [[101.9], [101.9]]})
    assert not compare(before, by_share, PATH).regressions
    assert compare(before, profile({"a": [[102.1], [102.1]]}), PATH).regressions
    tiny, by_a_little = profile({"a": [[0.1], [0.1]]}), profile({"a": [[0.14], [0.14]]})
    assert not compare(tiny, by_a_little, PATH).regressions
    assert compare(tiny, profile({"a": [[0.16], [0.16]]}), PATH).regressions


def test_the_machine_itself_is_shown_and_never_judged(capsys):
    name = f"{MACHINE}fp32.matrix product"
    found = compare(profile({name: [[10.0], [10.0]]}), profile({name: [[20.0], [20.0]]}), PATH)
    assert not found.findings
    assert [finding.name for finding in found.machine] == [name]
    show(found)
    assert name in capsys.readouterr().out


def test_what_a_slower_machine_explains_is_noise_and_what_is_beyond_it_is_not(capsys):
    """Everything takes 2.3 times as long, as on a shared machine it may a minute later; one node 1.5 times that."""
    rng = np.random.default_rng(6)
    name = f"{MACHINE}fp32.matrix product"

    def on(machine: float, node: float) -> Profile:
        levels = {name: 30.0 * machine, "lidar.compute": 5.0 * machine, "fusion.compute": 8.0 * machine * node}
        return profile({each: repetitions(rng, level) for each, level in levels.items()})

    before, after = on(1.0, 1.0), on(2.3, 1.5)
    found = compare(before, after, PATH)
    assert [finding.name for finding in found.regressions] == ["fusion.compute"]
    show(found)
    assert "The machine itself changed" in capsys.readouterr().out
    assert not compare(before, on(2.3, 1.0), PATH).regressions
    assert in_words(compare(on(2.3, 1.0), on(1.0, 1.0), PATH)).startswith("noise")

    throughput = [profile({name: repetitions(rng, 30.0 * m)}) for m in (1.0, 2.3)]
    rates = [
        Series(name="throughput", unit="1/s", better="higher", runs=repetitions(rng, 90.0 / m)) for m in (1.0, 2.3)
    ]
    slow_and_fast = [
        msgspec.structs.replace(each, series=[*each.series, rate]) for each, rate in zip(throughput, rates, strict=True)
    ]
    assert not compare(*slow_and_fast, PATH).regressions


def test_a_single_repetition_is_not_compared_and_that_is_said():
    found = compare(profile({"a": [[1.0, 1.0]]}), profile({"a": [[9.0, 9.0]]}), PATH)
    assert in_words(found) == "not compared, as a profile has one repetition of it: a"


def test_what_is_in_one_profile_only_and_other_versions_are_told(capsys):
    before, after = profile({"a": [[1.0], [1.0]]}), profile({"b": [[1.0], [1.0]]}, versions={"numpy": "2.1"})
    show(compare(before, after, PATH))
    told = capsys.readouterr().out
    assert "another version: numpy was 2.0, is 2.1" in told
    assert "in one of the profiles only: a, b" in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machine": {"cpu": "two", "cores": "2"}}, "another machine: cpu was one, is two; profile the baseline again"),
        ({"configuration": {"model": "tiny"}}, "another configuration: threads was 1, is not told"),
        ({"kind": "capacity"}, "is a profile of a model, this is one of a capacity"),
    ],
)
def test_another_machine_or_configuration_is_no_baseline(changes, message):
    with pytest.raises(UserError, match=re.escape(f"--against baseline.json: {message}")):
        require_comparable(profile({}), profile({}, **changes), PATH)


def test_finish_writes_compares_and_fails_where_it_got_slower(tmp_path, capsys):
    baseline, out = tmp_path / "before.json", tmp_path / "after.json"
    write(profile({"segmentation.compute": [[10.0], [10.1]]}), baseline)
    slow = profile({"segmentation.compute": [[20.0], [20.1]]})
    assert finish(slow, out, None) == 0
    assert finish(slow, None, baseline) == 1
    assert "regression: segmentation.compute +99" in capsys.readouterr().out
    assert finish(slow, None, out) == 0
    assert "noise: no series changed by more than it varies" in capsys.readouterr().out
    assert against.CONFIDENCE == 0.95
