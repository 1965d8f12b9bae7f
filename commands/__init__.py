"""What a terminal offers: one module a group of commands; no calculation."""
