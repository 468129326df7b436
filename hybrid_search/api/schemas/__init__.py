"""JSON schemas of the API, and conversion from and to records; the command line uses them too."""
