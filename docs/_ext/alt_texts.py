"""Texts for screen readers of the figures of examples, made of what the figures show.

The gallery names a figure by its titles alone. The scraper here adds what the axes
have: images, bars, or what is drawn against what, and the names of the legend.
"""

from sphinx_gallery import scrapers

MOST = 12  # names of images or bars; more of them are counted


def _get_sg_image_scraper():
    """Return the scraper, as the gallery asks for it."""
    return scrape


def scrape(block, block_vars, gallery_conf, **kwargs):
    """Save the figures, and return them with a text of each."""
    import matplotlib.pyplot as plt

    texts = [describe(plt.figure(number)) for number in plt.get_fignums()]
    rst = scrapers.matplotlib_scraper(block, block_vars, gallery_conf, **kwargs)
    lines = iter(texts)
    return "\n".join(
        f"{line[: line.index(':alt:')]}:alt: {next(lines)}" if ":alt:" in line else line
        for line in rst.split("\n")
    )


def describe(figure):
    """Return what a figure shows, in a line."""
    own = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    own += [inset for axes in own for inset in axes.child_axes]
    title = figure.get_suptitle() or own[0].get_title()
    pictures = [axes for axes in own if axes.images and not axes.texts]
    parts = [_describe_pictures(pictures)] if pictures else []
    for axes in own:
        if axes not in pictures and axes.axison:
            parts.append(_describe_axes(axes, title))
    parts = list(dict.fromkeys(part for part in parts if part))
    text = ". ".join([title, *parts]) + "."
    return " ".join(text.replace("$", "").replace("\\,", " ").split())


def _describe_pictures(pictures):
    """Return how many pictures there are, and their names."""
    names = [" ".join(axes.get_title().split()) for axes in pictures]
    names = [name for name in names if name]
    count = f"{len(pictures)} pictures" if len(pictures) > 1 else "A picture"
    if not names:  # a picture of pictures
        names = [label.get_text() for label in pictures[0].get_yticklabels()]
    return f"{count}: {_join(names)}" if 0 < len(names) <= MOST else count


def _describe_axes(axes, title):
    """Return what is drawn: against what, the names of bars, and the legend."""
    name = axes.get_title() if axes.get_title() != title else ""
    x, y = axes.get_xlabel(), axes.get_ylabel()
    bars = [bars for bars in axes.containers if hasattr(bars, "orientation")]
    if bars:
        upright = bars[0].orientation == "vertical"
        values, groups = (y, x) if upright else (x, y)
        text = f"bars of {values}" if values else "bars"
        ticks = axes.get_xticklabels() if upright else axes.get_yticklabels()
        ticks = [" ".join(label.get_text().split()) for label in ticks]
        is_named = any(any(map(str.isalpha, tick)) for tick in ticks)
        if is_named and "$" not in "".join(ticks) and len(ticks) <= MOST:
            if len(bars) == 1:
                sizes = [x.get_height() if upright else x.get_width() for x in bars[0]]
                pairs = zip(ticks, sizes, strict=True)
                ticks = [f"{tick} ({round(size, 2):g})" for tick, size in pairs]
            text += f" for {_join(ticks)}"
        elif groups:
            text += f" for each {groups}"
    elif axes.images:
        text = f"a table of {y} by {x}" if x and y else "a table of numbers"
    else:
        text = f"{y} against {x}" if x and y else x or y
    if name and text:
        text = f"{name}: {text}"
    legend = axes.get_legend() or (axes.figure.legends or [None])[0]
    if legend:
        entries = [entry.get_text() for entry in legend.get_texts()]
        text += f", with {_join(entries)}"
    return text[:1].upper() + text[1:]


def _join(names):
    """Return names in a row, apart from each other if they have commas."""
    return ("; " if any("," in name for name in names) else ", ").join(names)
