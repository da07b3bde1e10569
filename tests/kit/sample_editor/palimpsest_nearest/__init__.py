"""The smallest change that sends a fact's key to its new value: a method of editing of a package of its own."""
