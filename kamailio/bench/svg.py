"""Plots as SVG text.

One colour stands for one thing in all of them: red for the C original, blue for the library, black for what is to be
reached. The line at 1 x is where both are equal, bars begin there, and each plot has a legend.
"""

import html
import math

ORIGINAL, OURS, GOAL = "#b04a3a", "#2f6f9f", "black"
STYLE = 'font-family="sans-serif" font-size="12"'


def colour_of(name):
    return ORIGINAL if name.startswith("C original") else OURS


def _document(width, height, title, body):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" {STYLE}>\n'
    ground = f'<rect width="{width}" height="{height}" fill="white"/>\n'
    text = f'<text x="10" y="18" font-weight="bold">{html.escape(title)}</text>\n'
    return head + ground + text + "\n".join(body) + "\n</svg>\n"


def _text(x, y, text, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _line(x1, y1, x2, y2, colour, width=1, dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashed}/>')


def _box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def bars(title, values):
    """Horizontal bars of (text, value, mark) from 1 x on, on a logarithmic scale."""
    left, right, step, top = 300, 90, 22, 58
    width = 860
    all_values = [max(number, 1e-3) for _, value, mark in values for number in (value, mark)]
    lowest = math.floor(math.log10(min([1, *all_values])))
    highest = max(1, math.log10(max([10, *all_values])))
    scale = (width - left - right) / (highest - lowest)

    def x(value):
        return left + scale * (math.log10(max(value, 10.0**lowest)) - lowest)

    bottom = top + step * len(values)
    body = [_box(left, 28, 10, 10, OURS), _text(left + 14, 37, "the library")]
    body += [_line(left + 96, 26, left + 96, 40, GOAL, 2), _text(left + 102, 37, "to reach")]
    body += [_line(left + 172, 33, left + 192, 33, ORIGINAL, 2), _text(left + 198, 37, "1 x: the C original")]
    for power in range(lowest, math.floor(highest) + 1):
        for part in range(1, 10):
            place = x(part * 10.0**power)
            if place <= width - right + 1:
                body.append(_line(place, top, place, bottom, "#ccc" if part == 1 else "#eee"))
        body.append(_text(x(10.0**power), bottom + 14, f"{10.0**power:g} x", "middle"))
    body.append(_text(width - right, bottom + 30, "logarithmic scale", "end"))
    for index, (text, value, mark) in enumerate(values):
        y = top + step * index
        begin, end = sorted((x(1), x(value)))
        body.append(_text(left - 6, y + 14, text, "end"))
        body.append(_box(begin, y + 3, max(1, end - begin), step - 8, OURS))
        body.append(_line(x(mark), y, x(mark), y + step - 2, GOAL, 2))
        body.append(_text(max(x(value), x(mark)) + 5, y + 14, f"{value:.3g}"))
    body.append(_line(x(1), top, x(1), bottom, ORIGINAL, 2))
    return _document(width, bottom + 38, title, body)


def _steps(high):
    """Round numbers from 0 to what holds `high`."""
    step = 10.0 ** math.floor(math.log10(high / 4))
    step *= next(part for part in (1, 2, 5, 10) if part * step * 6 >= high)
    return [step * number for number in range(math.ceil(high / step - 1e-9) + 1)]


def lines(title, label, places, series, log=False):
    """One line a series over places, whose distances are those of their logarithms; `log`: so is the upright scale.

    `series` has values by name; what begins with "C original" is the original. A name that ends with "processes" is dashed.
    """
    left, right, top, bottom, width, height = 60, 200, 34, 46, 740, 330
    known = [v for values in series.values() for v in values if v]
    if log:
        powers = range(math.floor(math.log10(min([1, *known]))), math.ceil(math.log10(max([10, *known]))) + 1)
        ticks = [10.0**power for power in powers]
    else:
        ticks = _steps(max([1, *known]))

    def y(value):
        low, high = ticks[0], ticks[-1]
        part = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
        return height - bottom - part * (height - top - bottom)

    def x(place):
        first, last = math.log(places[0]), math.log(places[-1])
        return left + (math.log(place) - first) / ((last - first) or 1) * (width - left - right)

    body = [_line(left, height - bottom, width - right, height - bottom, "black")]
    body += [_text(x(place), height - bottom + 16, f"{place:,}", "middle") for place in places]
    scales = "both scales logarithmic" if log else "places at the distance of their logarithms"
    body.append(_text((left + width - right) / 2, height - 10, f"{label} ({scales})", "middle"))
    for tick in ticks:
        body.append(_line(left, y(tick), width - right, y(tick), "#ddd"))
        body.append(_text(left - 5, y(tick) + 4, f"{tick:,g}", "end"))
    body.append(_line(left, y(1), width - right, y(1), "#666", 1.5, "2 3"))
    for index, (name, values) in enumerate(series.items()):
        colour, dash = colour_of(name), "6 3" if name.endswith("processes") else ""
        points = [(x(place), y(v)) for place, v in zip(places, values, strict=True) if v]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
        body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        at = top + 18 * index + 6
        body.append(_line(width - right + 8, at, width - right + 32, at, colour, 2, dash))
        body.append(_text(width - right + 38, at + 4, name))
    at = top + 18 * len(series) + 6
    body.append(_line(width - right + 8, at, width - right + 32, at, "#666", 1.5, "2 3"))
    body.append(_text(width - right + 38, at + 4, "1 x"))
    return _document(width, height, title, body)
