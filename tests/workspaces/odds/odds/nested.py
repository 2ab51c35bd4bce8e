"""Functions in functions, in classes, decorated and asynchronous."""

import asyncio
import functools


def counted(function):
    """Count a function's calls."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return function(*args, **kwargs)

    wrapper.calls = 0
    return wrapper


@counted
def clamp(value, low=0, high=10):
    # A comment before the body's first line.
    return max(low, min(value, high))


class Outer:
    class Inner:
        @staticmethod
        def double(value):
            return value * 2

        @classmethod
        def named(cls):
            return cls.__qualname__

    async def gather(self, values):
        """Double everything, all at once."""

        async def one(value):
            await asyncio.sleep(0)
            return self.Inner.double(value)

        return await asyncio.gather(*(one(value) for value in values))


def one_line(value): return value + 1
