"""Pictures: decoded, checked, prepared and kept."""
