"""Ordinary code in unusual dress."""
