"""Which words of a prompt surprise the model? A study of a package of its own."""

from palimpsest_surprise.result import SurpriseRequest, SurpriseResult
from palimpsest_surprise.run import surprise

__all__ = ["SurpriseRequest", "SurpriseResult", "surprise"]
