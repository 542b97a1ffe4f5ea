"""Readers and writers of the field's file formats. One file per format; nothing here knows a message or a node."""

from errors import UserError


class DamagedFileError(UserError):
    """One file of a recording cannot be used. A source may leave it out, by name, and go on with the next."""
