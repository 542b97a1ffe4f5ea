"""What moves: road users with intentions, the ego vehicle among them, and the actions they carry out."""

from simulation.traffic.actions import ACTIONS
from simulation.traffic.crowd import Crowd, Traffic

__all__ = ["ACTIONS", "Crowd", "Traffic"]
