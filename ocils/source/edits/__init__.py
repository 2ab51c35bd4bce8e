"""Small syntax-tree edits: the *edit* strategy's candidates.

``small_edits`` enumerates them; each family is one function over a node, in the module that its
kind belongs to.
"""

from ocils.source.edits.enumeration import SmallEdit, small_edits

__all__ = ["SmallEdit", "small_edits"]
