"""What the syntax gate knows, as data: names, and in a few words what is odd about each.

Not covered: how they are found (``suspicious.py``).
"""

from __future__ import annotations

_ENDS = "it ends the test process"
_RUNS = "it runs code that cannot be read here"
_FRAMES = "it reaches into running code"
_TRACE = "it watches or steers running code"
_MODULES = "it reaches into loaded modules"

STRICT = {
    "SystemExit": _ENDS,
    "exit": _ENDS,
    "quit": _ENDS,
    "os._exit": _ENDS,
    "os.abort": _ENDS,
    "os.kill": _ENDS,
    "os.killpg": _ENDS,
    "posix": "it goes round `os`",
    "sys.exit": _ENDS,
    "signal": "it changes how the test process is ended",
    "_signal": "it changes how the test process is ended",
    "faulthandler": _TRACE,
    "atexit": "it acts when the tests are over",
    "eval": _RUNS,
    "exec": _RUNS,
    "compile": _RUNS,
    "code": _RUNS,
    "codeop": _RUNS,
    "runpy": _RUNS,
    "pickle.loads": _RUNS,
    "marshal": _RUNS,
    "types.CodeType": _RUNS,
    "types.FunctionType": _RUNS,
    "gc": _FRAMES,
    "ctypes": _FRAMES,
    "_ctypes": _FRAMES,
    "cffi": _FRAMES,
    "sys._getframe": _FRAMES,
    "sys._getframemodulename": _FRAMES,
    "sys._current_frames": _FRAMES,
    "inspect.stack": _FRAMES,
    "inspect.trace": _FRAMES,
    "inspect.currentframe": _FRAMES,
    "inspect.getouterframes": _FRAMES,
    "inspect.getinnerframes": _FRAMES,
    "sys.settrace": _TRACE,
    "sys.setprofile": _TRACE,
    "sys.monitoring": _TRACE,
    "sys.addaudithook": _TRACE,
    "threading.settrace": _TRACE,
    "threading.setprofile": _TRACE,
    "bdb": _TRACE,
    "sys.modules": _MODULES,
    "sys.meta_path": _MODULES,
    "sys.path_hooks": _MODULES,
    "importlib.reload": _MODULES,
    "builtins": _MODULES,
    "__builtins__": _MODULES,
    "sitecustomize": _MODULES,
}
"""One use more than before is a reason; a module's name stands for all that is in it."""

TEST_TOOLS = frozenset({"pytest", "_pytest", "unittest", "mock", "nose", "pluggy", "hypothesis"})
"""Modules of tests; elsewhere they offer objects that equal everything and ways out of a test."""

MILD = {
    "subprocess": "starts processes",
    "os.system": "starts processes",
    "os.popen": "starts processes",
    "os.fork": "starts processes",
    "os.forkpty": "starts processes",
    "os.posix_spawn": "starts processes",
    "os.execv": "starts processes",
    "os.execve": "starts processes",
    "os.execvp": "starts processes",
    "os.execl": "starts processes",
    "os.spawnv": "starts processes",
    "multiprocessing": "starts processes",
    "socket": "uses the network",
    "http.client": "uses the network",
    "urllib.request": "uses the network",
    "requests": "uses the network",
    "httpx": "uses the network",
    "shutil.rmtree": "writes or deletes files",
    "shutil.move": "writes or deletes files",
    "shutil.copy": "writes or deletes files",
    "shutil.copytree": "writes or deletes files",
    "os.open": "writes or deletes files",
    "os.remove": "writes or deletes files",
    "os.unlink": "writes or deletes files",
    "os.rename": "writes or deletes files",
    "os.replace": "writes or deletes files",
    "os.rmdir": "writes or deletes files",
    "os.removedirs": "writes or deletes files",
    "os.truncate": "writes or deletes files",
    "os.symlink": "writes or deletes files",
    "os.link": "writes or deletes files",
    "os.chmod": "writes or deletes files",
    "sys.path": "changes where modules come from",
    "site": "changes where modules come from",
}
"""A reason only where the file did nothing of the group before."""

WRITING_METHODS = frozenset({"write_text", "write_bytes", "unlink", "rmdir", "symlink_to"})

DUNDERS = frozenset(
    {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__hash__"}
    | {"__contains__", "__instancecheck__", "__subclasscheck__", "__class__", "__subclasshook__"}
    | {"__getattribute__", "__getattr__", "__setattr__", "__sub__", "__rsub__", "__abs__"}
    | {"__round__", "__float__", "__index__", "__del__", "__set_name__", "__init_subclass__"}
    | {"__exit__", "__aexit__"}
)
"""What asserts call: whoever defines these can make them say anything."""

ATTRIBUTES = {
    "f_back": _FRAMES,
    "f_locals": _FRAMES,
    "f_globals": _FRAMES,
    "f_builtins": _FRAMES,
    "f_trace": _TRACE,
    "tb_frame": _FRAMES,
    "gi_frame": _FRAMES,
    "cr_frame": _FRAMES,
    "ag_frame": _FRAMES,
    "__globals__": _FRAMES,
    "__code__": _FRAMES,
    "__closure__": _FRAMES,
    "__subclasses__": _MODULES,
    "__builtins__": _MODULES,
    "__loader__": _MODULES,
    "__spec__": _MODULES,
}

WATCHED_MODULES = frozenset(
    {"os", "sys", "inspect", "builtins", "gc", "importlib", "threading", "types", "time", "json"}
    | {"signal", "io", "operator", "math", "random", "functools", "traceback", "linecache", "ast"}
    | {"datetime", "logging", "posix", "subprocess", "shutil", "collections", "decimal", "warnings"}
)
"""Modules that nobody's repair writes into, and that are not looked into by computed names."""

CONFIGURATION = frozenset(
    {"conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "sitecustomize.py"}
    | {"usercustomize.py", "noxfile.py", ".coveragerc"}
)
