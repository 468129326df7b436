"""One opened index: generations, access, judgments and status."""
