"""The ledger over a restart: totals of a dead incarnation are counted once, and losses beyond the limit are told."""

from pathlib import Path

import pytest

from pipeline import account
from pipeline.account import EdgeAccount, Loss, NodeBeat
from pipeline.control import Beat
from pipeline.ledger import RunLedger
from tests.support.runs import lidar_graph, load

EDGE = "scans -> label.scan"


@pytest.fixture
def ledger(tmp_path: Path) -> RunLedger:
    return RunLedger(load(lidar_graph(tmp_path), tmp_path), strict=False)


def beat(offered: int) -> Beat:
    edge = EdgeAccount(EDGE, "all", offered=offered, outcomes={account.USED: offered})
    return Beat([NodeBeat("scans", "running", processed=offered, edges=[edge])])


def test_a_dead_incarnations_late_beat_is_not_counted_again(ledger: RunLedger) -> None:
    ledger.add_beat(beat(5), incarnation=0)
    ledger.process_died(["scans"])
    ledger.add_beat(beat(5), incarnation=0)
    ledger.add_beat(beat(3), incarnation=1)
    report = ledger.report("finished", "", [])
    (edge,) = report.edges
    assert (edge.offered, edge.outcomes) == (8, {account.USED: 8})
    assert next(entry for entry in report.nodes if entry.node == "scans").processed == 8


def test_losses_beyond_the_limit_are_told(ledger: RunLedger) -> None:
    losses = [Loss(EDGE, seq, str(seq), account.OVERFLOW) for seq in range(account.MAX_NAMED_LOSSES + 7)]
    ledger.add_beat(Beat([NodeBeat("scans", "running", losses=losses)]), incarnation=0)
    report = ledger.report("finished", "", [])
    assert (len(report.losses), report.unnamed_losses) == (account.MAX_NAMED_LOSSES, 7)
