"""A clock that a test moves, so that nothing has to wait for a deadline."""

import time


class MovedClock:
    """Stands in for the module ``time``: the real clock, ``ahead`` by so many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def perf_counter(self) -> float:
        return time.perf_counter() + self.ahead
