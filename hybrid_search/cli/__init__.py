"""The command line: one command per public use, over the same engine as the library."""
