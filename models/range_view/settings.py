"""Which projections make sense. Apart from the projection itself, so that a check does not wait for its compiler."""

from errors import UserError

HDL64_FOV_UP_DEG, HDL64_FOV_DOWN_DEG = 3.0, -25.0
"""Elevations between which SemanticKITTI's HDL-64 is projected, as SqueezeSegV3's release does it."""


def check_projection(*, height: int, width: int, fov_up_deg: float, fov_down_deg: float, keep: str) -> None:
    """Raise :class:`UserError` where a parameter of a spherical projection is out of range."""
    if height < 1 or width < 1:
        raise UserError(f"projection: an image of {height}x{width} pixels; give a height and width of 1 or more")
    if not -90 <= fov_down_deg < fov_up_deg <= 90:
        raise UserError(
            f"projection: field of view from {fov_down_deg}° to {fov_up_deg}°; fov_down_deg must be below fov_up_deg, "
            "both within -90..90 (HDL-64: -25 and 3)"
        )
    if keep not in ("nearest", "farthest"):
        raise UserError(f"projection: keep is {keep!r}; give 'nearest' or 'farthest'")
