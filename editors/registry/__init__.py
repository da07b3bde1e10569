"""What methods of editing there are, and what each says of itself; functions are named, nothing heavy is imported."""
