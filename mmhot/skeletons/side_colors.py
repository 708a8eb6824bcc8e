"""Colors of the body sides in all drawings, pages and recordings."""

SIDE_COLORS = {'left': '#2b8ce6', 'right': '#db6a18', 'middle': '#8e8e8e'}
"""Colors by side.

They differ for people with any deficiency of color vision, and stand out from light and
dark backgrounds.
"""


def side_of(joint: str) -> str:
    """Return the body side in a joint's name, a key of :data:`SIDE_COLORS`."""
    return next((side for side in ('left', 'right') if side in joint), 'middle')


def side_rgb(joint: str) -> tuple[int, int, int]:
    """Return the color of a joint's side: red, green, blue from 0 to 255."""
    red, green, blue = bytes.fromhex(SIDE_COLORS[side_of(joint)][1:])
    return red, green, blue
