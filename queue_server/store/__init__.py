"""All SQL, by table. Each function takes an open session; the caller owns the transaction.

State changes are conditional UPDATEs that check their rowcount, so two workers at once change a row once.
"""
