"""What was measured, as ratios: the table, the goals, and the picture."""
import os
import statistics

import picture
import tools

COLUMNS = ("tool", "version", "set", "op", "run", "wall_s", "sync_s", "cpu_s", "peak_mb", "service_peak_mb",
           "files", "bytes", "stored_bytes", "rc", "load")


def read(path):
    with open(path) as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    texts = ("tool", "version", "set", "op")
    return [{name: value if name in texts else float(value) for name, value in zip(lines[0], line)}
            for line in lines[1:]]


def seconds(row):
    """Until it is done and on the disk: not every tool waits for that itself."""
    return row["wall_s"] + row["sync_s"]


MEASURES = {"time": seconds, "wall": lambda row: row["wall_s"], "cpu": lambda row: row["cpu_s"],
            "stored": lambda row: row["stored_bytes"]}


def pick(rows, tool, kind, operation):
    """By run; what failed is not there."""
    return {int(row["run"]): row for row in rows
            if (row["tool"], row["set"], row["op"]) == (tool, kind, operation) and row["rc"] == 0}


def ratios(rows, kind, operation, tool, other, measure="time"):
    """One for each run in which both were measured."""
    ours, theirs = pick(rows, tool, kind, operation), pick(rows, other, kind, operation)
    value = MEASURES[measure]
    return [value(ours[run]) / max(value(theirs[run]), 1e-9) for run in sorted(ours.keys() & theirs.keys())]


def middle(values, form):
    if not values:
        return "-"
    text = form.format(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({form.format(min(values))}-{form.format(max(values))})"


# set, operation, tool, of what, beside whom, at most this ratio
GOALS = (
    ("tree", "full", "holdfast", "time", "restic", 0.3),
    ("tree", "full", "holdfast", "time", "tar-zstd-aes", 0.95),
    ("tree", "full", "holdfast-service", "time", "restic", 0.45),
    ("big", "full", "holdfast", "time", "restic", 0.3),
    ("big", "full", "holdfast-service", "time", "restic", 0.5),
    ("tree", "nochange", "holdfast", "time", "restic", 0.12),
    ("tree", "nochange", "holdfast", "time", "find", 1.0),
    ("tree", "nochange", "holdfast", "time", "zpaq", 0.6),
    ("tree", "change1", "holdfast", "time", "restic", 0.15),
    ("tree", "restore", "holdfast", "time", "restic", 0.5),
    ("tree", "restore", "holdfast", "time", "tar", 0.8),
    ("tree", "restore", "holdfast-service", "time", "restic", 0.65),
    ("big", "restore", "holdfast", "time", "restic", 0.7),
    ("tree", "full", "holdfast", "stored", "restic", 0.8),
)
CPU_NS_PER_BYTE = 3
PEAK_MB = 200


def goal_lines(rows):
    for kind, operation, tool, measure, other, most in GOALS:
        values = ratios(rows, kind, operation, tool, other, measure)
        if values:
            yield (f"{tool}: {operation}, {kind}, {measure} beside {other}", middle(values, "{:.2f}"), f"{most:g}",
                   statistics.median(values) <= most)
    big = [row["cpu_s"] * 1e9 / row["bytes"] for row in pick(rows, "holdfast", "big", "full").values()]
    if big:
        yield ("holdfast: full, big, CPU in ns per byte", middle(big, "{:.2f}"), f"{CPU_NS_PER_BYTE}",
               statistics.median(big) <= CPU_NS_PER_BYTE)
    peaks = [row["peak_mb"] for row in rows if row["tool"].startswith("holdfast")]
    if peaks:
        yield "holdfast: the highest memory of all, MB", f"{max(peaks):.0f}", f"{PEAK_MB}", max(peaks) <= PEAK_MB


def print_table(rows):
    """A line for each tool in each operation."""
    order = list(dict.fromkeys((row["set"], row["op"]) for row in rows))
    for kind, operation in order:
        print(f"\n{kind}, {operation:<{24 - len(kind)}} seconds (spread)     CPU s   peak MB  stored MB   of restic's time")
        for tool in tools.TOOLS:
            runs = list(pick(rows, tool, kind, operation).values())
            if not runs:
                continue
            cpu, peak, stored = (statistics.median(row[name] for row in runs)
                                 for name in ("cpu_s", "peak_mb", "stored_bytes"))
            print(f"  {tool:<17}{middle([seconds(row) for row in runs], '{:.2f}'):>27}{cpu:10.2f}{peak:10.0f}"
                  f"{stored / 1e6:11.0f}   {middle(ratios(rows, kind, operation, tool, 'restic'), '{:.2f}')}")


def groups(rows):
    """For the picture."""
    wanted = {(kind, operation, tool): most for kind, operation, tool, measure, other, most in GOALS
              if (measure, other) == ("time", "restic")}
    for kind, operation in dict.fromkeys((row["set"], row["op"]) for row in rows):
        bars = []
        for tool in tools.TOOLS:
            values = ratios(rows, kind, operation, tool, "restic")
            if values and tool != "restic":
                bars.append((tool, values, wanted.get((kind, operation, tool))))
        if bars:
            yield f"{kind}, {operation}", bars


def show(rows, out):
    print_table(rows)
    picture.draw(list(groups(rows)), os.path.join(out, "peers.svg"))
    print("\ngoals" + " " * 59 + "measured         at most")
    for text, value, most, met in goal_lines(rows):
        print(f"  {text:<58}{value:>18}{most:>8}   {'met' if met else 'MISSED'}")
