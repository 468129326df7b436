"""Sections of a report as Markdown, and as one HTML file."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

_STYLE = """
body { font: 16px/1.55 system-ui, "Noto Sans KR", sans-serif; max-width: 960px; margin: 2.5rem auto;
  padding: 0 1rem; color: #17181b; }
h2 { margin-top: 2.2rem; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; border-bottom: 1px solid #dcdcd5; }
p.advice { padding: .8rem 1rem; background: #eef2ff; border-radius: 8px; font-weight: 600; }
pre { padding: .8rem 1rem; background: #f4f4ef; border-radius: 8px; overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 1rem; }
figure { margin: 1rem 0 0; } figcaption { font-weight: 600; } svg { max-width: 100%; height: auto; }
.comparison { margin: 1.4rem 0; } .comparison h3 { margin: 0 0 .3rem; font-size: 1rem; }
.comparison h3 img { height: 56px; vertical-align: middle; }
.strip { display: flex; gap: .5rem; align-items: flex-end; margin: .25rem 0; overflow-x: auto; }
.strip > b { flex: 0 0 4.5rem; align-self: center; font-weight: 500; }
.ad { flex: 0 0 112px; width: 112px; font-size: .75rem; line-height: 1.2; overflow-wrap: anywhere; }
.ad img { display: block; max-width: 112px; max-height: 112px; margin-top: auto; }
.ad span { display: block; color: #6b6d72; } .ad.relevant span { color: #0f7a6b; font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class Ad:
    """One hit of a query: its thumbnail, or its id without one."""

    name: str
    grade: int
    picture: str | None
    """Data URI."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A query and its first hits under two settings."""

    title: str
    picture: str | None
    """The query picture, as a data URI."""
    hits: Mapping[str, Sequence[Ad]]
    """By setting."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot of a section."""

    file: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the content below it."""

    title: str
    text: str = ""
    advice: str = ""
    settings: str = ""
    """Lines of a settings file."""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Sequence[Figure] = ()
    comparisons: Sequence[Comparison] = ()
    """Replace the rows in HTML, which can show pictures."""


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """The report as Markdown, with links to the figures."""
    lines = [f"# {_plain(title)}", ""]
    for section in sections:
        lines += [f"## {_plain(section.title)}", ""]
        lines += [f"**{_plain(section.advice)}**", ""] if section.advice else []
        lines += [_plain(section.text), ""] if section.text else []
        lines += ["```toml", section.settings.strip(), "```", ""] if section.settings else []
        if section.rows:
            rows = [section.head, ["---"] * len(section.head), *section.rows]
            lines += [f"| {' | '.join(map(_plain, row))} |" for row in rows] + [""]
        lines += [f"![{one.caption}]({quote(one.file)})" for one in section.figures] + [""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def as_html(title: str, sections: Sequence[Section]) -> str:
    """The report as one HTML file that embeds figures and pictures."""
    body = "\n".join([f"<h1>{html.escape(title)}</h1>", *map(_section, sections)])
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _section(section: Section) -> str:
    parts = [f"<section><h2>{html.escape(section.title)}</h2>"]
    if section.advice:
        parts.append(f'<p class="advice">{html.escape(section.advice)}</p>')
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    if section.settings:
        parts.append(f"<pre>{html.escape(section.settings.strip())}</pre>")
    if section.comparisons:
        parts += map(_comparison, section.comparisons)
    elif section.rows:
        parts.append(_table(section))
    if section.figures:
        figures = "".join(map(_figure, section.figures))
        parts.append(f'<div class="figures">{figures}</div>')
    return "".join([*parts, "</section>"])


def _figure(figure: Figure) -> str:
    svg = figure.svg[figure.svg.index("<svg") :]
    return f"<figure><figcaption>{html.escape(figure.caption)}</figcaption>{svg}</figure>"


def _table(section: Section) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in section.head)
    rows = (
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in section.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _comparison(comparison: Comparison) -> str:
    picture = _image(comparison.picture, "query picture") if comparison.picture else ""
    strips = "".join(
        f'<div class="strip"><b>{html.escape(name)}</b>{"".join(map(_ad, ads))}</div>'
        for name, ads in comparison.hits.items()
    )
    heading = f"<h3>{html.escape(comparison.title)} {picture}</h3>"
    return f'<div class="comparison">{heading}{strips}</div>'


def _ad(ad: Ad) -> str:
    content = _image(ad.picture, ad.name) if ad.picture else html.escape(ad.name)
    relevant = " relevant" if ad.grade > 0 else ""
    grade = f"<span>grade {ad.grade}</span>" if ad.grade > 0 else "<span>&nbsp;</span>"
    return f'<div class="ad{relevant}">{content}{grade}</div>'


def _image(source: str, alt: str) -> str:
    return f'<img src="{source}" alt="{html.escape(alt)}">'
