"""Figures: pure functions from numbers to Plotly. They know no model, no session, no page."""
