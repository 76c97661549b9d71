"""Plots as SVG text."""

import html
import math

COLOURS = ("#b04a3a", "#2f6f9f", "#c98a7f", "#7fb0d0")
STYLE = 'font-family="sans-serif" font-size="12"'


def _document(width, height, title, body):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" {STYLE}>\n'
    ground = f'<rect width="{width}" height="{height}" fill="white"/>\n'
    text = f'<text x="10" y="18" font-weight="bold">{html.escape(title)}</text>\n'
    return head + ground + text + "\n".join(body) + "\n</svg>\n"


def _text(x, y, text, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def bars(title, values):
    """Horizontal bars of (text, value, mark) on a logarithmic scale from 0.1 up."""
    left, right, step, top = 300, 90, 22, 34
    width = 860
    longest = max([max(value, mark) for _, value, mark in values], default=1)
    decades = math.log10(max(longest, 10)) + 1
    scale = (width - left - right) / decades

    def x(value):
        return left + scale * max(0.0, math.log10(max(value, 0.1)) + 1)

    body = []
    bottom = top + step * len(values)
    for power in range(-1, math.ceil(decades)):
        place = x(10.0**power)
        if place <= width - right + 1:
            body.append(f'<line x1="{place:.0f}" y1="{top}" x2="{place:.0f}" y2="{bottom}" stroke="#ddd"/>')
            body.append(_text(place, bottom + 14, f"{10.0**power:g}", "middle"))
    for index, (text, value, mark) in enumerate(values):
        y = top + step * index
        colour = COLOURS[1] if value >= mark else COLOURS[0]
        body.append(_text(left - 6, y + 14, text, "end"))
        body.append(f'<rect x="{left}" y="{y + 3}" width="{x(value) - left:.0f}" height="{step - 8}" fill="{colour}"/>')
        body.append(f'<line x1="{x(mark):.0f}" y1="{y}" x2="{x(mark):.0f}" y2="{y + step - 2}" stroke="black" stroke-width="2"/>')
        body.append(_text(max(x(value), x(mark)) + 5, y + 14, f"{value:.3g}"))
    return _document(width, bottom + 24, title, body)


def lines(title, label, places, series, log=False):
    """One line a series over places at even distance; `log`: the upright scale is logarithmic."""
    left, right, top, bottom, width, height = 60, 190, 34, 40, 720, 320
    known = [v for values in series.values() for v in values if v]
    high = max(known, default=1)
    low = min(known, default=1) if log else 0

    def y(value):
        part = math.log(value / low) / math.log(high / low) if log and high > low else (value - low) / (high - low or 1)
        return height - bottom - part * (height - top - bottom)

    def x(index):
        return left + index * (width - left - right) / max(1, len(places) - 1)

    body = [f'<line x1="{left}" y1="{height - bottom}" x2="{width - right}" y2="{height - bottom}" stroke="black"/>']
    body += [_text(x(i), height - bottom + 16, f"{place:,}", "middle") for i, place in enumerate(places)]
    body.append(_text((left + width - right) / 2, height - 8, label, "middle"))
    marks = 4
    for step in range(marks + 1):
        value = low * (high / low) ** (step / marks) if log and low else low + (high - low) * step / marks
        body.append(f'<line x1="{left}" y1="{y(value):.0f}" x2="{width - right}" y2="{y(value):.0f}" stroke="#ddd"/>')
        body.append(_text(left - 5, y(value) + 4, f"{value:.2g}", "end"))
    for index, (name, values) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)] if len(series) > 2 else COLOURS[index]
        points = [(x(i), y(v)) for i, v in enumerate(values) if v]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        body.append(_text(width - right + 10, top + 18 * index + 10, name))
        body.append(f'<rect x="{width - right - 4}" y="{top + 18 * index + 1}" width="10" height="10" fill="{colour}"/>')
    return _document(width, height, title, body)
