"""plot.py: the one-worker results as an SVG, readable on light and dark backgrounds."""
from report import NAMES, medians

WIDTH, LEFT, BAR, GAP, GROUP = 760, 110, 13, 3, 20
COLORS = {"barq": "#e4572e", "nginx": "#4c9f70", "elysia": "#8a5fbf", "fastify": "#3d7ea6",
          "fastapi": "#9a8c40"}
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.quiet { fill: #57606a }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } }
</style>"""


def bars(route, by_server, y):
    """One group: the fastest server fills the width."""
    rps = {server: medians(samples)["rps"] for server, samples in by_server.items()}
    most = max(rps.values())
    parts = [f'<text x="0" y="{y + 11}">{route}</text>']
    for server, value in rps.items():
        length = max(1, (WIDTH - LEFT - 190) * value / most)
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                     f'fill="{COLORS.get(server, "#888")}"/>')
        parts.append(f'<text class="quiet" x="{LEFT + length + 6:.1f}" y="{y + 11}">'
                     f'{NAMES.get(server, server)} {value:,.0f}</text>')
        y += BAR + GAP
    return parts, y + GROUP - GAP


def draw(results, title):
    parts, y = [f'<text x="0" y="14">{title}</text>'], 32
    for route, by_server in results.items():
        group, y = bars(route, by_server, y)
        parts += group
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
            f'aria-label="{title}">\n{STYLE}\n' + "\n".join(parts) + "\n</svg>\n")
