"""Pictures: checked decoding, preprocessing for a model, storage, near duplicates."""
