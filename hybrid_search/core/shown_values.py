"""Values in messages: short, and of bounded depth whatever was sent."""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxstring = _SHORT.maxother = 60
shown = _SHORT.repr
