"""One time step of everybody's motion: how hard each brakes or speeds up, and where that takes it.

Everybody follows an own path and looks along it. Speed follows the intelligent driver model (Treiber, Hennecke,
Helbing: Congested traffic states in empirical observations and microscopic simulations, Phys. Rev. E 62, 2000) towards
whatever reaches into the swept corridor ahead: a leader, a pedestrian, a parked car. Users move one after the other,
and nobody makes a step that would end inside somebody else.
"""

from __future__ import annotations

import numba
import numpy as np

from simulation.traffic.paths import locate

STEP_S = 0.05

# Columns of the table of users; lengths in metres, speeds in m/s. ALONG: of the middle, along the path; WANT: speed on
# a free road, 0 for who stays; PULL, BRAKE: comfortable acceleration and deceleration; HEADWAY: seconds behind a
# leader; GAP: metres behind a standing one; WALL: from the front to where it has to stop, inf without; MARGIN: space
# wanted on each side; GROUP: users of one group do not see each other (a trailer and who tows it); WALKER: 1 for
# pedestrians, who are expected to go on, 2 for one who slips past others on foot; FIRST, COUNT: rows of the path; out:
# LEADER, the row of who is ahead or -1, and LEADER_GAP.
ALONG, SPEED, ACCEL, HALF_LENGTH, HALF_WIDTH, WANT, PULL, BRAKE, HEADWAY, GAP, WALL, MARGIN = range(12)
GROUP, S, D, YAW, WALKER, FIRST, COUNT, LEADER, LEADER_GAP = range(12, 21)
_LATERAL_MPS2 = 2.0  # comfortable in a bend
_SKIN_M = 0.08  # nobody comes nearer
_AHEAD_S = 1.3  # so far ahead a pedestrian's way counts as taken


@numba.njit(cache=True)
def step(users, pieces, dt_s):  # pragma: no cover - compiled
    """Move ``users`` float64 [N,21] by one step in place; ``pieces`` [P,5] are all their paths' rows."""
    for i in range(len(users)):
        me = users[i]
        if me[WANT] <= 0.0:  # parked, or towed
            me[ACCEL], me[LEADER], me[LEADER_GAP] = 0.0, -1.0, np.inf
            continue
        target = _acceleration(users, pieces, i)
        slew = 14.0 if target < me[ACCEL] else 5.0  # m/s3: a foot is not on the pedal at once, except in need
        if target > -4.0:
            target = min(max(target, me[ACCEL] - slew * dt_s), me[ACCEL] + slew * dt_s)
        speed = max(0.0, me[SPEED] + target * dt_s)
        along = me[ALONG] + 0.5 * (me[SPEED] + speed) * dt_s
        if me[WALL] < 0.5 and me[WALL] > -1.0:  # not a hand's breadth over the line
            along = min(along, me[ALONG] + max(me[WALL], 0.0))
        s, d, yaw = locate(pieces, int(me[FIRST]), int(me[COUNT]), along)
        if along > me[ALONG] and _bumps(users, i, s, d, yaw, _SKIN_M):
            along, s, d, yaw, speed, target = me[ALONG], me[S], me[D], me[YAW], 0.0, 0.0
        me[ACCEL] = 0.0 if speed == 0.0 and target < 0.0 else target
        me[ALONG], me[SPEED], me[S], me[D], me[YAW] = along, speed, s, d, yaw


@numba.njit(cache=True)
def _acceleration(users, pieces, i):  # pragma: no cover - compiled
    me = users[i]
    speed, want = me[SPEED], _bend_limit(pieces, me)
    horizon = 8.0 + 3.0 * speed + speed * speed / 3.0
    if me[WALKER] > 0.0:
        horizon = 2.5
    if speed <= want:
        ratio = speed / max(want, 0.05)
        free = me[PULL] * (1.0 - ratio * ratio * ratio * ratio)
    else:
        free = max(1.2 * (want - speed), -1.5 * me[BRAKE])
    best = free
    if me[WALL] < horizon:
        best = min(best, _stop(me, me[WALL]))
    me[LEADER], me[LEADER_GAP] = -1.0, np.inf
    for j in range(len(users)):
        if j == i or users[j, GROUP] == me[GROUP] or me[WALKER] * users[j, WALKER] > 1.0:
            continue
        gap, along_speed = _gap(users, pieces, i, j, min(horizon, me[LEADER_GAP] + 12.0))
        if gap < horizon:
            best = min(best, _follow(me, max(gap, 0.01), along_speed, free, me[GAP]))
            if gap < me[LEADER_GAP]:
                me[LEADER], me[LEADER_GAP] = j, gap
    return max(best, -8.0)


@numba.njit(cache=True)
def _follow(me, gap, leader_speed, free, stand_off):  # pragma: no cover - compiled
    closing = me[SPEED] - leader_speed
    wish = stand_off + max(0.0, me[SPEED] * me[HEADWAY] + me[SPEED] * closing / (2.0 * np.sqrt(me[PULL] * me[BRAKE])))
    return min(free, me[PULL]) - me[PULL] * (wish / gap) ** 2


@numba.njit(cache=True)
def _stop(me, gap):  # pragma: no cover - compiled
    """Brake evenly, so as to stand where ``gap`` ends."""
    due = np.sqrt(1.6 * me[BRAKE] * max(gap - 0.1, 0.0))
    if due < 0.1:
        return -8.0 * me[SPEED]
    return 2.0 * (due - me[SPEED]) - 0.8 * me[BRAKE] * min(me[SPEED] / due, 2.0) ** 2


@numba.njit(cache=True)
def _bend_limit(pieces, me):  # pragma: no cover - compiled
    """The speed wanted now, so that the bends ahead are taken at a comfortable one."""
    want = me[WANT]
    for k in range(int(me[FIRST]), int(me[FIRST] + me[COUNT])):
        if pieces[k, 4] != 0.0 and (k + 1 == int(me[FIRST] + me[COUNT]) or pieces[k + 1, 0] > me[ALONG]):
            there = _LATERAL_MPS2 / abs(pieces[k, 4])
            want = min(want, np.sqrt(there + 2.4 * max(0.0, pieces[k, 0] - me[ALONG])))
    return want


@numba.njit(cache=True)
def _gap(users, pieces, i, j, horizon):  # pragma: no cover - compiled
    """How far ``i`` can go before its corridor meets ``j``, and j's speed along it; inf where it does not.

    The corridor is traced by spheres: no step is longer than the free distance around its place.
    """
    me, other = users[i], users[j]
    length, width, s, d = other[HALF_LENGTH], other[HALF_WIDTH], other[S], other[D]
    if other[WALKER] > 0.0 and me[WALKER] == 0.0:
        reach = 0.5 * min(_AHEAD_S * other[SPEED], max(other[WALL], 0.0))
        length, s, d = length + reach, s + reach * np.cos(other[YAW]), d + reach * np.sin(other[YAW])
    radius, far = me[HALF_WIDTH] + me[MARGIN], horizon + me[HALF_LENGTH] + length + width
    if abs(s - me[S]) > far or abs(d - me[D]) > far:
        return np.inf, 0.0
    cos, sin = np.cos(other[YAW]), np.sin(other[YAW])
    x = 0.0
    while x < horizon:
        at_s, at_d, yaw = locate(pieces, int(me[FIRST]), int(me[COUNT]), me[ALONG] + me[HALF_LENGTH] + x)
        ahead, left = (at_s - s) * cos + (at_d - d) * sin, (at_d - d) * cos - (at_s - s) * sin
        free = np.hypot(max(abs(ahead) - length, 0.0), max(abs(left) - width, 0.0)) - radius
        if free < 0.02:
            forward = np.cos(yaw) * (other[S] - at_s) + np.sin(yaw) * (other[D] - at_d)
            if x == 0.0 and forward < 0.0:
                return np.inf, 0.0  # beside or behind
            return x, max(0.0, other[SPEED] * np.cos(other[YAW] - yaw))
        x += max(free, 0.1)
    return np.inf, 0.0


@numba.njit(cache=True)
def _bumps(users, i, s, d, yaw, skin):  # pragma: no cover - compiled
    """Whether user ``i`` at (s, d, yaw), grown by ``skin``, would overlap anybody.

    Two who are nearer than the skin already may part: one of them goes on, or both would stand for ever.
    """
    me = users[i]
    for j in range(len(users)):
        if j == i or users[j, GROUP] == me[GROUP] or me[WALKER] * users[j, WALKER] > 1.0:
            continue
        other = users[j]
        length, width = other[HALF_LENGTH], other[HALF_WIDTH]
        at = other[S], other[D], other[YAW]
        if overlap(s, d, yaw, me[HALF_LENGTH] + skin, me[HALF_WIDTH] + skin, *at, length, width):
            if np.hypot(other[S] - s, other[D] - d) < np.hypot(other[S] - me[S], other[D] - me[D]):
                return True
            on_foot = me[WALKER] > 0.0 and other[WALKER] > 0.0  # who has slipped past somebody gets clear again
            if not on_foot and overlap(s, d, yaw, me[HALF_LENGTH], me[HALF_WIDTH], *at, length, width):
                return True
    return False


@numba.njit(cache=True)
def overlap(s, d, yaw, length, width, s2, d2, yaw2, length2, width2):  # pragma: no cover - compiled
    """Whether two oriented rectangles, given by half lengths and half widths, overlap (separating axes)."""
    ds, dd = s2 - s, d2 - d
    reach = np.hypot(length, width) + np.hypot(length2, width2)
    if ds * ds + dd * dd > reach * reach:
        return False
    cos, sin = abs(np.cos(yaw2 - yaw)), abs(np.sin(yaw2 - yaw))
    c, n = np.cos(yaw), np.sin(yaw)
    if abs(ds * c + dd * n) > length + length2 * cos + width2 * sin:
        return False
    if abs(dd * c - ds * n) > width + length2 * sin + width2 * cos:
        return False
    c, n = np.cos(yaw2), np.sin(yaw2)
    if abs(ds * c + dd * n) > length2 + length * cos + width * sin:
        return False
    return abs(dd * c - ds * n) <= width2 + length * sin + width * cos
