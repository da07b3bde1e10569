"""The neurons page, run in process on a tiny model: a chain hop by hop, the graph, the cards, the way back by link."""

from analysis import NeuronsRequest
from analysis.facts.chains import read_chains
from app.charts.palette import written
from app.session.fields import slot
from app.session.permalinks import to_query
from app.studies.neurons.neuron_graph import MOST, graph_of, pathway
from tests.kit.visiting import charts, fine, offered, run, text, until, visit

PROMPT = "near the tower of Aldra mother stands in"
LINK = to_query(NeuronsRequest(prompt=PROMPT, mode="screened", top=4, draws=1))


def test_a_prompt_neuron_by_neuron(ready):
    at = run(visit("neurons", **LINK), "neurons-go", "neurons")
    alts = [chart.alt for chart in charts(at)]
    assert [alt.split(" ")[0] for alt in alts] == ["Pathways", "Probability", "Probability", "What"]
    job = at.session_state["neurons.job"]
    best = job.result.value[0]
    assert f"### {best.name}" in text(at)
    assert "Raises" in text(at)
    assert len(at.dataframe[0].value) == len(job.result.value) + len(job.result.query)
    assert offered(at, "neurons") == ["CSV", "JSON", "HTML", "Notebook"]
    other = ("value", 2)
    at = fine(at.selectbox(key="neurons-pick").set_value(other).run())
    assert f"### {job.result.value[2].name}" in text(at)


def test_a_chain_hop_by_hop(ready):
    chain = next(one for one in read_chains() if len(one.whole().split()) < 20)
    at = fine(visit("neurons"))
    at.session_state[slot("neurons", "prompt")] = chain.whole()
    at = run(fine(at.run()), "neurons-go", "neurons")
    job = at.session_state["neurons-hops.job"]
    until(lambda: job.over)
    at = fine(at.run())
    assert job.error is None
    assert "Where the middle can be read" in text(at)
    assert any("is read best at layer" in chart.alt for chart in charts(at))
    at.session_state["reach-methods"] = ["rome"]
    at = run(fine(at.run()), "reach-go", "reach")
    result = at.session_state["reach.job"].result
    assert result.versions == ["none", "rome"]
    assert offered(at, "hops") == offered(at, "reach") == ["CSV", "JSON", "HTML", "Notebook"]
    assert "It reaches the whole with" in text(at) or "With none of them it reaches the whole." in text(at)


def test_the_graph_keeps_to_its_number_of_points(tiny):
    from analysis import neurons

    result = neurons(tiny, NeuronsRequest(prompt=PROMPT, top=12, counts=(2,), draws=1))
    for most in (8, 14, MOST):
        graph = graph_of(result, most)
        assert len(graph.nodes) <= most
        columns = [node.column for node in graph.nodes]
        assert all(columns[start] < columns[end] for start, end, _ in graph.edges)
        into = sum(strength for _, end, strength in graph.edges if columns[end] == 3)
        drawn = [node.card for node in graph.nodes if node.column == 2]
        assert abs(into - sum(max(result.value[i].score, 0) for i in drawn)) < 1e-5
    assert pathway(result, written("light")).layout.height >= 320


def test_nonsense_gets_a_sentence(ready):
    at = visit("neurons", prompt="x", top="0")
    assert "could not be read" in text(fine(at))
