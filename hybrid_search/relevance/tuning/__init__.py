"""Choice of settings from judged queries: grids, list weights and cut-offs."""
