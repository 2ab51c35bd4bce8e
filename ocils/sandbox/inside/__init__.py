"""Programs that run in the container: supervisor (PID 1) → zygote → one child a candidate.

Standard library only (and, in the child, the workspace's own pytest), Python 3.8 and later, no import
of the rest of ocils: the folder is copied
into the image as the package ``ocils_inside`` and imported from there.

Not covered: anything that needs to know what a verdict is; these programs only report.
"""
