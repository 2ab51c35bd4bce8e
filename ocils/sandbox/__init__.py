"""The judge: containers, and a scripted one."""
