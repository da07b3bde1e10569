"""The one sentence on every page while the disk does not keep what is done, or does not give what is stored."""

import streamlit as st

from app.jobs.services import services
from app.session.run_flow import escape


def not_kept() -> None:
    """Say it where there is something to say."""
    if told := services().not_kept():
        with st.container(border=True, key="not-kept"):
            st.markdown(f":orange[:material/sd_card_alert: {escape(told)}]")
