"""What the checkers in this folder share."""
import argparse
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def root_from_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    return os.path.realpath(parser.parse_args().root)


def files(root, folders, endings):
    """Paths relative to root, sorted; hidden and build folders are left out."""
    found = []
    for folder in folders:
        for at, below, names in os.walk(os.path.join(root, folder)):
            below[:] = [name for name in below if name[0] != "." and name != "build"]
            found += [os.path.relpath(os.path.join(at, name), root)
                      for name in names if name.endswith(endings)]
    return sorted(found)


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return list(enumerate(file.read().splitlines(), 1))


def is_test(path):
    return path.endswith("_test.cpp") or path.startswith(("tests/", "fuzz/"))


def layers(root):
    """LAYERS as {name: [dep, ...]}."""
    rows = {}
    for number, line in lines(root, "LAYERS"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, colon, deps = line.partition(":")
        if not colon:
            sys.exit(f"LAYERS:{number}: no colon")
        rows[name.strip()] = deps.split()
    return rows


def finish(problems):
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
