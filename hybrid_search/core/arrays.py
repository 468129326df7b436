"""Arrays that cross the ports."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hybrid_search.core.assets import Ordinal

Vectors = npt.NDArray[np.float32]
"""``(n, d)`` float32, unit rows."""

Ordinals = npt.NDArray[np.int64]
"""``(n,)`` int64."""


NEWEST = Ordinal(1 << 62)
"""Above every ordinal."""
