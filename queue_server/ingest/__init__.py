"""Take what apps and users send: check it, store it once, and decide, in one transaction.

Slow work (image bytes) stays outside the transaction; blobs are written before the row that names them.
"""
