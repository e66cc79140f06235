# SPDX-License-Identifier: Apache-2.0
"""A bar a part as SVG: median ratio, range as a line, goal as a mark. No library."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW = 760, 250, 110, 34


def svg(title, note, parts):
    """parts: rows with name, ratio {median, min, max} and goal (or None)."""
    top = max([1.0] + [p['ratio']['max'] for p in parts] + [p['goal'] or 0 for p in parts]) * 1.05
    height = 62 + ROW * len(parts) + 26
    scale = (WIDTH - LEFT - RIGHT) / top
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
           f'<text x="12" y="42" fill="#555">{escape(note)}</text>']
    for i, part in enumerate(parts):
        y = 62 + i * ROW
        ratio, goal = part['ratio'], part['goal']
        good = goal is None or part['meets_goal']
        middle = y + 10
        out.append(f'<text x="12" y="{y + 14}">{escape(part["name"])}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{ratio["median"] * scale:.1f}" height="20" '
                   f'fill="{"#4a7fb5" if good else "#c0504d"}"/>')
        out.append(f'<path d="M{LEFT + ratio["min"] * scale:.1f} {middle} H{LEFT + ratio["max"] * scale:.1f}" stroke="black"/>')
        if goal is not None:
            at = LEFT + goal * scale
            out.append(f'<path d="M{at:.1f} {y - 4} V{y + 24}" stroke="#2a2" stroke-width="2"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 14}">{ratio["median"]:.3g}'
                   f'{"" if goal is None else f" (goal {goal:g})"}</text>')
    out.append(f'<text x="12" y="{height - 10}" fill="#555">bar: median ratio; line: range of the rounds; mark: goal</text>')
    return '\n'.join(out) + '\n</svg>\n'
