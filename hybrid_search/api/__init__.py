"""The HTTP service: routes over one engine, and the page."""
