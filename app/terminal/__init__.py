"""What commands share: flags, files, how results are written to a terminal."""
