"""Our lines against the trading centre's 结算依据: compare, tell the kinds of error apart, say them as findings."""
