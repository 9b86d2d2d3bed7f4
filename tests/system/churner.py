# SPDX-License-Identifier: MIT
"""python3 churner.py FD FIRST COUNT

Adds the keys FIRST … FIRST + COUNT - 1 to the map and deletes them, again and again, as fast as it
can until its input ends. Then it says how many it has added.
"""
import ctypes
import random
import select
import sys
from ctypes import c_int, c_uint32, c_uint64, c_void_p

lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
for name, arguments in (("update", 5), ("delete", 4)):
    function = getattr(lib, f"bpf_map_{name}_batch")
    function.restype = c_int
    function.argtypes = [c_int] + [c_void_p] * (arguments - 1)


def change(fd, keys, values):
    """Both in one call of the kernel each: the next change comes at once."""
    count = c_uint32(len(keys))
    assert lib.bpf_map_update_batch(fd, keys, values, ctypes.byref(count), None) == 0
    assert count.value == len(keys)
    assert lib.bpf_map_delete_batch(fd, keys, ctypes.byref(count), None) == 0
    return count.value


def main():
    fd, first, count = map(int, sys.argv[1:])
    numbers = list(range(first, first + count))
    chance = random.Random(first)
    added = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        keys = chance.sample(numbers, chance.randint(1, count))
        values = (c_uint64 * len(keys))(*keys)
        keys = (c_uint32 * len(keys))(*keys)
        for _ in range(20):
            added += change(fd, keys, values)
    print(added)


main()
