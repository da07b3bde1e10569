"""An edit as data: what was asked, what is written, and how it is put on and taken off to the byte."""
