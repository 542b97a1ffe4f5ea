"""One result file at the end: what is final, each once, best first; or none."""

import pytest

from errors import UserError
from formats.temporal.results import read_results
from nodes.proposal_sink import ProposalSink
from pipeline.messages import ActionProposal, ActionProposals


def said(*proposals, complete=False):
    return ActionProposals(proposals=tuple(ActionProposal(*p) for p in proposals), complete=complete)


def test_what_is_final_is_written_once_and_best_first(tmp_path):
    out = tmp_path / "made" / "proposals.json"
    sink = ProposalSink(str(out), video="/videos/clip.one.mp4")
    sink.process(said((1.0, 2.0, 0.4, True), (3.0, 5.0, 0.9, False)))
    sink.process(said((1.0, 2.0, 0.4, True), (3.0, 5.5, 0.8, True), (0.0, 9.0, 0.4, True), complete=True))
    assert not out.exists()
    assert list(sink.finish()) == []
    results = read_results(out)
    assert list(results) == ["clip.one"]
    assert results["clip.one"].segments_s.tolist() == [[3, 5.5], [0, 9], [1, 2]]
    assert results["clip.one"].scores.tolist() == [0.8, 0.4, 0.4]
    assert [path.name for path in out.parent.iterdir()] == ["proposals.json"]


def test_a_video_without_proposals_has_an_empty_list(tmp_path):
    sink = ProposalSink(str(tmp_path / "none.json"), video="/drives/2011_09_26_drive_0005_sync")
    sink.process(said(complete=True))
    assert list(sink.finish()) == []
    assert len(read_results(tmp_path / "none.json")["2011_09_26_drive_0005_sync"].scores) == 0


def test_proposals_that_break_off_are_not_written(tmp_path, caplog):
    sink = ProposalSink(str(tmp_path / "half.json"), video="clip.mp4")
    sink.process(said((1.0, 2.0, 0.4, True)))
    assert list(sink.finish()) == []
    assert list(tmp_path.iterdir()) == []
    assert "broke off before the end of the video" in caplog.text


def test_check_refuses(tmp_path):
    ProposalSink.check(str(tmp_path / "new" / "p.json"), "clip.mp4")
    for out, video, what in (("p.txt", "clip.mp4", "ends in .json"), ("p.json", "", "give the video's path or name")):
        with pytest.raises(UserError, match=what):
            ProposalSink.check(str(tmp_path / out), video)
