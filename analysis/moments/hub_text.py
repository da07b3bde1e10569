"""Text of a Hugging Face dataset, as far as it is needed: parquet files, one after another, no code of the dataset.

The hub keeps a parquet copy of every public dataset on a branch of its own, so a column of text can be
read without a library of loaders.
"""

from collections.abc import Iterator

from analysis.errors import BadRequest

PREFIX = "hf:"
BRANCH = "refs/convert/parquet"
COLUMNS = ("text", "content", "article", "document", "sentence")
"""Names under which datasets keep running text, in the order they are looked for."""


def paragraphs(source: str) -> Iterator[str]:
    """Texts of the training part of `hf:owner/name` or `hf:owner/name/config`.

    `BadRequest` where the hub cannot be reached, has no such dataset, or the dataset has no column of text.
    """
    import pyarrow.parquet as pq
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    owner, _, rest = source.removeprefix(PREFIX).partition("/")
    name, _, config = rest.partition("/")
    if not owner or not name:
        raise BadRequest(f"“{source}” names no dataset. Write hf:owner/name, or hf:owner/name/config.")
    dataset = f"{owner}/{name}"
    try:
        every = sorted(HfApi().list_repo_files(dataset, repo_type="dataset", revision=BRANCH))
        files = [
            file for file in every if file.endswith(".parquet") and file.startswith(f"{config}/" if config else "")
        ]
        chosen = [file for file in files if "train" in file.split("/")] or files
        if not chosen:
            parts = sorted({file.split("/")[0] for file in every if file.endswith(".parquet")}) or ["none"]
            raise BadRequest(f"{dataset} has no parquet files under “{config}”. There are: {', '.join(parts)}.")
        first = chosen[0].split("/")[0]  # one config only, where several are there
        for file in (file for file in chosen if file.split("/")[0] == first):
            table = pq.ParquetFile(hf_hub_download(dataset, file, repo_type="dataset", revision=BRANCH))
            column = next((name for name in COLUMNS if name in table.schema_arrow.names), None)
            if column is None:
                there = ", ".join(table.schema_arrow.names)
                raise BadRequest(f"{dataset} has no column of running text ({', '.join(COLUMNS)}); it has {there}.")
            for batch in table.iter_batches(columns=[column]):
                for text in batch.column(0).to_pylist():
                    if isinstance(text, str) and text.strip():
                        yield text
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise BadRequest(f"{dataset} could not be read from the hub ({error}). Give a text file.") from error
