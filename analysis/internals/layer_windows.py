"""Windows of layers restored together."""


def default_window(layers: int) -> int:
    """Window of ten in 48 layers, scaled to the depth: 3 of 12, 6 of 30, 7 of 32."""
    return max(1, int(10 * layers / 48 + 0.5))


def window_layers(centre: int, width: int, layers: int) -> range:
    """Layers restored together around `centre`: ROME's code, l − ⌊w/2⌋ … l + ⌈w/2⌉ − 1, clipped.

    The paper's text shifts even windows by one (l−4 … l+5 for w = 10).
    """
    return range(max(0, centre - width // 2), min(layers, centre - width // 2 + width))
