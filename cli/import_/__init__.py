"""Import other people's models and weights."""

from cli.import_.detector import detector
from cli.import_.squeezesegv3 import squeezesegv3

__all__ = ["detector", "squeezesegv3"]
