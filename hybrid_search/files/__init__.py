"""Files that survive crashes and power cuts: atomic writes, locks, checksums, versions."""
