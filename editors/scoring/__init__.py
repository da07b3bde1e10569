"""How an answer is measured: forced, free, beside others, on texts."""
