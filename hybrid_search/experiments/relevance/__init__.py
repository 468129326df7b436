"""The relevance lab: candidates retrieved once, fused in many ways, measured and compared."""
