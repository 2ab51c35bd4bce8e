"""Packages that the tests of a workspace lack: found, asked about, installed into a layer of their own."""
