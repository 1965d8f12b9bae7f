"""Demand response (需求响应): events, baselines, performance, compensation, benefit, and who pays for it."""
