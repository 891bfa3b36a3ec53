"""Pictures, which the model cannot see, as a line of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tir_agent.trajectory import Image

__all__ = ["is_figure", "name_figures"]

# Matplotlib's `repr`, which is the plain text that stands where a figure was shown.
_FIGURE: Final = re.compile(r"^<Figure size [\d.]++x[\d.]++ with \d++ Axes>$", re.MULTILINE)


def name_figures(stdout: str, images: Sequence[Image], template: str) -> str:
    """Put a line for each image in the place of its plain text, or at the end where it has none.

    In `template` stand {number}, from 1, {width} and {height} in pixels. With an empty template the
    plain text stays. So does that of figures of which no image was kept.

    >>> picture = Image(width=547, height=413, png="")
    >>> name_figures("a\\n<Figure size 640x480 with 1 Axes>\\n", [picture], "[{width} x {height}]")
    'a\\n[547 x 413]\\n'
    """
    if not template:
        return stdout
    names = iter(
        [
            template.replace("{number}", str(number))
            .replace("{width}", str(image.width))
            .replace("{height}", str(image.height))
            for number, image in enumerate(images, 1)
        ]
    )
    named = _FIGURE.sub(lambda match: next(names, match[0]), stdout)
    rest = "".join(f"{name}\n" for name in names)
    return f"{named.rstrip()}\n{rest}" if named.strip() and rest else named + rest


def is_figure(text: str) -> bool:
    """Whether a value's plain text is that of a Matplotlib figure.

    >>> is_figure("<Figure size 640x480 with 1 Axes>"), is_figure("42")
    (True, False)
    """
    return _FIGURE.fullmatch(text.strip()) is not None
