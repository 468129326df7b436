"""Files and folders that survive crashes."""
