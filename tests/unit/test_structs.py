"""Types that several threads read for the first time at once."""

import os
import subprocess
import sys

# A Struct of Structs is what msgspec is caught with half of: without `settle_types` this ended
# with a segmentation fault each time it was tried.
KINDS = """
import msgspec
outer = []
for number in range(100):
    inner = [
        msgspec.defstruct(f"I{number}_{k}", [("a", int)], module=__name__) for k in range(3)
    ]
    fields = [(f"f{k}", kind) for k, kind in enumerate(inner)]
    outer.append(msgspec.defstruct(f"S{number}", fields, module=__name__))
"""
READ = """
import sys, threading
import msgspec
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(3)
def read():
    for kind in find():
        barrier.wait()
        msgspec.convert({f"f{k}": {"a": 1} for k in range(3)}, kind)
threads = [threading.Thread(target=read) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("read")
"""
SETTLED = """
from amity.kernel.structs import settle_types
assert settle_types() >= 400
def find():
    return outer
"""
# Each thread finds the plug-ins for itself, as the first visitors of a page do.
FOUND = """
from amity.kernel.registry import Registry
def find():
    import plugs
    Registry(object, group="plugs").discover(plugs)
    from plugs.one import outer
    return outer
"""


def run(program, **env):
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | env,
    )
    assert (done.returncode, done.stdout) == (0, "read\n"), done.stderr


def test_threads_that_read_a_type_first_at_once_read_it_whole():
    run(KINDS + SETTLED + READ)


def test_plug_ins_that_threads_find_are_read_whole(tmp_path):
    (tmp_path / "plugs").mkdir()
    (tmp_path / "plugs" / "__init__.py").write_text("")
    (tmp_path / "plugs" / "one.py").write_text(KINDS)
    run(FOUND + READ, PYTHONPATH=str(tmp_path))
