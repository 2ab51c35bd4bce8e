"""Inference adapters: CTranslate2, and a scripted one."""
