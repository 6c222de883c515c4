"""How the page of a benchmark looks, in the light and in the dark."""

from __future__ import annotations

__all__ = ["STYLE"]

_LIGHT = {
    "paper": "#fcfbf8",
    "ink": "#1c1e21",
    "soft": "#5c6067",
    "rule": "#dedbd3",
    "warn": "#8a4b00",
    "warn-paper": "#fbf1dc",
    "k0": "#1b66a8",
    "k1": "#c9520c",
    "k2": "#23803a",
    "k3": "#7644b0",
    "k4": "#bd2a72",
    "k5": "#86690a",
}
_DARK = {
    "paper": "#16181b",
    "ink": "#e8e6e1",
    "soft": "#a2a5ab",
    "rule": "#34373c",
    "warn": "#f0c27a",
    "warn-paper": "#2c2417",
    "k0": "#6db3f5",
    "k1": "#ff9a5a",
    "k2": "#72cc88",
    "k3": "#bb9cf2",
    "k4": "#ff86b8",
    "k5": "#dcbb4c",
}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


_RULES = """
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1, h2, h3 { font-family: Charter, "Iowan Old Style", Georgia, "DejaVu Serif", serif; }
h1, h2, h3 { font-weight: 600; line-height: 1.25; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; margin: 0 0 1.75rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .25rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
.when, .caption { color: var(--soft); margin: 0 0 .35rem; }
.caption { max-width: 44rem; margin-bottom: 1rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
table { font-variant-numeric: tabular-nums lining-nums; }
th { color: var(--soft); font-weight: 500; text-align: left; vertical-align: bottom; }
th, td { padding: .4rem .55rem; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 1.5px solid var(--soft); }
td { vertical-align: top; }
td.name { overflow-wrap: anywhere; min-width: 4.5rem; }
.figure { text-align: right; white-space: nowrap; }
.sample { width: 38px; padding-right: .2rem; }
.sample svg, .legend svg { vertical-align: middle; flex: none; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
dl { margin: .75rem 0; font-size: .9rem; }
dt { color: var(--soft); max-width: 14rem; overflow-wrap: anywhere; }
dd { grid-column: 2; margin: 0; overflow-wrap: anywhere; min-width: 0; }
.warnings { background: var(--warn-paper); border-left: 3px solid var(--warn); }
.warnings { padding: .8rem 1rem; }
.warnings dt { color: var(--warn); font-weight: 600; }
.verdicts { list-style: none; margin: .5rem 0; padding: 0; font-size: .9rem; }
.verdicts li { padding: .3rem 0; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
.drawing { overflow-x: auto; }
.drawing svg { display: block; width: 100%; min-width: 34rem; height: auto; }
.legend {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr));
  gap: .25rem 1.5rem; list-style: none; margin: .75rem 0 1rem; padding: 0; font-size: .85rem;
}
.legend li { display: flex; gap: .6rem; align-items: center; overflow-wrap: anywhere; }
.legend span { min-width: 0; }
details { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
summary { cursor: pointer; color: var(--soft); }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .mid { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .strong { fill: var(--ink); }
svg .on { fill: var(--paper); }
svg .halo { fill: var(--ink); stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
svg .axis { stroke: var(--soft); }
svg .grid { stroke: var(--rule); }
svg .rate { stroke: var(--soft); stroke-dasharray: 1 4; stroke-linecap: round; stroke-width: 2; }
svg .curve { fill: none; stroke: var(--k); stroke-width: 2; stroke-linejoin: round; }
svg .interval { stroke: var(--k); stroke-width: 1.5; }
svg .dot, svg .fill { fill: var(--k); stroke: var(--paper); stroke-width: 1; }
svg .faint { fill-opacity: .45; }
svg .p50 { stroke: var(--ink); stroke-width: 2; }
@media print { main { max-width: none; padding: 0; } details { display: none; } }
"""

STYLE = (
    f":root {{ color-scheme: light dark; {_variables(_LIGHT)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK)} }} }}\n"
    + "".join(f".k{at} {{ --k: var(--k{at}); }}\n" for at in range(6))
    + _RULES.lstrip()
)
