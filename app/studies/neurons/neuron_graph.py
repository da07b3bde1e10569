"""From tokens through query neurons to value neurons to the answer: a layered graph, width is strength.

Strengths are log-probability: what a value neuron adds to the answer; of that, a query neuron's share in the state the
value neuron reads. At most thirty nodes are drawn: the strongest, two in three value neurons of MLPs, the others of
attention.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from analysis.neuron_attribution.result import Neuron, NeuronsResult
from app.charts.frame import framed
from app.charts.palette import Palette
from app.charts.words import token_label, word

MOST = 30
WIDEST = 9.0
COLUMNS = ("word", "query neuron", "value neuron", "answer")


@dataclass(frozen=True)
class Node:
    """A point of the graph: `card` is the place in value, or in query; `column` as COLUMNS."""

    column: int
    label: str
    card: int = -1
    token: int = -1


@dataclass(frozen=True)
class Graph:
    """Nodes and weighted edges (from, to, strength)."""

    nodes: list[Node]
    edges: list[tuple[int, int, float]]


def graph_of(result: NeuronsResult, most: int = MOST) -> Graph:
    """The strongest neurons that fit into `most` nodes, with the words they read and the links between them."""
    most = min(most, MOST)
    ranked = sorted(range(len(result.value)), key=lambda i: -result.value[i].score)
    own, attn = ([i for i in ranked if result.value[i].part == part] for part in ("mlp", "attn"))
    for count in range(min(most, len(ranked)), 0, -1):
        values = own[: count - count // 3] + attn[: count // 3]
        graph = _graph(result, values, list(range(len(result.query)))[:count])
        if len(graph.nodes) <= most or count == 1:
            return graph
    return _graph(result, ranked[:1], [])


def _graph(result: NeuronsResult, values: list[int], queries: list[int]) -> Graph:
    queries = [q for q in queries if any(result.links[q, v] for v in values)]
    tokens = sorted({result.query[q].token for q in queries} | {result.value[v].token for v in values})
    nodes = [Node(0, f"{token_label(result.tokens[t])}", token=t) for t in tokens]
    place = {("token", t): i for i, t in enumerate(tokens)}
    for kind, cards, chosen in (("query", result.query, queries), ("value", result.value, values)):
        for i in sorted(chosen, key=lambda i: (cards[i].token, cards[i].layer)):
            place[kind, i] = len(nodes)
            nodes.append(Node(1 if kind == "query" else 2, cards[i].name, i, cards[i].token))
    place["answer", 0] = len(nodes)
    nodes.append(Node(3, token_label(result.answer)))
    edges = [(place["value", v], place["answer", 0], max(result.value[v].score, 0.0)) for v in values]
    for v in values:
        edges.append((place["token", result.value[v].token], place["value", v], max(_rest(result, v, queries), 0.0)))
    for q in queries:
        fed = [(v, abs(float(result.links[q, v]) * result.value[v].score)) for v in values if result.links[q, v]]
        edges += [(place["query", q], place["value", v], strength) for v, strength in fed]
        edges.append((place["token", result.query[q].token], place["query", q], sum(s for _, s in fed)))
    return Graph(nodes, [edge for edge in edges if edge[2] > 0])


def _rest(result: NeuronsResult, value: int, queries: list[int]) -> float:
    """What the state a value neuron reads owes to everything but the query neurons drawn."""
    return result.value[value].score * (1 - sum(abs(float(result.links[q, value])) for q in queries))


def pathway(
    result: NeuronsResult, palette: Palette, *, most: int = MOST, selected: tuple[str, int] | None = None
) -> go.Figure:
    """The graph as a figure; neurons carry (role, place) as custom data, the selected one a ring."""
    graph = graph_of(result, most)
    x, y = _placed(graph)
    top = max((strength for *_, strength in graph.edges), default=1.0)
    figure = go.Figure()
    for start, end, strength in sorted(graph.edges, key=lambda edge: edge[2]):
        bend = np.linspace(0, 1, 12)
        smooth = bend**2 * (3 - 2 * bend)
        figure.add_scatter(
            x=x[start] + (x[end] - x[start]) * bend,
            y=y[start] + (y[end] - y[start]) * smooth,
            mode="lines",
            line={"width": max(0.8, WIDEST * strength / top), "color": palette.under},
            opacity=0.25 + 0.5 * strength / top,
            hoverinfo="skip",
        )
    for column in range(4):
        own = [i for i, node in enumerate(graph.nodes) if node.column == column]
        neurons = column in (1, 2)
        ringed = [selected == (_role(column), graph.nodes[i].card) for i in own]
        figure.add_scatter(
            x=x[own],
            y=y[own],
            mode="markers+text" if neurons else "text",
            marker={
                "size": 13,
                "color": palette.quiet if column == 1 else palette.under,
                "line": {"width": [3 if ring else 0 for ring in ringed], "color": palette.gold},
                "opacity": 1,
            },
            text=[_text(graph.nodes[i]) for i in own],
            textposition="middle left" if column == 0 else "middle right" if column == 3 else "top center",
            textfont={"size": 20 if column == 3 else 14 if column == 0 else 12, "color": palette.ink},
            customdata=[[_role(column), graph.nodes[i].card] for i in own],
            hovertext=[_hover(result, graph.nodes[i]) for i in own],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}, "textfont": {"color": palette.ink}},
            cliponaxis=False,
        )
    for column, name in enumerate(COLUMNS):
        figure.add_annotation(
            x=column, y=1.13, text=name, showarrow=False, font={"size": 12, "color": palette.ink}, yanchor="bottom",
            xanchor=("right", "center", "center", "left")[column],
        )  # fmt: skip
    tallest = max(sum(node.column == column for node in graph.nodes) for column in range(4))
    figure.update_xaxes(visible=False, range=[-0.55, 3.95], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-0.06, 1.22], fixedrange=True)
    return framed(figure, palette, max(320, 44 * tallest + 90), top=8, bottom=8)


def _text(node: Node) -> str:
    """A label, words with some air towards their lines."""
    return {0: f"{node.label}\u2002", 3: f"\u2002<b>{node.label}</b>"}.get(node.column, node.label)


def _role(column: int) -> str:
    return ("word", "query", "value", "answer")[column]


def _placed(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    x = np.array([float(node.column) for node in graph.nodes])
    y = np.zeros(len(graph.nodes))
    for column in range(4):
        own = [i for i, node in enumerate(graph.nodes) if node.column == column]
        y[own] = 0.5 if len(own) == 1 else np.linspace(1, 0, len(own))
    return x, y


def _hover(result: NeuronsResult, node: Node) -> str:
    if node.column in (0, 3):
        return node.label
    card: Neuron = (result.query if node.column == 1 else result.value)[node.card]
    return (
        f"{card.name} at “{token_label(result.tokens[card.token])}”<br>score {card.score:+.3f}<br>"
        f"promotes {', '.join(map(token_label, card.promotes))}"
    )


def pathway_alt(result: NeuronsResult, most: int = MOST) -> str:
    """What the graph shows, in a sentence."""
    graph = graph_of(result, most)
    best = max(result.value, key=lambda card: card.score)
    return (
        f"Pathways to “{word(result.answer)}” after “{result.request.prompt}”: {len(graph.nodes)} nodes; the strongest "
        f"value neuron is {best.name}, which adds {best.score:.2f} to the log-probability."
    )
