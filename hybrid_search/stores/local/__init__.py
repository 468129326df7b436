"""What stores of one process share: a view and a log replay over separate indexes."""
