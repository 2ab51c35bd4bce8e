"""Indented with tabs, behind a byte order mark."""


class Stack:
	"""A stack that remembers how high it ever was."""

	def __init__(self):
		self.items = []
		self.highest = 0

	def push(self, item):
		self.items.append(item)
		if len(self.items) > self.highest:
			self.highest = len(self.items)
		return self

	def pop(self):
		if not self.items:
			raise IndexError("nothing there")
		return self.items.pop()

	@property
	def top(self):
		return self.items[-1] if self.items else None
