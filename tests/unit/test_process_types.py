"""Types that several threads read for the first time at once."""

import subprocess
import sys

# A Struct of Structs is what msgspec is caught with half of: without `settle_types` this ended
# with a segmentation fault each time it was tried.
PROGRAM = """
import sys, threading
import msgspec
from amity.infra.process import settle_types
sys.setswitchinterval(1e-6)
outer = []
for number in range(100):
    inner = [msgspec.defstruct(f"I{number}_{k}", [("a", int)]) for k in range(3)]
    fields = [(f"f{k}", kind) for k, kind in enumerate(inner)]
    outer.append(msgspec.defstruct(f"S{number}", fields))
assert settle_types() >= 400
barrier = threading.Barrier(3)
def read():
    for kind in outer:
        barrier.wait()
        msgspec.convert({f"f{k}": {"a": 1} for k in range(3)}, kind)
threads = [threading.Thread(target=read) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("read")
"""


def test_threads_that_read_a_type_first_at_once_read_it_whole():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "read\n"), done.stderr
