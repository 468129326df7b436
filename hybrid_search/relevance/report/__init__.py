"""Reports of experiments: HTML, Markdown, JSON and plots."""
