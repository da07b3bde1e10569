"""The server's own process: Streamlit, begun once everything that pages are made of has been read.

Otherwise the first visitor waits for pandas and Plotly. Torch is not among it: it is read when the model is loaded.
"""

from pathlib import Path

PAGES = Path(__file__).resolve().parent.parent / "pages"


def warm() -> None:
    """Import what the pages import, without running any of them."""
    import ast
    from importlib import import_module

    for page in [Path(__file__).with_name("main.py"), *sorted(PAGES.glob("*.py"))]:
        for node in ast.parse(page.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                module = import_module(node.module)
                for name in node.names:
                    if not hasattr(module, name.name):
                        import_module(f"{node.module}.{name.name}")


if __name__ == "__main__":
    from streamlit.web.cli import main

    warm()
    main(prog_name="streamlit")
