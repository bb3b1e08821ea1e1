"""The time of each operation as a share of restic's, as a picture: a bar for each tool, its spread, and
a mark where Holdfast is to be."""
import math
import statistics

WIDTH, LEFT, ROW, HEAD = 900, 250, 15, 70
LEAST, MOST = 1 / 32, 4
COLOURS = {"holdfast": "#2f6fb3", "holdfast-service": "#8ab4dd"}
OTHER = "#b9b9b9"


def across(ratio):
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - 60)


def text(x, y, words, anchor="start", weight="normal"):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{words}</text>'


def bar(y, tool, values):
    middle = statistics.median(values)
    yield text(LEFT - 8, y + 9, tool, "end")
    yield (f'<rect x="{LEFT}" y="{y}" width="{across(middle) - LEFT:.1f}" height="11" '
           f'fill="{COLOURS.get(tool, OTHER)}"/>')
    if len(values) > 1:
        yield (f'<path d="M{across(min(values)):.1f} {y + 5.5}H{across(max(values)):.1f}" stroke="#222" '
               'stroke-width="1.5"/>')
    yield text(across(max(values)) + 5, y + 9, f"{middle:.2f}")


def goal(y, ratio):
    x = across(ratio)
    return f'<path d="M{x:.1f} {y - 2}v15" stroke="#c0392b" stroke-width="2"/>'


def draw(groups, path):
    """`groups`: a title and its bars, each a tool, its ratios, and the goal or None."""
    body = []
    y = HEAD
    for title, bars in groups:
        y += 8
        body.append(text(8, y + 9, title, weight="bold"))
        for tool, values, most in bars:
            body += bar(y, tool, values)
            if most:
                body.append(goal(y, most))
            y += ROW
    lines = []
    for power in range(-5, 3):
        x = across(2.0 ** power)
        lines.append(f'<path d="M{x:.1f} {HEAD - 8}V{y}" stroke="{"#222" if power == 0 else "#e4e4e4"}"/>')
        lines.append(text(x, HEAD - 14, f"1/{2 ** -power}" if power < 0 else f"{2 ** power}", "middle"))
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 12}" '
                   f'viewBox="0 0 {WIDTH} {y + 12}" font-family="sans-serif" font-size="11">\n'
                   f'<rect width="{WIDTH}" height="{y + 12}" fill="#fff"/>\n')
        file.write(text(8, 20, "Time until it is done and on the disk, as a share of restic's in the same run "
                               "(left is faster; line: the spread; red: the goal)", weight="bold") + "\n")
        file.write("\n".join(lines + body) + "\n</svg>\n")
