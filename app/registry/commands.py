"""Commands of the terminal that are about no one study; the studies' own stand between them."""

from app.registry.entry import Command

FIRST = (
    Command("serve", "app.cli.serve", "open the workbench in a browser"),
    Command("model", "app.cli.models", "list, price, fetch and check models"),
    Command("studies", "app.cli.studies", "list the studies there are, with what each is asked"),
)
LAST = (
    Command("sweep", "app.sweeps.command", "run a study over every case of a file, here or on a cluster"),
    Command("report", "app.sweeps.command", "read back what a sweep has computed"),
    Command("data", "app.cli.data", "check a file of cases: its form, its faults row by row, conflicts, duplicates"),
    Command("bench", "app.cli.bench", "measure speed and exactness on this machine"),
)
