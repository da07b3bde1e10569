"""Second moments (the uncentred covariance) of keys, and the text they are measured on."""
