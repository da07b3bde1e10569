"""A study asked of every case of a file, here or on many machines."""
