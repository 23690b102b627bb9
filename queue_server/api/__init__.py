"""The wire, by resource. `endpoint` declares each call once; validation and OpenAPI come from the declaration."""
