"""What a user can put right. Every package may import this module; it imports nothing."""


class UserError(Exception):
    """Wrong input or configuration: shown as one line, without a traceback, and the exit code is 2.

    The text says what is wrong, where, and what to do: ``"velodyne/000007.bin: 1003 bytes is not a whole number of
    16-byte points (x y z remission, float32); the file is damaged or is not a KITTI scan"``.
    """


class DataAbsentError(UserError):
    """A recording has no such sensor. A graph node marked ``optional`` is then left out with a notice."""
