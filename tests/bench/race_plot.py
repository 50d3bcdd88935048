"""The race's picture: how long each thing takes in the mount, divided by a clone of depth 1 and the tool (or by ext4)."""
import html
import math
import re

from race_table import judged

LEFT, WIDE, RIGHT, LINE, TOP = 400, 420, 60, 22, 64
LEAST, MOST = 0.015, 8
# All of them are in the table.
ROWS = re.compile("first file.*|whole by (grep|cp) -r|bytes down: whole|disk|one more file|warm (find|ls -lR|grep -r)|(fresh mount|all cold).*")
TICKS = (0.03, 0.05, 0.1, 0.25, 0.5, 1, 2, 4)


def at(ratio):
    share = (math.log(ratio) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))
    return LEFT + WIDE * min(max(share, 0), 1)


def text(x, y, words, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{html.escape(words)}</text>'


def bars(figures):
    """(what, ratio, the bar or None) of times and of bytes."""
    compared = {key[:3] for key in figures.values}
    for repository, net, row in dict.fromkeys(key[:3] for key in figures.values):
        beside, ratio, most, _ = judged(figures, repository, net, row)
        if ratio and ROWS.fullmatch(row) and (net != "loopback" or not (repository, "slow", row) in compared):
            yield f"{repository}, {net}: {row} ÷ {beside.split(',')[0]}", ratio, most


def drawn(figures):
    table = list(bars(figures))
    high, wide, one = TOP + LINE * len(table) + 24, LEFT + WIDE + RIGHT, at(1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">',
           "<title>The mount beside a clone, and beside the disk</title>",
           f'<rect width="{wide}" height="{high}" rx="10" fill="#ffffff"/>',
           '<g font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#24292f">',
           text(16, 26, "In the mount ÷ without it (a mark: the bar)", ' font-size="15" font-weight="bold"')]
    for ratio in TICKS:
        x = at(ratio)
        out += [text(x, TOP - 10, f"{ratio:g}×", ' text-anchor="middle" fill="#6e7781" font-size="11"'),
                f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{TOP - 4}" y2="{high - 16}" stroke="{"#57606a" if ratio == 1 else "#d8dee4"}"/>']
    for n, (what, ratio, most) in enumerate(table):
        y, x = TOP + LINE * n, at(ratio)
        colour = "#cf222e" if most is not None and round(ratio, 2) > most else "#2da44e" if ratio <= 1 else "#bf8700"
        out += [text(LEFT - 12, y + 14, what, ' text-anchor="end" font-size="11"'),
                f'<rect x="{min(x, one):.0f}" y="{y + 4}" width="{max(abs(x - one), 2):.0f}" height="12" rx="2" fill="{colour}"/>',
                text(x + (6 if ratio >= 1 else -6), y + 14, f"{ratio:.2f}",
                     f' font-size="11" font-weight="bold" text-anchor="{"start" if ratio >= 1 else "end"}"')]
        if most:
            out.append(f'<line x1="{at(most):.0f}" x2="{at(most):.0f}" y1="{y + 1}" y2="{y + 19}" stroke="#0969da" stroke-width="2"/>')
    return "\n".join(out + ["</g>", "</svg>"]) + "\n"
