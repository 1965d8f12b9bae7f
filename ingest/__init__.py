"""Files from outside into typed, versioned tables; what is wrong goes to quarantine with a reason."""
