"""Reads what strace saw of one run of holdfastd: no answer to a pack is sent before its bytes, its
name, every folder that leads to it and its row in the database were synced. Usage: order.py TRACE DATA"""
import os
import re
import sys

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
FILE = re.compile(r"^\d+<(.*?)>")
NAMES = re.compile(r'"((?:[^"\\]|\\.)*)"')


def calls(path):
    """Every call that went well: thread, name, arguments, line it began in, line it ended in."""
    begun, done = {}, []
    for number, line in enumerate(open(path, encoding="utf-8", errors="replace")):
        if match := CALL.match(line):
            thread, name, rest = match.groups()
            if rest.rstrip().endswith("<unfinished ...>"):
                begun[thread] = (name, rest, number)
                continue
            start = number
        elif match := RESUMED.match(line):
            thread, name, tail = match.groups()
            if thread not in begun:
                continue
            _, rest, start = begun.pop(thread)
            rest += tail
        else:
            continue
        # "?": killed in the middle, or the last of a thread.
        if not re.search(r"= (-1 |\?)", rest):
            done.append((thread, name, rest, start, number))
    return done


class Run:
    def __init__(self, trace, data):
        self.data = data
        self.written, self.made, self.syncs, self.packs = {}, {}, {}, []
        self.answers = {}  # of a thread: lines in which it began to send
        for thread, name, rest, start, end in calls(trace):
            self.note(thread, name, rest, start, end)

    def note(self, thread, name, rest, start, end):
        file = FILE.match(rest)
        file = file.group(1) if file else ""
        if name in ("fsync", "fdatasync"):
            self.syncs.setdefault(file, []).append((start, end))
        elif name == "mkdir":
            self.made[NAMES.findall(rest)[0]] = end
        elif name == "rename":
            source, target = NAMES.findall(rest)[:2]
            if target.startswith(self.data + "/packs/"):
                self.packs.append((thread, source, target, start, end))
        elif file.startswith(("socket:", "TCP:", "TCPv6:")):
            self.answers.setdefault(thread, []).append(start)
        else:
            self.written[file] = end

    def synced(self, path, after, before):
        """The end of the first sync of path that began after one line and ended before another."""
        ends = [end for start, end in self.syncs.get(path, []) if start > after and end < before]
        return min(ends, default=None)

    def problem(self, pack):
        thread, source, target, start, end = pack
        answer = min((line for line in self.answers.get(thread, []) if line > end), default=None)
        if answer is None:
            return None  # killed before
        if self.synced(source, self.written.get(source, -1), start) is None:
            return "was named before its bytes were synced"
        folder = os.path.dirname(target)
        named = self.synced(folder, end, answer)
        if named is None:
            return "was answered before its folder was synced"
        while folder != self.data:
            parent = os.path.dirname(folder)
            if self.synced(parent, self.made.get(folder, -1), answer) is None:
                return f"was answered before {parent} was synced, which leads to it"
            folder = parent
        if self.synced(self.data + "/service.db-wal", named, answer) is None:
            return "was answered before its row was synced"
        return None


def main():
    run = Run(sys.argv[1], sys.argv[2])
    problems = [f"{pack[2]} {problem}" for pack in run.packs if (problem := run.problem(pack))]
    print("\n".join(problems) or f"{len(run.packs)} packs in order")
    sys.exit(bool(problems) or not run.packs)


main()
