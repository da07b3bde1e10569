"""Where other wordings of an edited fact name its subject: the tokens its key there depends on."""

from analysis import LanguageModel
from editors.cases.case import Case
from editors.edit.probes import Probe
from editors.edit.request import Rewrite
from editors.methods.search.token_rows import up_to_key


def subject_in(lm: LanguageModel, case: Case, probe: Probe) -> tuple[int, ...]:
    """Tokens of another wording up to its subject's last; none where it does not name it once in the fact's words."""
    subject = case.rewrites[probe.fact].subject
    if probe.kind != "paraphrase" or probe.prompt.count(subject) != 1:
        return ()
    worded = Rewrite(prompt=probe.prompt.replace(subject, "{}"), subject=subject, target=probe.new)
    return up_to_key(lm, "", worded, "rls")
