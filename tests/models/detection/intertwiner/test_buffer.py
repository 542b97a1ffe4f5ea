"""The class buffer against means taken the slow way over all that it was shown."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.detection.intertwiner import buffer
from models.detection.intertwiner.buffer import ClassBuffer

CLASSES, CHANNELS = 4, 3


def batches(seed: int, counts: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Features and labels of some batches; the last class never occurs."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(count, CHANNELS, generator=generator),
            torch.randint(0, CLASSES - 1, (count,), generator=generator),
        )
        for count in counts
    ]


def samples_of(shown: list[tuple[torch.Tensor, torch.Tensor]], label: int) -> list[torch.Tensor]:
    return [f for features, labels in shown for f, of in zip(features, labels.tolist(), strict=True) if of == label]


@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_all_history_is_the_mean_of_everything(seed: int, counts: list[int]) -> None:
    memory, shown = ClassBuffer(CLASSES, CHANNELS), batches(seed, counts)
    for features, labels in shown:
        now = memory.update(features, labels)
    for label in range(CLASSES):
        samples = samples_of(shown, label)
        assert int(memory.seen[label]) == len(samples)
        expected = torch.stack(samples).mean(0) if samples else torch.zeros(CHANNELS)
        torch.testing.assert_close(now[label], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(memory.representatives, now)


@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(0, 20), min_size=1, max_size=6))
def test_window_is_the_mean_of_the_last_ones(seed: int, counts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffer, "_WINDOW", 3)
        memory, shown = ClassBuffer(CLASSES, CHANNELS, "window"), batches(seed, counts)
        for features, labels in shown:
            now = memory.update(features, labels)
    for label in range(CLASSES):
        last = samples_of(shown, label)[-3:]
        expected = torch.stack(last).mean(0) if last else torch.zeros(CHANNELS)
        torch.testing.assert_close(now[label], expected, atol=1e-5, rtol=1e-5)


def test_decay_forgets() -> None:
    memory, shown = ClassBuffer(CLASSES, CHANNELS, "decay"), batches(0, [5, 0, 7, 2])
    expected: dict[int, torch.Tensor] = {}
    for features, labels in shown:
        now = memory.update(features, labels)
        for label in set(labels.tolist()):
            mean = features[labels == label].mean(0)
            expected[label] = 0.99 * expected[label] + 0.01 * mean if label in expected else mean
    for label, wanted in expected.items():
        torch.testing.assert_close(now[label], wanted)


@pytest.mark.parametrize("history", buffer.HISTORIES)
def test_a_class_never_seen_has_no_representative_and_no_samples(history: str) -> None:
    memory = ClassBuffer(CLASSES, CHANNELS, history)
    now = memory.update(torch.ones(2, CHANNELS), torch.tensor([1, 1]))
    assert memory.seen.tolist() == [0, 2, 0, 0]
    assert now.isfinite().all()


@pytest.mark.parametrize("history", buffer.HISTORIES)
def test_gradients_reach_this_batch_and_end_there(history: str) -> None:
    memory = ClassBuffer(CLASSES, CHANNELS, history)
    first = torch.ones(2, CHANNELS, requires_grad=True)
    memory.update(first, torch.tensor([0, 1]))
    second = torch.ones(3, CHANNELS, requires_grad=True)
    memory.update(second, torch.tensor([0, 0, 2])).sum().backward()
    assert first.grad is None
    assert second.grad is not None
    assert (second.grad != 0).all()
    assert not memory.representatives.requires_grad


def test_the_history_goes_with_the_checkpoint() -> None:
    memory = ClassBuffer(CLASSES, CHANNELS)
    memory.update(torch.ones(2, CHANNELS), torch.tensor([0, 1]))
    restored = ClassBuffer(CLASSES, CHANNELS)
    restored.load_state_dict(memory.state_dict())
    assert restored.seen.tolist() == [1, 1, 0, 0]


def test_unknown_history() -> None:
    with pytest.raises(ValueError, match="weekly"):
        ClassBuffer(CLASSES, CHANNELS, "weekly")
