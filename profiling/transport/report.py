"""The comparison as tables, as a sentence for each wire, and as a picture."""

from __future__ import annotations

from pathlib import Path

from profiling.tables import markdown
from profiling.transport.rounds import Found, size_in_words
from profiling.transport.systems import SYSTEMS, System

INK = {"links": "#1f77b4", "plain_zmq": "#7f7f7f", "zenoh_peers": "#2ca02c", "dora_nodes": "#d62728"}
STROKE = {"inproc": ":", "ipc": "-", "tcp": "--"}


def tables(found: Found) -> str:
    """Two Markdown tables: milliseconds p50 / p99 of one message at a time; MB/s at full speed, with what was lost."""
    systems, sizes = _axes(found)
    latency, rate = [], []
    for size in sizes:
        cells = [found[system.name, size] for system in systems]
        latency.append(
            (size_in_words(size), *(f"{c.percentile_ms(50):.3g} / {c.percentile_ms(99):.3g}" for c in cells))
        )
        lost = [f" ({c.lost} of {c.sent} lost)" if c.lost else "" for c in cells]
        rate.append((size_in_words(size), *(f"{c.median_rate_mb_s:.0f}{n}" for c, n in zip(cells, lost, strict=True))))
    names = [system.name for system in systems]
    return "\n".join(
        (
            "Latency, one message at a time: ms, p50 / p99\n",
            markdown(("size", *names), latency),
            "Throughput, as fast as it goes: MB/s, median of the rounds\n",
            markdown(("size", *names), rate),
        )
    )


def words(found: Found) -> str:
    """What our links cost over plain pyzmq, a sentence for each wire on which both were measured."""
    systems, sizes = _axes(found)
    by_kind = {(system.module, system.wire): system.name for system in systems}
    sentences = []
    for wire in STROKE:
        if {("links", wire), ("plain_zmq", wire)} <= by_kind.keys():
            ours, plain = by_kind["links", wire], by_kind["plain_zmq", wire]
            costs = []
            for size in dict.fromkeys((sizes[0], sizes[-1])):
                mine, theirs = (found[name, size].percentile_ms(50) for name in (ours, plain))
                costs.append(f"{mine - theirs:+.2f} ms at {size_in_words(size)} ({mine:.2f} against {theirs:.2f})")
            sentences.append(f"Over {wire} a hop on our links costs, beside plain pyzmq, {' and '.join(costs)}.")
    return "\n".join(sentences)


def picture(found: Found, path: Path) -> None:
    """Latency (median and p99) and throughput over the size, logarithmic, as PNG."""
    from matplotlib.figure import Figure

    systems, sizes = _axes(found)
    figure = Figure(figsize=(12, 5), layout="constrained")
    latency, rate = figure.subplots(1, 2)
    for number, system in enumerate(systems):
        cells = [found[system.name, size] for size in sizes]
        beside = [size * (1 + 0.03 * number) for size in sizes]  # so that hairs do not hide one another
        style = _style(system)
        p50, p99 = ([cell.percentile_ms(q) for cell in cells] for q in (50, 99))
        latency.plot(beside, p50, marker="o", markersize=3.5, label=system.name, **style)
        latency.vlines(beside, p50, p99, color=style["color"], linewidth=0.8, alpha=0.7)
        rate.plot(sizes, [cell.median_rate_mb_s for cell in cells], marker="o", markersize=3.5, **style)
    latency.set(ylabel="ms", title="One message at a time: median (point), p99 (end of the hair)")
    rate.set(ylabel="MB/s", title="As fast as it goes, read to the last byte")
    for axes in (latency, rate):
        axes.set(xscale="log", yscale="log", xlabel="message", xticks=sizes)
        axes.set_xticklabels([size_in_words(size) for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(systems))
    figure.savefig(path, dpi=120)


def _axes(found: Found) -> tuple[list[System], list[int]]:
    """The systems and the sizes that were measured."""
    return [SYSTEMS[name] for name in dict.fromkeys(name for name, _ in found)], sorted({size for _, size in found})


def _style(system: System) -> dict[str, object]:
    other = system.module not in ("links", "plain_zmq")
    return {
        "color": INK[system.module],
        "linestyle": "-." if other else STROKE[system.wire],
        "linewidth": 2.0 if system.module == "links" else 1.2,
    }
