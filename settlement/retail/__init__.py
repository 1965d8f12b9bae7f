"""The second layer: what retail users, agency users and residents are billed (market.md B.7-B.10, B.13)."""
