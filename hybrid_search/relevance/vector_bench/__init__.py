"""Benchmark of vector index kinds on the vectors of one corpus."""
