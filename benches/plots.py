"""One plot for each group: the first column of its tables as bars, with their spread."""

import io
import re

#: Readable on a light page and on a dark one.
TEXT, OURS, PEER = "#808080", "#5c6bc0", "#9e9e9e80"
STYLE = {
    # Text stays text, and the same numbers give the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "preopen",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}
#: What would be another with each run, or is of no use.
NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
#: A tenth of a point is fine enough for where things are; what is said (between `>` and `<`) stays.
DIGITS = re.compile(r">[^<>]*<|(\d+\.\d)\d+")
WIDTH, BAR, AROUND = 7.6, 0.24, 0.5


def write(group, path):
    """A group as it is kept, to an SVG file."""
    # Only who draws needs it, and it is not everywhere.
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    tables = [table for table in group["tables"] if table["plotted"]]
    heights = [AROUND + BAR * len(table["rows"]) for table in tables]
    with pyplot.rc_context(STYLE):
        figure, places = pyplot.subplots(
            len(tables),
            figsize=(WIDTH, sum(heights)),
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
            layout="constrained",
        )
        for axes, table in zip(places[:, 0], tables):
            bars(axes, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata=NOTHING)
        pyplot.close(figure)
    path.write_text(shorter(drawn.getvalue()), encoding="utf-8")


def shorter(drawn):
    """A drawing with as many digits as are seen, and every word and number of it as it was."""
    return DIGITS.sub(lambda found: found[1] or found[0], drawn)


def title(table):
    """What a table's bars are: its name, the unit, and which end is the good one."""
    column = table["columns"][0]["name"]
    return f"{table['title']} ({column}; {'more' if column.endswith('/s') else 'less'} is better)"


def bars(axes, table):
    """The first row is on top."""
    rows = list(table["rows"])
    cells = [table["rows"][row][0] for row in rows]
    medians = [cell["median"] for cell in cells]
    below = [cell["median"] - cell["min"] for cell in cells]
    above = [cell["max"] - cell["median"] for cell in cells]
    colours = [OURS if row in table["ours"] else PEER for row in rows]
    places = range(len(rows))
    axes.barh(places, medians, height=0.7, color=colours, xerr=[below, above], ecolor=TEXT, clip_on=False)
    axes.set_yticks(places, [row.replace("`", "") for row in rows])
    axes.invert_yaxis()
    column = table["columns"][0]
    axes.tick_params(axis="y", length=0)
    # Each bar says its number; an axis would only repeat it.
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, max(cell["max"] for cell in cells) * 1.18)
    for place, cell in zip(places, cells):
        text = f"{cell['median']:,.{column['digits']}f}"
        axes.annotate(text, (cell["max"], place), (5, 0), textcoords="offset points", va="center")
    axes.set_title(title(table), loc="left", fontsize=9, fontweight="bold")
