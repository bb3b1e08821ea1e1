"""The ratios of one run as a picture: a bar each, its spread, and the line where both are equal."""
import subprocess

SCRIPT = """
set terminal pngcairo size 900,{height} font "sans,10" background "white"
set output "{out}/service.png"
set label 1 "Holdfast beside others, in one run; lines: the spread over the pairs" \
  at screen 0.5, screen 0.975 center
set label 2 "Holdfast / the other. CPU (blue) and start-up (red): left is better. Writes (green): right is better" \
  at screen 0.5, screen 0.03 center
set style fill solid 0.6 noborder
set lmargin 46
set tmargin 2.5
set bmargin 4
set rmargin 4
set logscale x 2
set xrange [{low}:{high}]
set yrange [{count} - 0.4 : -0.6]
set xtics format "%g"
set grid xtics
set arrow 1 from 1, graph 0 to 1, graph 1 nohead lw 2 lc rgb "#444444" front
set ytics ({labels})
set key off
plot $rows using (1):1:(1):2:($1-0.35):($1+0.35):5 with boxxyerror lc rgb variable, \\
     $rows using 2:1:3:4 with xerrorbars lc rgb "#222222" pt 7 ps 0.5
"""

COLOURS = {"CPU beside nginx": 0x4C78A8, "Durable writes beside SQLite": 0x59A14F}


def draw(rows, out):
    ratios = [row for row in rows if "ratio" in row and not row["name"].startswith(" ")]
    if not ratios:
        return
    lines, labels = [], []
    for i, row in enumerate(ratios):
        ratio = row["ratio"]
        colour = COLOURS.get(row["group"], 0xE15759)
        lines.append(f"{i} {ratio} {row.get('low', ratio)} {row.get('high', ratio)} {colour}")
        labels.append(f'"{row["name"]}" {i}')
    low = min(0.25, min(row.get("low", row["ratio"]) for row in ratios) * 0.8)
    high = max(4, max(row.get("high", row["ratio"]) for row in ratios) * 1.25)
    script = "$rows << EOD\n" + "\n".join(lines) + "\nEOD\n" + SCRIPT.format(
        out=out, height=170 + 26 * len(ratios), low=low, high=high, count=len(ratios),
        labels=", ".join(labels))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
