"""Puts a LoRA adapter on the model it was made for, and goes on from a prompt.

Needs torch, transformers, safetensors and peft. Usage: python adapted.py "A prompt".
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from base_model import HERE, arguments, described, goes_on, loaded  # type: ignore[import-not-found]
from peft import PeftModel

if __name__ == "__main__":
    edit = described()
    args = arguments(edit["title"], edit)
    model, tokenizer = loaded(edit, args)
    model = PeftModel.from_pretrained(model, str(HERE)).eval()
    print(goes_on(model, tokenizer, args.prompt, args.tokens))
