"""The whole product, on real parts."""
