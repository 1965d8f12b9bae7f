"""Who pays whom: charges, accounts, ledger, findings. Pure calculation on tables in memory."""
