# SPDX-License-Identifier: Apache-2.0
"""Rate-distortion plots."""


def pyplot():
    """matplotlib's, for files only; None where it is missing."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "neuralcodec", "svg.fonttype": "none"})  # the same plot is the same file
    from matplotlib import pyplot

    return pyplot


def save_figure(plt, path):
    plt.savefig(path, dpi=130, bbox_inches="tight", metadata={"Date": None} if path.endswith(".svg") else None)
    plt.close()


def plot_curves(path, curves, title=None, ylabel="PSNR (dB)", bold=(), limit=None):
    """Name -> [(bpp, quality)], as PNG or SVG by the path's ending; False where matplotlib is missing. `bold` names stand out, `limit` ends the rates."""
    plt = pyplot()
    if plt is None:
        return False
    plt.figure(figsize=(7.2, 5.2))
    styles = ["-", "--", "-.", ":"]
    for i, (name, points) in enumerate(curves.items()):
        strong = name in bold
        plt.plot(*zip(*sorted(map(tuple, points))), styles[i // 10 % 4], marker="o", markersize=4 if strong else 2.5, linewidth=2.4 if strong else 1.1, label=name, zorder=3 if strong else 2)
    if limit:
        plt.xlim(0, limit)
        inside = [q for points in curves.values() for bpp, q in points if bpp <= limit]
        plt.ylim(min(inside), max(inside) + 0.02 * (max(inside) - min(inside)))
    plt.xlabel("bits per pixel")
    plt.ylabel(ylabel)
    if title:
        plt.title(title, fontsize=10)
    plt.grid(alpha=0.3)
    plt.legend(fontsize=7)
    save_figure(plt, path)
    return True
