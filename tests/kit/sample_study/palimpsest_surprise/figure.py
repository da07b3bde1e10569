"""A bar a token."""

import plotly.graph_objects as go

from app.charts.palette import Palette
from app.charts.panels import Panel
from palimpsest_surprise.result import SurpriseResult


def surprise_panels(result: SurpriseResult, palette: Palette) -> list[Panel]:
    """Tokens across, surprise up."""
    places = list(range(1, len(result.tokens)))
    bars = go.Figure(go.Bar(x=places, y=result.surprise, hovertext=result.tokens[1:]))
    return [Panel("How unexpected each word was", bars)]
