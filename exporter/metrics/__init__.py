"""Records become exposition bytes: a metric is one row of a table, whatever its subject."""
