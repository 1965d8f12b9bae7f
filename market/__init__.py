"""The vocabulary of the market: periods, curves, money, nodes and paths, rule profiles, calendars."""
