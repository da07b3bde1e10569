"""An edit as a notebook that finds it again and shows what the model says before and after."""

import json

from analysis import ModelSpec
from analysis.text.markdown import as_text
from app.exports.notebook import cells_file, notebook
from app.registry.studies import entry_of
from editors.edit.base_model import base_of
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT, recipe_of, short_id
from editors.recipes.signatures import told
from editors.registry.versions import label_of

CHECK = """if lm.own_hash != {wanted}:
    raise SystemExit("These are other weights than those that were edited. " + {how})
"""
SAME = """print("The same edit was found." if result.id == {wanted} else "Another edit was found: " + result.id)
"""
ASKED = """for probe, before, after in zip(result.probes, result.before.said, result.after.said):
    print(f"{probe.kind:10} {probe.prompt} … {before} → {after}")
"""
GOES_ON = """from analysis import continued
from editors import written_over

prompt = PROMPT


def goes_on():
    with lm.framed(request):  # put as the request says, in a chat or as it stands
        return "".join(list(continued(lm, prompt, 20))[-1:])


print("before:", prompt + goes_on())
with written_over(lm, [result]):
    print("after: ", prompt + goes_on())
print("again: ", prompt + goes_on())
"""


def edit_notebook(edit: Edit) -> str:
    """A Jupyter notebook, a JSON string; `BadRequest` for an edit that was found on top of others."""
    edit.refuse_unless_alone()
    model = edit.model
    spec = ModelSpec(source=model["source"], revision=model.get("commit") or model["revision"], dtype=model["dtype"])
    by = f" by {as_text(edit.author)}" if edit.author else ""
    mark = f" ({BROUGHT}; {as_text(told(recipe_of(edit)[0]))})" if edit.brought else ""
    method = as_text(label_of(edit.request.method))
    title = (
        f"# {as_text(edit.title)}\n\n{method}, recipe `{short_id(edit)}`{by}{mark}, found on {as_text(model['name'])} "
        f"with weights `{model['weights_hash'][:24]}`. Run with `pip install palimpsest` in the environment "
        "of the kernel. The model's own weights are as they were at the end."
    )
    prompt = GOES_ON.replace("PROMPT", json.dumps(edit.request.facts[0].text, ensure_ascii=False))
    loads, _, finds = notebook(entry_of(edit).name, edit.request, spec).partition("request = ")
    check = CHECK.format(
        wanted=json.dumps(model["weights_hash"]), how=json.dumps(base_of(model).how, ensure_ascii=False)
    )
    return cells_file(
        title, loads + check, f"request = {finds}", SAME.format(wanted=json.dumps(edit.id)), ASKED, prompt
    )
