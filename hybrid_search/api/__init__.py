"""The HTTP service: routes over one index, and the page."""
