"""The service: Starlette routes over one engine, and the page. The only async code."""
