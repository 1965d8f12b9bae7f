"""多元智能审核: the audit rules R01-R30 of market.md C.6, one rule one function, and one catalogue of them all."""
