"""Two results side by side: earlier runs and examples, of any study."""

import streamlit as st

from app.charts.marked import escape
from app.components import say_address
from app.session import arrived
from app.shell import compare_view

PAGE = "compare"

found = compare_view.to_choose_from()
link = arrived.take("one", "other")
names: list[str | None] = [link.get("one"), link.get("other")]
for side, key in enumerate(st.session_state.get("marked", [])[-2:]):
    if names[side] is None:
        names[side] = next((name for name, kept in found.items() if kept.key == key), None)
st.title("Side by side")
st.markdown(":gray[Two prompts, two methods, two models, an example and a run of yours: whatever is stored.]")
for side, (column, label) in enumerate(zip(st.columns(2, gap="large"), ("On the left", "On the right"), strict=True)):
    slot = f"{PAGE}.{side}"
    if names[side] in found and slot not in st.session_state:
        st.session_state[slot] = names[side]
    with column:
        names[side] = st.selectbox(
            label, list(found), index=None, format_func=lambda name: found[name].title, key=slot,
            placeholder="An earlier run, or an example",
        ) or (names[side] if names[side] not in found else None)  # fmt: skip
results = [compare_view.result_of(name) for name in names]
for name, result in zip(names, results, strict=True):
    if name and result is None:
        st.error(escape(compare_view.missing(name)), icon=":material/link_off:")
if results[0] is not None and results[1] is not None:
    say_address(PAGE, {"one": str(names[0]), "other": str(names[1])})
    compare_view.show(*results)
else:
    st.markdown("Choose two, or tick two earlier runs in the margin.")
