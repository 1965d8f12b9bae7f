"""Finished tables become what people read: statements, workbooks, pages. Nothing here reads or writes a file."""
